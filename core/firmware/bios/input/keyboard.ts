// INT 9 (translation of scan codes into the keyboard buffer, shift states, special keys) and INT 16h. The stub in ROM reads
// the scan code and calls INT 15h/4Fh first. Not emulated: typematic rate (16h/03h is accepted), the error beep.

import type { BiosContext } from '../context.ts';
import { BDA } from '../data-area.ts';
import { FLAG_INTERRUPT, type Frame } from '../frame.ts';
import {
  ACTION_DONE,
  ACTION_HALT,
  KEY_CALL_BREAK,
  KEY_CALL_PRINT_SCREEN,
  KEY_CALL_SYSTEM_REQUEST_DOWN,
  KEY_CALL_SYSTEM_REQUEST_UP,
  KEY_PAUSE,
  KEY_RESET,
} from '../rom/trap.ts';
import { EXTENDED_KEYS, keypadDigit, type KeyCodes, KEYS } from './key-table.ts';

/** 40:17 */
const RIGHT_SHIFT = 0x01;
const LEFT_SHIFT = 0x02;
const CTRL = 0x04;
const ALT = 0x08;
const SCROLL = 0x10;
const NUM = 0x20;
const CAPS = 0x40;
const INSERT = 0x80;
/** 40:18 */
const LEFT_CTRL = 0x01;
const LEFT_ALT = 0x02;
const SYSTEM_REQUEST = 0x04;
const PAUSED = 0x08;
/** 40:96 */
const LAST_E1 = 0x01;
const LAST_E0 = 0x02;
const RIGHT_CTRL = 0x04;
const RIGHT_ALT = 0x08;
const ENHANCED = 0x10;
/** 40:97 */
const LED_MASK = 0x07;
const LED_SENT = 0x20;
const LED_COMMAND = 0x40;

const KEYBOARD_ACK = 0xfa;
const KEYBOARD_RESEND = 0xfe;
const COMMAND_LEDS = 0xed;
const WARM_BOOT = 0x1234;
/** More codes than any buffer in segment 40h holds in practice. */
const MAX_KEYS = 256;

const DATA_PORT = 0x60;
const MASTER_PIC_MASK = 0x21;

/** Polls of an empty buffer that follow each other this closely do nothing else in between. */
const TIGHT_POLL_NS = 40_000;
/** So many of them are a program that idles; once it is known to, fewer are enough. */
const IDLE_POLLS = 1000;
const IDLE_POLLS_AGAIN = 960;
/** A late poll counts against idling, but interrupts and a busy host make some late. */
const LATE_POLL_COST = 20;

export class Keyboard {
  private readonly bios: BiosContext;
  private readonly idle = { polls: 0, lastNs: 0, halted: false };

  constructor(bios: BiosContext) {
    this.bios = bios;
  }

  /** Where the idle detection is, for saved states: it decides what the guest's next instructions are. */
  get idleState(): { readonly polls: number; readonly lastNs: number; readonly halted: boolean } {
    return { ...this.idle };
  }

  set idleState(state: { readonly polls: number; readonly lastNs: number; readonly halted: boolean }) {
    Object.assign(this.idle, state);
  }

  reset(): void {
    this.idleState = { polls: 0, lastNs: 0, halted: false };
  }

  /** Data area at POST. */
  initialize(): void {
    const { mem } = this.bios;
    mem.write8(BDA.KEY_SHIFT, 0);
    mem.write8(BDA.KEY_SHIFT2, 0);
    mem.write8(BDA.ALT_INPUT, 0);
    mem.write16(BDA.KEY_HEAD, 0x1e);
    mem.write16(BDA.KEY_TAIL, 0x1e);
    mem.write16(BDA.KEY_START, 0x1e);
    mem.write16(BDA.KEY_END, 0x3e);
    mem.write8(BDA.KEY_MODE, ENHANCED);
    mem.write8(BDA.KEY_LEDS, 0);
    mem.write8(BDA.BREAK_FLAG, 0);
  }

  /** IRQ1: `scanCode` as INT 15h/4Fh left it. @returns the stub's action */
  interrupt(scanCode: number): number {
    const { mem } = this.bios;
    if (scanCode === KEYBOARD_ACK || scanCode === KEYBOARD_RESEND) {
      this.acknowledge(scanCode === KEYBOARD_ACK);
      return ACTION_DONE;
    }
    const mode = mem.read8(BDA.KEY_MODE);
    if (scanCode === 0xe0) {
      mem.write8(BDA.KEY_MODE, mode | LAST_E0);
      return ACTION_DONE;
    }
    if (scanCode === 0xe1) {
      mem.write8(BDA.KEY_MODE, mode | LAST_E1);
      return ACTION_DONE;
    }
    if ((mode & LAST_E1) !== 0) return this.pauseSequence(scanCode, mode);
    mem.write8(BDA.KEY_MODE, mode & ~LAST_E0);
    const released = (scanCode & 0x80) !== 0;
    const action = this.key(scanCode & 0x7f, released, (mode & LAST_E0) !== 0);
    this.updateLeds();
    return action;
  }

