// A PS/2 keyboard (enhanced, 101 to 106 keys) behind its serial line: scan sets 1-3, typematic repetition, all commands
// of the IBM PS/2 Technical Reference. Not emulated: line errors, overrun codes (a key that finds no room is ignored whole).

import { z } from 'zod';
import type { Clock, Timer } from '../../base/clock.ts';
import { bytesUpTo, bytes, deadlineNs, flag, u8 } from '../platform/state-fields.ts';
import { ByteQueue } from './byte-queue.ts';
import { breakSequence, makeSequence, type Modifiers } from './key-sequences.ts';
import { isKeyCode, KEY_CODES, type KeyCode, SCAN_CODES } from './scancodes.ts';

const ACK = 0xfa;
const RESEND = 0xfe;
const ECHO = 0xee;
const SELF_TEST_PASSED = 0xaa;
/** Real keyboards take 300 to 500 ms; guests only need it to come after the ACK. */
const SELF_TEST_NS = 5_000_000;
const QUEUE_BYTES = 128;
const REPLY_BYTES = 8;
/** Repetitions are only sent while the guest keeps up. */
const REPEAT_QUEUE_LIMIT = 8;
const MAX_SEQUENCE = 8;
const DEFAULT_TYPEMATIC = 0x2b;

/** Key behaviour in scan set 3. */
const SENDS_BREAK = 1;
const REPEATS = 2;

export const ps2KeyboardSchema = z.strictObject({
  queue: bytesUpTo(QUEUE_BYTES),
  replies: bytesUpTo(REPLY_BYTES),
  scanSet: z.int().min(1).max(3),
  scanning: flag,
  leds: z.int().min(0).max(7),
  typematic: z.int().min(0).max(0x7f),
  pendingCommand: u8,
  lastSent: u8,
  keysDown: z.array(z.enum(KEY_CODES)).max(KEY_CODES.length),
  keyTypes: bytes(256),
  repeating: z.enum(KEY_CODES).nullable(),
  repeatDeadline: deadlineNs,
  selfTestDeadline: deadlineNs,
});
export type Ps2KeyboardState = z.infer<typeof ps2KeyboardSchema>;

export interface Ps2KeyboardOptions {
  readonly name: string;
  readonly clock: Clock;
  /** The keyboard has bytes to send. */
  readonly onData: () => void;
  /** Bits: 0 Scroll Lock, 1 Num Lock, 2 Caps Lock. */
  readonly onLeds?: ((leds: number) => void) | undefined;
}

export class Ps2Keyboard {
  private readonly clock: Clock;
  private readonly onData: () => void;
  private readonly onLeds: ((leds: number) => void) | undefined;
  private readonly repeatTimer: Timer;
  private readonly selfTestTimer: Timer;
  private readonly queue = new ByteQueue(QUEUE_BYTES);
  private readonly replies = new ByteQueue(REPLY_BYTES);
  private readonly keysDown = new Set<KeyCode>();
  private readonly keyTypes = new Uint8Array(256);
  private scanSet = 2;
  private scanning = true;
  private leds = 0;
  private typematic = DEFAULT_TYPEMATIC;
  /** The command that waits for its parameter, or 0. */
  private pendingCommand = 0;
  private lastSent = 0;
  private repeating: KeyCode | null = null;

  constructor(options: Ps2KeyboardOptions) {
    this.clock = options.clock;
    this.onData = options.onData;
    this.onLeds = options.onLeds;
    this.repeatTimer = options.clock.createTimer(`${options.name}.repeat`, () => this.repeat());
    this.selfTestTimer = options.clock.createTimer(`${options.name}.self-test`, () => this.reply(SELF_TEST_PASSED));
    this.setDefaults();
  }

  /** A key of the real keyboard went down or up. Repetitions by the host are ignored: this keyboard makes its own. */
  keyEvent(code: string, down: boolean): void {
    if (!isKeyCode(code)) return;
    if (down) this.press(code);
    else this.release(code);
  }

  /** Lets go of all keys, as when the window loses the focus. */
  releaseAll(): void {
    for (const code of [...this.keysDown]) this.release(code);
  }

  /** Bytes that the guest has not taken yet: a source of typed text waits until it is small. */
  get pendingBytes(): number {
    return this.queue.length + this.replies.length;
  }

  get hasData(): boolean {
    return this.replies.length > 0 || this.queue.length > 0;
  }

