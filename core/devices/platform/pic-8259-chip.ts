// One 8259A programmable interrupt controller as it sits in the PIIX3: edge or level by ELCR bit (LTIM is ignored),
// 8086 vectors only (Intel 8259A datasheet 231468). Not emulated: 8080 CALL mode, buffered mode pins.

import { z } from 'zod';
import { flag, u3, u8 } from './state-fields.ts';

const ICW1 = 0x10;
const ICW1_NEEDS_ICW4 = 0x01;
const ICW1_SINGLE = 0x02;
const ICW4_AUTO_EOI = 0x02;
const ICW4_FULLY_NESTED = 0x10;
const OCW3 = 0x08;
const OCW3_POLL = 0x04;
const NONE = 8;

export const pic8259ChipSchema = z.strictObject({
  irr: u8,
  imr: u8,
  isr: u8,
  lines: u8,
  elcr: u8,
  vectorBase: u8,
  icw3: u8,
  nextIcw: z.int().min(0).max(4),
  icw4Needed: flag,
  single: flag,
  autoEoi: flag,
  rotateOnAutoEoi: flag,
  fullyNested: flag,
  specialMask: flag,
  readIsr: flag,
  poll: flag,
  lowestPriority: u3,
});
export type Pic8259ChipState = z.infer<typeof pic8259ChipSchema>;

export interface Pic8259ChipOptions {
  /** The master treats IR2 specially in special fully nested mode: its slave may interrupt again. */
  readonly isMaster: boolean;
  /** ELCR bits that the board lets the guest set. */
  readonly elcrMask: number;
  /** Called when the INT output may have changed. */
  readonly onChange: () => void;
}

export class Pic8259Chip {
  /** The input that a slave is connected to, as a bit; 0 in a slave. */
  private readonly cascadeBit: number;
  private readonly elcrMask: number;
  private readonly onChange: () => void;
  private irr = 0;
  private imr = 0;
  private isr = 0;
  private lines = 0;
  private elcr = 0;
  private vectorBase = 0;
  private icw3 = 0;
  /** The initialisation word that the next write to the odd port is (2, 3, 4), or 0 in operation. */
  private nextIcw = 0;
  private icw4Needed = false;
  private single = false;
  private autoEoi = false;
  private rotateOnAutoEoi = false;
  private fullyNested = false;
  private specialMask = false;
  private readIsr = false;
  private poll = false;
  private lowestPriority = 7;

  constructor(options: Pic8259ChipOptions) {
    this.cascadeBit = options.isMaster ? 0x04 : 0;
    this.elcrMask = options.elcrMask;
    this.onChange = options.onChange;
  }

  /** Drives an IR input. */
  setLine(input: number, level: boolean): void {
    const bit = 1 << input;
    if (level === ((this.lines & bit) !== 0)) return;
    if (level) {
      this.lines |= bit;
      this.irr |= bit;
    } else {
      this.lines &= ~bit;
      // An edge stays latched, so that a short pulse loses nothing. The slave's INT is no such pulse: it follows.
      if (((this.elcr | this.cascadeBit) & bit) !== 0) this.irr &= ~bit;
    }
    this.onChange();
  }

  /** State of the INT output. */
  get interrupt(): boolean {
    return this.pendingInput() !== NONE;
  }

  /** The input that asks for service now and may interrupt what is in service, or 8. */
  pendingInput(): number {
    const requests = this.irr & ~this.imr;
    if (requests === 0) return NONE;
    const candidate = this.highest(requests);
    let inService = this.isr;
    if (this.specialMask) inService &= ~this.imr;
    if (this.fullyNested) inService &= ~this.cascadeBit;
    if (inService === 0) return candidate;
    return this.priorityOf(candidate) < this.priorityOf(this.highest(inService)) ? candidate : NONE;
  }

  /** INTA: puts the pending input in service and returns it; 8 = nothing was pending (the chip then answers as IR7). */
  takePending(): number {
    const input = this.pendingInput();
    if (input === NONE) return NONE;
    const bit = 1 << input;
    if ((this.elcr & bit) === 0) this.irr &= ~bit;
    if (!this.autoEoi) this.isr |= bit;
    else if (this.rotateOnAutoEoi) this.lowestPriority = input;
    return input;
  }

  vectorOf(input: number): number {
    return this.vectorBase | (input & 7);
  }

  readCommand(): number {
    if (this.poll) return this.readPoll();
    return this.readIsr ? this.isr : this.irr;
  }

  readData(): number {
    return this.poll ? this.readPoll() : this.imr;
  }

  writeCommand(value: number): void {
    if ((value & ICW1) !== 0) this.writeIcw1(value);
    else if ((value & OCW3) !== 0) this.writeOcw3(value);
    else this.writeOcw2(value);
    this.onChange();
  }