  /** Pause sends E1 1D 45 E1 9D C5 as one burst. */
  private pauseSequence(scanCode: number, mode: number): number {
    const { mem } = this.bios;
    if ((scanCode & 0x7f) === 0x1d) return ACTION_DONE;
    mem.write8(BDA.KEY_MODE, mode & ~(LAST_E1 | LAST_E0));
    return scanCode === 0x45 ? this.pause() : ACTION_DONE;
  }

  private pause(): number {
    const { mem } = this.bios;
    mem.write8(BDA.KEY_SHIFT2, mem.read8(BDA.KEY_SHIFT2) | PAUSED);
    return KEY_PAUSE;
  }

  private key(scan: number, released: boolean, extended: boolean): number {
    switch (scan) {
      case 0x2a:
      case 0x36:
        // E0 2A and E0 36 are fake shifts around the grey keys.
        if (!extended) this.setBits(BDA.KEY_SHIFT, scan === 0x2a ? LEFT_SHIFT : RIGHT_SHIFT, !released);
        return ACTION_DONE;
      case 0x1d:
        return this.ctrl(released, extended);
      case 0x38:
        return this.alt(released, extended);
      case 0x3a:
        return this.toggle(CAPS, released);
      case 0x45:
        return this.numLock(released, extended);
      case 0x46:
        return this.scrollLock(released, extended);
      case 0x54:
        this.setBits(BDA.KEY_SHIFT2, SYSTEM_REQUEST, !released);
        return released ? KEY_CALL_SYSTEM_REQUEST_UP : KEY_CALL_SYSTEM_REQUEST_DOWN;
      default:
        break;
    }
    if (released) {
      if (scan === 0x52) this.setBits(BDA.KEY_SHIFT2, INSERT, false);
      return ACTION_DONE;
    }
    return this.pressed(scan, extended);
  }

  private setBits(address: number, bits: number, on: boolean): void {
    const { mem } = this.bios;
    const old = mem.read8(address);
    mem.write8(address, on ? old | bits : old & ~bits);
  }

  private ctrl(released: boolean, extended: boolean): number {
    const { mem } = this.bios;
    if (extended) this.setBits(BDA.KEY_MODE, RIGHT_CTRL, !released);
    else this.setBits(BDA.KEY_SHIFT2, LEFT_CTRL, !released);
    const held = (mem.read8(BDA.KEY_SHIFT2) & LEFT_CTRL) !== 0 || (mem.read8(BDA.KEY_MODE) & RIGHT_CTRL) !== 0;
    this.setBits(BDA.KEY_SHIFT, CTRL, held);
    return ACTION_DONE;
  }

  private alt(released: boolean, extended: boolean): number {
    const { mem } = this.bios;
    if (extended) this.setBits(BDA.KEY_MODE, RIGHT_ALT, !released);
    else this.setBits(BDA.KEY_SHIFT2, LEFT_ALT, !released);
    const held = (mem.read8(BDA.KEY_SHIFT2) & LEFT_ALT) !== 0 || (mem.read8(BDA.KEY_MODE) & RIGHT_ALT) !== 0;
    this.setBits(BDA.KEY_SHIFT, ALT, held);
    if (!held) {
      const typed = mem.read8(BDA.ALT_INPUT);
      mem.write8(BDA.ALT_INPUT, 0);
      if (typed !== 0) this.store(typed);
    }
    return ACTION_DONE;
  }

  private toggle(bit: number, released: boolean): number {
    const { mem } = this.bios;
    const pressed = mem.read8(BDA.KEY_SHIFT2);
    if (released) mem.write8(BDA.KEY_SHIFT2, pressed & ~bit);
    else if ((pressed & bit) === 0) {
      // Held keys repeat; only the first make code toggles.
      mem.write8(BDA.KEY_SHIFT2, pressed | bit);
      mem.write8(BDA.KEY_SHIFT, mem.read8(BDA.KEY_SHIFT) ^ bit);
    }
    return ACTION_DONE;
  }

  private numLock(released: boolean, extended: boolean): number {
    if (extended) return ACTION_DONE;
    if (!released && (this.bios.mem.read8(BDA.KEY_SHIFT) & CTRL) !== 0) return this.pause();
    return this.toggle(NUM, released);
  }