  /** The next byte for the controller. Replies to commands go before scan codes. */
  take(): number {
    this.lastSent = this.replies.length > 0 ? this.replies.shift() : this.queue.shift();
    return this.lastSent;
  }

  /** A byte from the controller. */
  receive(value: number): void {
    this.selfTestTimer.disarm();
    const command = this.pendingCommand;
    this.pendingCommand = 0;
    // Receiving a byte ends what the keyboard was answering.
    this.replies.clear();
    if (command !== 0 && this.receiveParameter(command, value)) return;
    this.receiveCommand(value);
  }

  reset(): void {
    this.queue.clear();
    this.replies.clear();
    this.keysDown.clear();
    this.selfTestTimer.disarm();
    this.scanning = true;
    this.pendingCommand = 0;
    this.lastSent = 0;
    this.setLeds(0);
    this.setDefaults();
  }

  save(): Ps2KeyboardState {
    return {
      queue: this.queue.toBytes(),
      replies: this.replies.toBytes(),
      scanSet: this.scanSet,
      scanning: this.scanning,
      leds: this.leds,
      typematic: this.typematic,
      pendingCommand: this.pendingCommand,
      lastSent: this.lastSent,
      keysDown: [...this.keysDown],
      keyTypes: this.keyTypes.slice(),
      repeating: this.repeating,
      repeatDeadline: this.repeatTimer.deadlineNs ?? null,
      selfTestDeadline: this.selfTestTimer.deadlineNs ?? null,
    };
  }

  load(state: Ps2KeyboardState): void {
    this.queue.setBytes(state.queue);
    this.replies.setBytes(state.replies);
    this.scanSet = state.scanSet;
    this.scanning = state.scanning;
    this.setLeds(state.leds);
    this.typematic = state.typematic;
    this.pendingCommand = state.pendingCommand;
    this.lastSent = state.lastSent;
    this.keysDown.clear();
    for (const code of state.keysDown) this.keysDown.add(code);
    this.keyTypes.set(state.keyTypes.map((type) => type & (SENDS_BREAK | REPEATS)));
    this.repeating = state.repeating;
    rearm(this.repeatTimer, state.repeating === null ? null : state.repeatDeadline);
    rearm(this.selfTestTimer, state.selfTestDeadline);
  }

  dispose(): void {
    this.repeatTimer.disarm();
    this.selfTestTimer.disarm();
  }

  private get modifiers(): Modifiers {
    const down = this.keysDown;
    return {
      shift: down.has('ShiftLeft') || down.has('ShiftRight'),
      control: down.has('ControlLeft') || down.has('ControlRight'),
      alt: down.has('AltLeft') || down.has('AltRight'),
    };
  }

  private press(code: KeyCode): void {
    if (this.keysDown.has(code)) return;
    if (this.scanning) {
      const bytesToSend = makeSequence(code, this.scanSet, this.modifiers);
      // Room for the break codes of all keys that are down is kept, so that no key ever stays down for the guest.
      const reserved = (this.keysDown.size + 1) * MAX_SEQUENCE;
      if (bytesToSend.length + Math.min(reserved, QUEUE_BYTES / 2) > this.queue.room) return;
      this.send(bytesToSend);
    }
    this.keysDown.add(code);
    const repeats = this.scanning && code !== 'Pause' && (this.typeOf(code) & REPEATS) !== 0;
    this.repeating = repeats ? code : null;
    if (repeats) this.repeatTimer.arm(this.clock.nowNs() + this.repeatDelayNs());
    else this.repeatTimer.disarm();
  }

  private release(code: KeyCode): void {
    if (!this.keysDown.delete(code)) return;
    if (this.repeating === code) this.stopRepeating();
    if (this.scanning && (this.typeOf(code) & SENDS_BREAK) !== 0) {
      this.send(breakSequence(code, this.scanSet, this.modifiers));
    }
  }

  private repeat(): void {
    if (this.repeating === null) return;
    if (this.queue.length < REPEAT_QUEUE_LIMIT) this.send(makeSequence(this.repeating, this.scanSet, this.modifiers));
    this.repeatTimer.arm(this.clock.nowNs() + this.repeatPeriodNs());
  }

  private stopRepeating(): void {
    this.repeating = null;
    this.repeatTimer.disarm();
  }

  private repeatDelayNs(): number {
    return ((this.typematic >> 5) + 1) * 250_000_000;
  }

  /** (8 + A) * 2^B * 1/240 s, A = bits 2-0, B = bits 4-3. */
  private repeatPeriodNs(): number {
    return Math.round(((8 + (this.typematic & 7)) * (1 << ((this.typematic >> 3) & 3)) * 1e9) / 240);
  }