  writeData(value: number): void {
    switch (this.nextIcw) {
      case 0:
        this.imr = value;
        break;
      case 2:
        this.vectorBase = value & 0xf8;
        this.nextIcw = this.single ? (this.icw4Needed ? 4 : 0) : 3;
        break;
      case 3:
        this.icw3 = value;
        this.nextIcw = this.icw4Needed ? 4 : 0;
        break;
      default:
        this.autoEoi = (value & ICW4_AUTO_EOI) !== 0;
        this.fullyNested = (value & ICW4_FULLY_NESTED) !== 0;
        this.nextIcw = 0;
    }
    this.onChange();
  }

  readElcr(): number {
    return this.elcr;
  }

  writeElcr(value: number): void {
    this.elcr = value & this.elcrMask;
    // A level input asks as long as its line is high; what an edge latched on it before is gone.
    this.irr = (this.irr & ~this.elcr) | (this.lines & this.elcr);
    this.onChange();
  }

  /** Power-on: everything off, except what is on the input lines. */
  reset(): void {
    this.elcr = 0;
    this.icw3 = 0;
    this.vectorBase = 0;
    this.irr = 0;
    this.initialise();
    this.nextIcw = 0;
    this.icw4Needed = false;
    this.single = false;
    this.rotateOnAutoEoi = false;
    this.onChange();
  }

  save(): Pic8259ChipState {
    return {
      irr: this.irr,
      imr: this.imr,
      isr: this.isr,
      lines: this.lines,
      elcr: this.elcr,
      vectorBase: this.vectorBase,
      icw3: this.icw3,
      nextIcw: this.nextIcw,
      icw4Needed: this.icw4Needed,
      single: this.single,
      autoEoi: this.autoEoi,
      rotateOnAutoEoi: this.rotateOnAutoEoi,
      fullyNested: this.fullyNested,
      specialMask: this.specialMask,
      readIsr: this.readIsr,
      poll: this.poll,
      lowestPriority: this.lowestPriority,
    };
  }

  load(state: Pic8259ChipState): void {
    this.irr = state.irr;
    this.imr = state.imr;
    this.isr = state.isr;
    this.lines = state.lines;
    this.elcr = state.elcr & this.elcrMask;
    this.vectorBase = state.vectorBase & 0xf8;
    this.icw3 = state.icw3;
    this.nextIcw = state.nextIcw === 1 ? 0 : state.nextIcw;
    this.icw4Needed = state.icw4Needed;
    this.single = state.single;
    this.autoEoi = state.autoEoi;
    this.rotateOnAutoEoi = state.rotateOnAutoEoi;
    this.fullyNested = state.fullyNested;
    this.specialMask = state.specialMask;
    this.readIsr = state.readIsr;
    this.poll = state.poll;
    this.lowestPriority = state.lowestPriority;
  }

  private initialise(): void {
    // The edge latches are cleared: an input must rise again to interrupt. Level inputs go on asking.
    this.irr &= this.elcr;
    this.imr = 0;
    this.isr = 0;
    this.lowestPriority = 7;
    this.specialMask = false;
    this.readIsr = false;
    this.poll = false;
    this.autoEoi = false;
    this.fullyNested = false;
  }

  private writeIcw1(value: number): void {
    this.initialise();
    this.rotateOnAutoEoi = false;
    this.icw4Needed = (value & ICW1_NEEDS_ICW4) !== 0;
    this.single = (value & ICW1_SINGLE) !== 0;
    this.nextIcw = 2;
  }

  private writeOcw2(value: number): void {
    const level = value & 7;
    switch (value >> 5) {
      case 0:
        this.rotateOnAutoEoi = false;
        break;
      case 4:
        this.rotateOnAutoEoi = true;
        break;
      case 1:
      case 5: {
        // In special mask mode a masked in-service bit is out of reach of the non-specific EOI.
        const inService = this.specialMask ? this.isr & ~this.imr : this.isr;
        if (inService === 0) break;
        const input = this.highest(inService);
        this.isr &= ~(1 << input);
        if (value >> 5 === 5) this.lowestPriority = input;
        break;
      }
      case 3:
        this.isr &= ~(1 << level);
        break;
      case 6:
        this.lowestPriority = level;
        break;
      case 7:
        this.isr &= ~(1 << level);
        this.lowestPriority = level;
        break;
      default:
        break;
    }
  }

  private writeOcw3(value: number): void {
    if ((value & 0x40) !== 0) this.specialMask = (value & 0x20) !== 0;
    if ((value & OCW3_POLL) !== 0) this.poll = true;
    else if ((value & 0x02) !== 0) this.readIsr = (value & 0x01) !== 0;
  }

  /** The read after a poll command acts as INTA: bit 7 tells that an input asked, bits 2-0 which. */
  private readPoll(): number {
    this.poll = false;
    const input = this.takePending();
    this.onChange();
    return input === NONE ? 0x00 : 0x80 | input;
  }

  /** 0 = highest. Rotation makes the input after the lowest one the highest. */
  private priorityOf(input: number): number {
    return (input - this.lowestPriority - 1) & 7;
  }

  private highest(mask: number): number {
    const first = this.lowestPriority + 1;
    for (let i = 0; i < 8; i++) {
      const input = (first + i) & 7;
      if ((mask & (1 << input)) !== 0) return input;
    }
    return NONE;
  }
}
