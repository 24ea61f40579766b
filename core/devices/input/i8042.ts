// The PC's 8042 keyboard controller at 60h/64h with a keyboard and a mouse (IBM PS/2 Technical Reference; Intel UPI-42).
// Not emulated: the password security commands beyond "not installed", the diagnostic dump, line errors and timeouts.

import { z } from 'zod';
import type { Clock, Timer } from '../../base/clock.ts';
import { type Disposable, DisposableStore } from '../../base/disposable.ts';
import { type Logger, nullLogger } from '../../base/logger.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { PortBus } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../device.ts';
import { bytes, deadlineNs, flag, timeNs, u8 } from '../platform/state-fields.ts';
import { parseState } from '../state.ts';
import * as R from './i8042-registers.ts';
import { Ps2Keyboard, ps2KeyboardSchema } from './ps2-keyboard.ts';
import { Ps2Mouse, ps2MouseSchema } from './ps2-mouse.ts';
import { TRANSLATION } from './scancodes.ts';

const VERSION = 1;
/**
 * Time between taking one byte and getting the next. On the wire a byte takes about 1 ms; programs rely on reading the
 * same byte twice in one interrupt (a resident program, then the BIOS).
 */
const BYTE_GAP_NS = 250_000;

type Source = 'keyboard' | 'mouse';

const schema = z.strictObject({
  ram: bytes(32),
  output: u8,
  outputFull: flag,
  outputFromMouse: flag,
  waiting: u8.nullable(),
  waitingFromMouse: flag,
  lastWriteWasCommand: flag,
  pendingCommand: u8,
  outputPort: u8,
  releaseSeen: flag,
  nextByteNs: timeNs,
  byteDeadline: deadlineNs,
  keyboard: ps2KeyboardSchema,
  mouse: ps2MouseSchema,
});

export interface I8042Options {
  readonly id?: string | undefined;
  readonly clock: Clock;
  readonly irq1: IrqLine;
  readonly irq12: IrqLine;
  /** The gate of address line 20 was set through the controller. */
  readonly onA20: (enabled: boolean) => void;
  /** The guest pulsed the reset line. */
  readonly onReset: () => void;
  /** Bits: 0 Scroll Lock, 1 Num Lock, 2 Caps Lock. */
  readonly onLeds?: ((leds: number) => void) | undefined;
  readonly log?: Logger | undefined;
}

export class I8042 implements Device {
  readonly id: string;
  readonly keyboard: Ps2Keyboard;
  readonly mouse: Ps2Mouse;
  private readonly clock: Clock;
  private readonly irq1: IrqLine;
  private readonly irq12: IrqLine;
  private readonly onA20: (enabled: boolean) => void;
  private readonly onReset: () => void;
  private readonly log: Logger;
  private readonly byteTimer: Timer;
  /** Byte 0 is the command byte (the mode). */
  private readonly ram = new Uint8Array(32);
  private output = 0;
  private outputFull = false;
  private outputSource: Source = 'keyboard';
  /** A byte of the controller itself that waits for the output buffer. */
  private waiting: number | null = null;
  private waitingSource: Source = 'keyboard';
  private lastWriteWasCommand = false;
  /** The command whose parameter comes next through port 60h, or 0. */
  private pendingCommand = 0;
  private outputPort = R.OUTPUT_NO_RESET | R.OUTPUT_A20;
  /** Translation saw a release prefix and owes it to the next code. */
  private releaseSeen = false;
  private nextByteNs = 0;

  constructor(options: I8042Options) {
    this.id = options.id ?? 'i8042';
    this.clock = options.clock;
    this.irq1 = options.irq1;
    this.irq12 = options.irq12;
    this.onA20 = options.onA20;
    this.onReset = options.onReset;
    this.log = (options.log ?? nullLogger).child(this.id);
    this.byteTimer = options.clock.createTimer(`${this.id}.byte`, () => this.pump());
    this.keyboard = new Ps2Keyboard({
      name: `${this.id}.keyboard`,
      clock: options.clock,
      onData: () => this.pump(),
      onLeds: options.onLeds,
    });
    this.mouse = new Ps2Mouse({ name: `${this.id}.mouse`, clock: options.clock, onData: () => this.pump() });
    this.ram[0] = R.MODE_DEFAULT;
  }

  /** `code` is a DOM KeyboardEvent.code; unknown ones are ignored. */
  keyEvent(code: string, down: boolean): void {
    this.keyboard.keyEvent(code, down);
  }

  /** Positive dx = right, dy = down, dz = wheel towards the user. */
  mouseMove(dx: number, dy: number, dz: number): void {
    this.mouse.move(dx, dy, dz);
  }

  /** Bit 0 left, 1 right, 2 middle, 3 and 4 side buttons. */
  mouseButtons(mask: number): void {
    this.mouse.setButtons(mask);
  }

  /** Sets the mode that a BIOS leaves behind, for kernels that are started without one. */
  applyFirmwareSetup(): void {
    this.ram[0] = R.MODE_KEYBOARD_IRQ | R.MODE_MOUSE_IRQ | R.MODE_SYSTEM | R.MODE_TRANSLATE;
    this.driveIrqs();
  }

