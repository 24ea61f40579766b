// System control port A at 92h (PS/2): fast gate A20 (bit 1) and fast CPU reset (bit 0).
// Not emulated: the activity light and the CMOS password lock; their bits only keep what is written.

import { z } from 'zod';
import type { Disposable } from '../../base/disposable.ts';
import type { PortBus } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import { u8 } from './state-fields.ts';

const VERSION = 1;
const RESET = 0x01;
const A20 = 0x02;
const schema = z.strictObject({ value: u8 });

export interface Port92Options {
  readonly id?: string | undefined;
  readonly onA20: (enabled: boolean) => void;
  readonly onReset: () => void;
}

export class Port92 implements Device {
  readonly id: string;
  private readonly onA20: (enabled: boolean) => void;
  private readonly onReset: () => void;
  private value = 0;

  constructor(options: Port92Options) {
    this.id = options.id ?? 'port92';
    this.onA20 = options.onA20;
    this.onReset = options.onReset;
  }

  attach(ports: PortBus): Disposable {
    return ports.register(0x92, 1, {
      readPort: () => this.value,
      writePort: (_offset, _size, value) => this.write(value),
    });
  }

  /** Another source (the keyboard controller) moved the gate: the readable bit follows. */
  noteA20(enabled: boolean): void {
    this.value = enabled ? this.value | A20 : this.value & ~A20;
  }

  reset(): void {
    this.value = 0;
  }

  save(): DeviceState {
    return { version: VERSION, fields: { value: this.value } };
  }

  load(state: DeviceState): void {
    this.value = parseState(this.id, state, VERSION, schema).value & ~RESET;
  }

  dispose(): void {}

  private write(value: number): void {
    const resetRises = (value & RESET) !== 0;
    this.value = value & ~RESET;
    this.onA20((value & A20) !== 0);
    if (resetRises) this.onReset();
  }
}
