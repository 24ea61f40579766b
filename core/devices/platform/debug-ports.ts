// Small ports of virtual machines and test kernels: the debug console (E9h, and 402h where SeaBIOS writes), the POST code
// port (80h), the exit port of test kernels (F4h, "isa-debug-exit") and the panic port (505h, QEMU's pvpanic
// specification). Only the POST code is state.

import { z } from 'zod';
import { type Disposable, DisposableStore } from '../../base/disposable.ts';
import type { PortBus } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import { u8 } from './state-fields.ts';

const VERSION = 1;
const schema = z.strictObject({ postCode: u8 });

const DEBUG_CONSOLE = 0xe9;
const FIRMWARE_CONSOLE = 0x402;
const POST_CODE = 0x80;
const DEBUG_EXIT = 0xf4;
const PANIC = 0x505;
/** What a read of the debug console gives, so that guests can tell that it is there. */
const PRESENT = 0xe9;
export const PVPANIC_PANICKED = 0x01;
export const PVPANIC_CRASH_LOADED = 0x02;

export interface DebugPortsOptions {
  readonly id?: string | undefined;
  /** A byte for the debug console. */
  readonly onDebugByte?: ((byte: number) => void) | undefined;
  /** The guest reported that it crashed: PVPANIC_* bits. */
  readonly onPanic?: ((events: number) => void) | undefined;
  /** Present only when the exit port is wanted; gets the value written. */
  readonly onExit?: ((value: number) => void) | undefined;
}

export class DebugPorts implements Device {
  readonly id: string;
  private readonly options: DebugPortsOptions;
  /** Last value of port 80h. */
  postCode = 0;

  constructor(options: DebugPortsOptions) {
    this.id = options.id ?? 'debug-ports';
    this.options = options;
  }

  attach(ports: PortBus): Disposable {
    const store = new DisposableStore();
    const { onDebugByte, onPanic, onExit } = this.options;
    for (const port of [DEBUG_CONSOLE, FIRMWARE_CONSOLE]) {
      store.add(
        ports.register(port, 1, {
          readPort: () => PRESENT,
          writePort: (_offset, _size, value) => onDebugByte?.(value),
        }),
      );
    }
    store.add(
      ports.register(POST_CODE, 1, {
        readPort: () => this.postCode,
        writePort: (_offset, _size, value) => {
          this.postCode = value;
        },
      }),
    );
    store.add(
      ports.register(PANIC, 1, {
        readPort: () => PVPANIC_PANICKED | PVPANIC_CRASH_LOADED,
        writePort: (_offset, _size, value) => onPanic?.(value),
      }),
    );
    // QEMU's port takes accesses of up to four bytes; test kernels use all of them.
    if (onExit !== undefined)
      store.add(
        ports.register(
          DEBUG_EXIT,
          4,
          { readPort: () => 0, writePort: (offset, _size, value) => (offset === 0 ? onExit(value) : undefined) },
          4,
        ),
      );
    return store;
  }

  reset(): void {
    this.postCode = 0;
  }

  save(): DeviceState {
    return { version: VERSION, fields: { postCode: this.postCode } };
  }

  load(state: DeviceState): void {
    this.postCode = parseState(this.id, state, VERSION, schema).postCode;
  }

  dispose(): void {}
}