  /** Another source (port 92h) moved the A20 gate: the output port's bit follows. */
  noteA20(enabled: boolean): void {
    this.outputPort = enabled ? this.outputPort | R.OUTPUT_A20 : this.outputPort & ~R.OUTPUT_A20;
  }

  attach(ports: PortBus): Disposable {
    const store = new DisposableStore();
    store.add(
      ports.register(0x60, 1, {
        readPort: () => this.readData(),
        writePort: (_offset, _size, value) => this.writeData(value),
      }),
    );
    store.add(
      ports.register(0x64, 1, {
        readPort: () => this.readStatus(),
        writePort: (_offset, _size, value) => this.writeCommand(value),
      }),
    );
    return store;
  }

  reset(): void {
    this.keyboard.reset();
    this.mouse.reset();
    this.byteTimer.disarm();
    this.ram.fill(0);
    this.ram[0] = R.MODE_DEFAULT;
    this.output = 0;
    this.outputFull = false;
    this.outputSource = 'keyboard';
    this.waiting = null;
    this.waitingSource = 'keyboard';
    this.lastWriteWasCommand = false;
    this.pendingCommand = 0;
    this.releaseSeen = false;
    this.nextByteNs = 0;
    this.outputPort = R.OUTPUT_NO_RESET | R.OUTPUT_A20;
    this.driveIrqs();
    this.onA20(true);
  }

  save(): DeviceState {
    return {
      version: VERSION,
      fields: {
        ram: this.ram.slice(),
        output: this.output,
        outputFull: this.outputFull,
        outputFromMouse: this.outputSource === 'mouse',
        waiting: this.waiting,
        waitingFromMouse: this.waitingSource === 'mouse',
        lastWriteWasCommand: this.lastWriteWasCommand,
        pendingCommand: this.pendingCommand,
        outputPort: this.outputPort,
        releaseSeen: this.releaseSeen,
        nextByteNs: this.nextByteNs,
        byteDeadline: this.byteTimer.deadlineNs ?? null,
        keyboard: this.keyboard.save(),
        mouse: this.mouse.save(),
      },
    };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    this.ram.set(fields.ram);
    this.output = fields.output;
    this.outputFull = fields.outputFull;
    this.outputSource = fields.outputFromMouse ? 'mouse' : 'keyboard';
    this.waiting = fields.waiting;
    this.waitingSource = fields.waitingFromMouse ? 'mouse' : 'keyboard';
    this.lastWriteWasCommand = fields.lastWriteWasCommand;
    this.pendingCommand = fields.pendingCommand;
    this.outputPort = (fields.outputPort & R.OUTPUT_A20) | R.OUTPUT_NO_RESET;
    this.releaseSeen = fields.releaseSeen;
    this.nextByteNs = fields.nextByteNs;
    if (fields.byteDeadline === null) this.byteTimer.disarm();
    else this.byteTimer.arm(fields.byteDeadline);
    this.keyboard.load(fields.keyboard);
    this.mouse.load(fields.mouse);
    this.driveIrqs();
    this.onA20((this.outputPort & R.OUTPUT_A20) !== 0);
  }

  dispose(): void {
    this.byteTimer.disarm();
    this.keyboard.dispose();
    this.mouse.dispose();
  }

  private get mode(): number {
    return this.ram[0] ?? 0;
  }

  private readStatus(): number {
    return (
      R.STATUS_UNLOCKED |
      (this.outputFull ? R.STATUS_OUTPUT_FULL : 0) |
      (this.outputFull && this.outputSource === 'mouse' ? R.STATUS_AUX_DATA : 0) |
      (this.lastWriteWasCommand ? R.STATUS_COMMAND : 0) |
      ((this.mode & R.MODE_SYSTEM) !== 0 ? R.STATUS_SYSTEM : 0)
    );
  }

  private readData(): number {
    const value = this.output;
    if (this.outputFull) {
      this.outputFull = false;
      this.nextByteNs = this.clock.nowNs() + BYTE_GAP_NS;
      this.driveIrqs();
      this.pump();
    }
    return value;
  }

  private writeData(value: number): void {
    this.lastWriteWasCommand = false;
    const command = this.pendingCommand;
    this.pendingCommand = 0;
    if (command >= 0x60 && command < 0x80) {
      this.ram[command & 0x1f] = value;
      if (command === 0x60) this.modeChanged();
      return;
    }
    switch (command) {
      case 0xd1:
        this.writeOutputPort(value);
        break;
      case 0xd2:
        this.respond(value, 'keyboard');
        break;
      case 0xd3:
        this.respond(value, 'mouse');
        break;
      case 0xd4:
        // Talking to a device turns its clock on again.
        this.ram[0] = this.mode & ~R.MODE_MOUSE_OFF;
        this.mouse.receive(value);
        break;
      default:
        this.ram[0] = this.mode & ~R.MODE_KEYBOARD_OFF;
        this.releaseSeen = false;
        this.keyboard.receive(value);
    }
    this.pump();
  }

