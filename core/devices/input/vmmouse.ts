// The absolute pointer that PC guests know: VMware's mouse behind the "backdoor" port 5658h, as open-vm-tools' backdoor
// definitions and the drivers of Linux and X.org describe it. A guest's IN from that port is a call: registers carry command
// and answer. Packets wait in a queue; an empty packet of the PS/2 mouse tells the guest to look (IRQ 12).
// Of the backdoor only the version, and of the pointer only absolute packets are offered; relative motion stays PS/2.

import { z } from 'zod';
import type { Disposable } from '../../base/disposable.ts';
import type { PortBus } from '../../bus/port-bus.ts';
import { flag } from '../platform/state-fields.ts';
import type { Device, DeviceState } from '../device.ts';
import { parseState } from '../state.ts';

const VERSION = 1;
const PORT = 0x5658;
const MAGIC = 0x564d_5868;
const NO_ANSWER = 0xffff_ffff;

const COMMAND_VERSION = 10;
const COMMAND_POINTER_DATA = 39;
const COMMAND_POINTER_STATUS = 40;
const COMMAND_POINTER = 41;
const BACKDOOR_VERSION = 6;

const POINTER_ENABLE = 0x4541_4552;
const POINTER_DISABLE = 0xf5;
const POINTER_RELATIVE = 0x4c45_5252;
const POINTER_ABSOLUTE = 0x5342_4152;
/** First word after enabling. */
const POINTER_VERSION_ID = 0x3442_554a;
const STATUS_ERROR = 0xffff_0000;

const BUTTON_LEFT = 0x20;
const BUTTON_RIGHT = 0x10;
const BUTTON_MIDDLE = 0x08;
const POSITION_MAX = 0xffff;
const PACKET_WORDS = 4;
/** Later packets are dropped: the guest does not look. */
const QUEUE_WORDS_MAX = 256;

/** Numbers of the general registers as instructions encode them. */
const EAX = 0;
const ECX = 1;
const EDX = 2;
const EBX = 3;

const schema = z.strictObject({
  enabled: flag,
  absolute: flag,
  failed: flag,
  queue: z.array(z.int().min(0).max(0xffff_ffff)).max(QUEUE_WORDS_MAX),
});

/** The registers of the processor that is in the middle of an IN. */
export interface CallRegisters {
  get(index: number): number;
  set(index: number, value: number): void;
}

export interface VmMouseOptions {
  readonly registers: CallRegisters;
  /** Has the PS/2 mouse send an empty packet. */
  readonly notify: () => void;
}

export class VmMouse implements Device {
  readonly id = 'vmmouse';
  private readonly options: VmMouseOptions;
  private enabled = false;
  private absolute = false;
  /** The guest asked for words that are not there: everything starts anew. */
  private failed = false;
  private queue: number[] = [];

  constructor(options: VmMouseOptions) {
    this.options = options;
  }

  /** The guest takes positions: no need to capture the host's pointer. */
  get takesPositions(): boolean {
    return this.enabled && this.absolute && !this.failed;
  }

  /** @param x, y 0..1 of the screen. @param dz wheel, positive towards the user. @param buttons bit 0 left, 1 right, 2 middle */
  point(x: number, y: number, dz: number, buttons: number): void {
    if (!this.takesPositions || !Number.isFinite(x + y + dz) || this.queue.length + PACKET_WORDS > QUEUE_WORDS_MAX) return;
    const place = (share: number): number => Math.round(Math.min(1, Math.max(0, share)) * POSITION_MAX);
    const down = ((buttons & 1) !== 0 ? BUTTON_LEFT : 0) | ((buttons & 2) !== 0 ? BUTTON_RIGHT : 0) | ((buttons & 4) !== 0 ? BUTTON_MIDDLE : 0);
    this.queue.push(down, place(x), place(y), Math.min(127, Math.max(-128, Math.round(dz))) & 0xff);
    this.options.notify();
  }

  attach(ports: PortBus): Disposable {
    return ports.register(PORT, 4, { readPort: (offset, size) => (offset === 0 && size === 4 ? this.call() : NO_ANSWER >>> (32 - size * 8)), writePort: () => undefined }, 4);
  }

  /** @returns what the guest finds in EAX */
  private call(): number {
    const { registers } = this.options;
    // Anybody may read a port; only the magic number makes it a call.
    if (registers.get(EAX) >>> 0 !== MAGIC) return NO_ANSWER;
    const argument = registers.get(EBX) >>> 0;
    switch (registers.get(ECX) & 0xffff) {
      case COMMAND_VERSION:
        registers.set(EBX, MAGIC);
        return BACKDOOR_VERSION;
      case COMMAND_POINTER_STATUS:
        return this.failed ? STATUS_ERROR : this.queue.length;
      case COMMAND_POINTER_DATA:
        return this.data(argument);
      case COMMAND_POINTER:
        this.command(argument);
        return 0;
      default:
        return NO_ANSWER;
    }
  }

  /** Up to four words, in EAX, EBX, ECX and EDX. */
  private data(words: number): number {
    if (words === 0 || words > PACKET_WORDS || words > this.queue.length) {
      this.failed = true;
      this.queue = [];
      return NO_ANSWER;
    }
    const taken = this.queue.splice(0, words);
    const { registers } = this.options;
    for (const [index, register] of [EBX, ECX, EDX].entries()) registers.set(register, taken[index + 1] ?? 0);
    return taken[0] ?? 0;
  }

  private command(command: number): void {
    switch (command) {
      case POINTER_ENABLE:
        this.reset();
        this.enabled = true;
        this.queue.push(POINTER_VERSION_ID);
        break;
      case POINTER_DISABLE:
        this.reset();
        break;
      case POINTER_ABSOLUTE:
        this.absolute = true;
        break;
      case POINTER_RELATIVE:
        this.absolute = false;
        break;
      default:
    }
  }

  reset(): void {
    this.enabled = false;
    this.absolute = false;
    this.failed = false;
    this.queue = [];
  }

  save(): DeviceState {
    return { version: VERSION, fields: { enabled: this.enabled, absolute: this.absolute, failed: this.failed, queue: [...this.queue] } };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    this.enabled = fields.enabled;
    this.absolute = fields.absolute;
    this.failed = fields.failed;
    this.queue = fields.queue;
  }

  dispose(): void {
    this.queue = [];
  }
}