  private scrollLock(released: boolean, extended: boolean): number {
    const { mem } = this.bios;
    const breaks = extended || (mem.read8(BDA.KEY_SHIFT) & CTRL) !== 0;
    if (!breaks) return this.toggle(SCROLL, released);
    if (released) return ACTION_DONE;
    // Ctrl-Break: empties the buffer, leaves a zero in it and calls INT 1Bh.
    const start = mem.read16(BDA.KEY_START);
    mem.write8(BDA.BREAK_FLAG, 0x80);
    mem.write16(BDA.KEY_HEAD, start);
    mem.write16(BDA.KEY_TAIL, start);
    this.store(0);
    return KEY_CALL_BREAK;
  }

  private pressed(scan: number, extended: boolean): number {
    const { mem } = this.bios;
    const shifts = mem.read8(BDA.KEY_SHIFT);
    if (scan === 0x53 && (shifts & (CTRL | ALT)) === (CTRL | ALT)) {
      mem.write16(BDA.RESET_FLAG, WARM_BOOT);
      return KEY_RESET;
    }
    if ((mem.read8(BDA.KEY_SHIFT2) & PAUSED) !== 0) {
      this.setBits(BDA.KEY_SHIFT2, PAUSED, false);
      return ACTION_DONE;
    }
    if (scan === 0x37 && extended) {
      if ((shifts & CTRL) !== 0) this.store(0x7200);
      else return KEY_CALL_PRINT_SCREEN;
      return ACTION_DONE;
    }
    const codes = extended ? (EXTENDED_KEYS.get(scan) ?? KEYS.get(scan)) : KEYS.get(scan);
    if (codes === undefined) return ACTION_DONE;
    const code = this.translate(codes, scan, shifts);
    if (scan === 0x52 && code >> 8 === 0x52 && (code & 0xff) % 0xe0 === 0) this.insert();
    if (code !== 0) this.store(code);
    return ACTION_DONE;
  }

  private insert(): void {
    const { mem } = this.bios;
    if ((mem.read8(BDA.KEY_SHIFT2) & INSERT) !== 0) return;
    this.setBits(BDA.KEY_SHIFT2, INSERT, true);
    mem.write8(BDA.KEY_SHIFT, mem.read8(BDA.KEY_SHIFT) ^ INSERT);
  }

  private translate(codes: KeyCodes, scan: number, shifts: number): number {
    const { mem } = this.bios;
    if ((shifts & ALT) !== 0) {
      const digit = codes.kind === 'keypad' ? keypadDigit(scan) : -1;
      if (digit >= 0) mem.write8(BDA.ALT_INPUT, mem.read8(BDA.ALT_INPUT) * 10 + digit);
      return codes.alt;
    }
    if ((shifts & CTRL) !== 0) return codes.ctrl;
    let shifted = (shifts & (LEFT_SHIFT | RIGHT_SHIFT)) !== 0;
    if (codes.kind === 'letter' && (shifts & CAPS) !== 0) shifted = !shifted;
    if (codes.kind === 'keypad' && (shifts & NUM) !== 0) shifted = !shifted;
    return shifted ? codes.shift : codes.plain;
  }

  /** Puts a code into the buffer. @returns false when it is full */
  store(code: number): boolean {
    const { mem } = this.bios;
    const tail = mem.read16(BDA.KEY_TAIL);
    const next = tail + 2 >= mem.read16(BDA.KEY_END) ? mem.read16(BDA.KEY_START) : tail + 2;
    if (next === mem.read16(BDA.KEY_HEAD)) return false;
    mem.write16(0x400 + tail, code);
    mem.write16(BDA.KEY_TAIL, next);
    return true;
  }

  /** Sends the lock states to the keyboard when they differ from its lights. */
  private updateLeds(): void {
    const { mem, ports } = this.bios;
    const wanted = (mem.read8(BDA.KEY_SHIFT) >> 4) & LED_MASK;
    const leds = mem.read8(BDA.KEY_LEDS);
    if ((leds & LED_MASK) === wanted || (leds & (LED_COMMAND | LED_SENT)) !== 0) return;
    mem.write8(BDA.KEY_LEDS, leds | LED_COMMAND);
    ports.write(DATA_PORT, 1, COMMAND_LEDS);
  }

  private acknowledge(accepted: boolean): void {
    const { mem, ports } = this.bios;
    const leds = mem.read8(BDA.KEY_LEDS);
    const wanted = (mem.read8(BDA.KEY_SHIFT) >> 4) & LED_MASK;
    if ((leds & LED_COMMAND) !== 0 && accepted) {
      mem.write8(BDA.KEY_LEDS, LED_SENT | wanted);
      ports.write(DATA_PORT, 1, wanted);
    } else if ((leds & (LED_COMMAND | LED_SENT)) !== 0) {
      mem.write8(BDA.KEY_LEDS, leds & LED_MASK);
    }
  }