  private writeCommand(value: number): void {
    this.lastWriteWasCommand = true;
    this.pendingCommand = 0;
    if (value >= 0x20 && value < 0x40) this.respond(this.ram[value & 0x1f] ?? 0, 'keyboard');
    else if (value >= 0x60 && value < 0x80) this.pendingCommand = value;
    else if (value >= 0xf0) {
      // Pulses the output lines whose bits are 0; only bit 0 is wired, to the CPU's reset.
      if ((value & 1) === 0) this.onReset();
    } else this.runCommand(value);
  }

  private runCommand(value: number): void {
    switch (value) {
      case 0xa1:
        this.respond(0, 'keyboard');
        break;
      case 0xa4:
        // F1 = no password is installed.
        this.respond(0xf1, 'keyboard');
        break;
      case 0xa7:
        this.ram[0] = this.mode | R.MODE_MOUSE_OFF;
        break;
      case 0xa8:
        this.ram[0] = this.mode & ~R.MODE_MOUSE_OFF;
        this.pump();
        break;
      case 0xa9:
      case 0xab:
        this.respond(0, 'keyboard');
        break;
      case 0xaa:
        this.ram[0] = this.mode | R.MODE_SYSTEM;
        this.respond(0x55, 'keyboard');
        break;
      case 0xad:
        this.ram[0] = this.mode | R.MODE_KEYBOARD_OFF;
        break;
      case 0xae:
        this.ram[0] = this.mode & ~R.MODE_KEYBOARD_OFF;
        this.pump();
        break;
      case 0xc0:
        this.respond(R.INPUT_PORT, 'keyboard');
        break;
      case 0xd0:
        this.respond(this.readOutputPort(), 'keyboard');
        break;
      case 0xd1:
      case 0xd2:
      case 0xd3:
      case 0xd4:
        this.pendingCommand = value;
        break;
      case 0xdd:
      case 0xdf:
        this.writeOutputPort(value === 0xdf ? this.outputPort | R.OUTPUT_A20 : this.outputPort & ~R.OUTPUT_A20);
        break;
      case 0xe0:
        this.respond(0, 'keyboard');
        break;
      default:
        this.log.log('debug', 'unknown controller command', { value });
    }
  }

  private modeChanged(): void {
    this.driveIrqs();
    this.pump();
  }

  private readOutputPort(): number {
    const mouse = this.outputSource === 'mouse';
    return R.OUTPUT_ONES | this.outputPort | (this.outputFull ? (mouse ? 0x20 : 0x10) : 0);
  }

  private writeOutputPort(value: number): void {
    this.outputPort = (value & R.OUTPUT_A20) | R.OUTPUT_NO_RESET;
    this.onA20((value & R.OUTPUT_A20) !== 0);
    if ((value & R.OUTPUT_NO_RESET) === 0) this.onReset();
  }

  /** A byte of the controller itself; a guest that does not fetch one before asking for the next loses it. */
  private respond(value: number, source: Source): void {
    this.waiting = value;
    this.waitingSource = source;
    this.pump();
  }

  /** Fills the output buffer with the next byte, if it is free and the next one is due. */
  private pump(): void {
    if (this.outputFull) return;
    if (this.waiting !== null) {
      const value = this.waiting;
      this.waiting = null;
      this.fill(value, this.waitingSource);
      return;
    }
    const keyboardReady = (this.mode & R.MODE_KEYBOARD_OFF) === 0 && this.keyboard.hasData;
    const mouseReady = (this.mode & R.MODE_MOUSE_OFF) === 0 && this.mouse.hasData;
    if (!keyboardReady && !mouseReady) return;
    if (this.clock.nowNs() < this.nextByteNs) {
      this.byteTimer.arm(this.nextByteNs);
      return;
    }
    if (keyboardReady && this.fillFromKeyboard()) return;
    if (mouseReady) this.fill(this.mouse.take(), 'mouse');
  }

  /** @returns false when the keyboard had nothing but a release prefix, which translation swallows */
  private fillFromKeyboard(): boolean {
    while (this.keyboard.hasData) {
      const value = this.keyboard.take();
      if ((this.mode & R.MODE_TRANSLATE) === 0) {
        this.fill(value, 'keyboard');
        return true;
      }
      if (value === R.RELEASE) {
        this.releaseSeen = true;
        continue;
      }
      const translated = TRANSLATION[value] ?? value;
      const release = this.releaseSeen ? 0x80 : 0;
      this.releaseSeen = false;
      this.fill(translated | release, 'keyboard');
      return true;
    }
    return false;
  }

  private fill(value: number, source: Source): void {
    this.output = value;
    this.outputFull = true;
    this.outputSource = source;
    this.byteTimer.disarm();
    this.driveIrqs();
  }

  private driveIrqs(): void {
    const fromMouse = this.outputSource === 'mouse';
    this.irq1.set(this.outputFull && !fromMouse && (this.mode & R.MODE_KEYBOARD_IRQ) !== 0);
    this.irq12.set(this.outputFull && fromMouse && (this.mode & R.MODE_MOUSE_IRQ) !== 0);
  }
}