  private typeOf(code: KeyCode): number {
    return this.scanSet === 3 ? (this.keyTypes[SCAN_CODES[code].set3] ?? 0) : SENDS_BREAK | REPEATS;
  }

  private send(sequence: readonly number[]): void {
    if (sequence.length === 0 || sequence.length > this.queue.room) return;
    for (const byte of sequence) this.queue.push(byte);
    this.onData();
  }

  private reply(...values: number[]): void {
    for (const value of values) this.replies.push(value);
    this.onData();
  }

  /** Bit 0 scroll lock, 1 num lock, 2 caps lock, as command EDh sets them. */
  get lights(): number {
    return this.leds;
  }

  private setLeds(leds: number): void {
    this.leds = leds;
    this.onLeds?.(leds);
  }

  /** F5h, F6h and reset: everything but the LEDs and whether keys are scanned. */
  private setDefaults(): void {
    this.scanSet = 2;
    this.typematic = DEFAULT_TYPEMATIC;
    this.stopRepeating();
    this.keyTypes.fill(0);
    for (const code of KEY_CODES) this.keyTypes[SCAN_CODES[code].set3] = defaultType(code);
  }

  private receiveCommand(value: number): void {
    switch (value) {
      case 0xee:
        this.reply(ECHO);
        return;
      case 0xed:
      case 0xf0:
      case 0xf3:
      case 0xfb:
      case 0xfc:
      case 0xfd:
        this.pendingCommand = value;
        this.reply(ACK);
        return;
      case 0xf2:
        this.reply(ACK, 0xab, 0x83);
        return;
      case 0xf4:
        this.queue.clear();
        this.scanning = true;
        this.reply(ACK);
        return;
      case 0xf5:
      case 0xf6:
        this.queue.clear();
        this.scanning = value === 0xf6;
        this.setDefaults();
        this.reply(ACK);
        return;
      case 0xf7:
      case 0xf8:
      case 0xf9:
      case 0xfa:
        this.keyTypes.fill([REPEATS, SENDS_BREAK, 0, REPEATS | SENDS_BREAK][value - 0xf7] ?? 0);
        this.reply(ACK);
        return;
      case RESEND:
        this.reply(this.lastSent);
        return;
      case 0xff:
        this.queue.clear();
        this.scanning = true;
        this.setLeds(0);
        this.setDefaults();
        this.reply(ACK);
        this.selfTestTimer.arm(this.clock.nowNs() + SELF_TEST_NS);
        return;
      default:
        this.reply(RESEND);
    }
  }

  /** @returns false when `value` is no parameter but a new command */
  private receiveParameter(command: number, value: number): boolean {
    switch (command) {
      case 0xed:
        if (value > 0x7f) return false;
        this.setLeds(value & 7);
        this.reply(ACK);
        return true;
      case 0xf0:
        if (value === 0) this.reply(ACK, this.scanSet);
        else if (value <= 3) {
          this.scanSet = value;
          this.queue.clear();
          this.stopRepeating();
          this.reply(ACK);
        } else if (value >= 0xed) return false;
        else this.reply(RESEND);
        return true;
      case 0xf3:
        if (value > 0x7f) return false;
        this.typematic = value;
        this.reply(ACK);
        return true;
      default:
        // FBh-FDh take any number of set 3 codes, until a command ends the list.
        if (value >= 0xed) return false;
        this.keyTypes[value] = [REPEATS, SENDS_BREAK, 0][command - 0xfb] ?? 0;
        this.pendingCommand = command;
        this.reply(ACK);
        return true;
    }
  }
}

/** Set 3 after power-on: shift keys make/break, text and cursor keys typematic, the others make only. */
function defaultType(code: KeyCode): number {
  if (/^(Shift(Left|Right)|ControlLeft|AltLeft|CapsLock)$/.test(code)) return SENDS_BREAK;
  const typematic =
    /^(Key.|Digit.|Arrow.*|Backquote|Minus|Equal|Backspace|Tab|Bracket.*|Backslash|Semicolon|Quote|Enter)$/;
  return typematic.test(code) || /^(IntlBackslash|Comma|Period|Slash|Space|Delete)$/.test(code) ? REPEATS : 0;
}

function rearm(timer: Timer, deadline: number | null): void {
  if (deadline === null) timer.disarm();
  else timer.arm(deadline);
}