  /** INT 16h. */
  handle(frame: Frame): number {
    const { mem } = this.bios;
    switch (frame.ah) {
      case 0x00:
      case 0x10:
        return this.readKey(frame, frame.ah === 0x10);
      case 0x01:
      case 0x11:
        return this.peekKey(frame, frame.ah === 0x11);
      case 0x02:
        frame.al = mem.read8(BDA.KEY_SHIFT);
        return ACTION_DONE;
      case 0x03:
        return ACTION_DONE;
      case 0x05:
        frame.al = this.store(frame.cx) ? 0 : 1;
        return ACTION_DONE;
      case 0x09:
        // Functions 10h-12h and 0Ah are there.
        frame.al = 0x30;
        return ACTION_DONE;
      case 0x0a:
        frame.bx = 0x41ab;
        return ACTION_DONE;
      case 0x12: {
        const second = mem.read8(BDA.KEY_SHIFT2);
        frame.al = mem.read8(BDA.KEY_SHIFT);
        frame.ah =
          (second & 0x73) | ((second & SYSTEM_REQUEST) << 5) | (mem.read8(BDA.KEY_MODE) & (RIGHT_CTRL | RIGHT_ALT));
        return ACTION_DONE;
      }
      case 0x92:
        // How DOS keyboard drivers ask whether functions 10h-12h exist.
        frame.ah = 0x80;
        return ACTION_DONE;
      default:
        return ACTION_DONE;
    }
  }

  private head(): number | undefined {
    const { mem } = this.bios;
    const head = mem.read16(BDA.KEY_HEAD);
    return head === mem.read16(BDA.KEY_TAIL) ? undefined : head;
  }

  private drop(head: number): void {
    const { mem } = this.bios;
    mem.write16(BDA.KEY_HEAD, head + 2 >= mem.read16(BDA.KEY_END) ? mem.read16(BDA.KEY_START) : head + 2);
  }

  /** The next code for the caller; codes that the old functions do not know are thrown away for them. */
  private next(enhanced: boolean): { head: number; code: number } | undefined {
    // The pointers are the guest's and may never meet.
    for (let count = 0; count < MAX_KEYS; count++) {
      const head = this.head();
      if (head === undefined) return undefined;
      const raw = this.bios.mem.read16(0x400 + head);
      const code = enhanced ? raw : classicCode(raw);
      if (code !== undefined) return { head, code };
      this.drop(head);
    }
    return undefined;
  }

  private readKey(frame: Frame, enhanced: boolean): number {
    const found = this.next(enhanced);
    if (found === undefined) return ACTION_HALT;
    this.drop(found.head);
    frame.ax = found.code;
    return ACTION_DONE;
  }

  /**
   * Many DOS programs wait by asking for a key in a tight loop, which would keep a host processor busy. After a while each
   * run of polls ends with waiting for the next interrupt: at most one timer tick.
   */
  private isIdle(frame: Frame): boolean {
    const { idle } = this;
    const now = this.bios.clock.nowNs();
    const tight = now - idle.lastNs < TIGHT_POLL_NS;
    idle.lastNs = now;
    if (idle.halted) {
      idle.halted = false;
      return false;
    }
    idle.polls = tight ? idle.polls + 1 : Math.max(0, idle.polls - LATE_POLL_COST);
    if (idle.polls < IDLE_POLLS) return false;
    // Without interrupts, or without the timer, nothing might wake it.
    if ((frame.flags & FLAG_INTERRUPT) === 0 || (this.bios.ports.read(MASTER_PIC_MASK, 1) & 1) !== 0) return false;
    idle.polls = IDLE_POLLS_AGAIN;
    idle.halted = true;
    return true;
  }

  private peekKey(frame: Frame, enhanced: boolean): number {
    const found = this.next(enhanced);
    if (found === undefined && this.isIdle(frame)) return ACTION_HALT;
    frame.zero = found === undefined;
    if (found !== undefined) frame.ax = found.code;
    return ACTION_DONE;
  }
}

/** A code as the 84-key functions give it, undefined for keys that only the enhanced keyboard has. */
function classicCode(code: number): number | undefined {
  const [scan, ascii] = [code >> 8, code & 0xff];
  if (scan === 0xe0) return ascii === 0x2f ? 0x352f : 0x1c00 | ascii;
  if (ascii === 0xe0 && scan !== 0) return code & 0xff00;
  if (ascii === 0 && scan > 0x84) return undefined;
  return code;
}
