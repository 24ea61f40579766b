// Finds guests that fault for ever without a triple fault: an instruction whose fault handler comes back to it, or a
// handler that faults itself, with nothing ever getting done (a jump into nothing with the BIOS' do-nothing handlers, say).
// A guest is suspected after a quarter of a million equal faults in a row, and found guilty only when single steps show that the
// instruction never completes. Faults that an operating system may well live with do not count: those of programs in
// user mode that can be interrupted. Page faults count as equal only at the same address.

import { offsetOf } from '../isa/layout.ts';
import type { RegisterFile } from './vcpu-state.ts';

/** Equal faults in a row that make a guest suspect. In real mode a stack that only grows comes round every 32,768 faults. */
const SUSPECT_AFTER = 1 << 18;
const SUSPECT_AT_MOST = 1 << 28;
/** Other faults that a cycle may contain. */
const CYCLE_FAULTS = 16;
/** The instruction must have failed this often in a row while it was watched. */
const FAILURES = 3;
const MOST_STEPS = 100_000;
const LOG_ENTRIES = 16;
const LOG_WORDS = 4;
const CS = 1;
const FLAG_IF = 0x200;
const VECTOR_PF = 14;
const USER = 3;

const CPL = offsetOf('CPL');
const EFLAGS = offsetOf('EFLAGS_SYSTEM');
const RIP = offsetOf('RIP');
const CS_SELECTOR = offsetOf('SEG_SELECTOR', CS);
const CR2 = offsetOf('CR2');
const LOG = offsetOf('FAULT_LOG');
const LOG_NEXT = offsetOf('FAULT_LOG_NEXT');

export class FaultWatch {
  /** The register file as words. */
  private readonly words: Uint32Array;
  // The fault that is counted.
  private vector = 0xffffffff;
  private code = 0;
  private cs = 0;
  private rip = 0;
  private addressLow = 0;
  private addressHigh = 0;

  private streak = 0;
  private others = 0;
  private limit = SUSPECT_AFTER;
  private harmless = false;
  private visiting = false;
  private failures = 0;
  private steps = 0;

  constructor(file: RegisterFile) {
    this.words = new Uint32Array(file.view.buffer, file.base, offsetOf('FAULT_LOG_NEXT') / 4 + 1);
  }

  private word(offset: number): number {
    return this.words[offset >> 2] ?? 0;
  }

  /** A fault is about to be delivered. */
  beforeDelivery(): void {
    this.harmless = this.word(CPL) === USER && (this.word(EFLAGS) & FLAG_IF) !== 0;
  }

  /** A fault has been delivered. */
  delivered(): void {
    if (this.harmless) {
      this.forget();
    } else if (this.isCounted(this.word(LOG_NEXT) - 1)) {
      this.streak++;
      this.others = 0;
    } else if (++this.others > CYCLE_FAULTS) {
      this.count(this.word(LOG_NEXT) - 1);
    }
  }

  /** Instructions that the next run may execute: one at a time when the guest is suspect. */
  budget(wanted: number): number {
    if (this.streak < this.limit) return wanted;
    this.visiting = this.word(RIP) === this.rip && this.word(CS_SELECTOR) === this.cs;
    return 1;
  }

  /**
   * Judges a run that had the budget of a suspect.
   * @param faults delivered in it
   * @param retired instructions that completed in it
   * @param interrupted whether it took an interrupt
   * @returns true when the guest will never get past the fault
   */
  isStuck(faults: number, retired: number, interrupted: boolean): boolean {
    if (this.streak < this.limit) return false;
    if (this.visiting) {
      if (faults > 0 && this.isCounted(this.word(LOG_NEXT) - Math.min(faults, LOG_ENTRIES))) {
        if (++this.failures >= FAILURES) return true;
      } else if (retired > 0 && !interrupted) {
        this.acquit();
        return false;
      }
    }
    if (++this.steps > MOST_STEPS) this.acquit();
    return false;
  }

  /** Where the guest is stuck, and why. */
  get verdict(): { readonly vector: number; readonly cs: number; readonly rip: bigint } {
    return { vector: this.vector, cs: this.cs, rip: BigInt(this.rip) };
  }

  /** The processor was reset or got another state. */
  forget(): void {
    this.streak = 0;
    this.others = CYCLE_FAULTS;
    this.failures = 0;
    this.steps = 0;
    this.vector = 0xffffffff;
  }

  /** It went on: the next suspicion needs more. */
  private acquit(): void {
    this.forget();
    this.limit = Math.min(this.limit * 4, SUSPECT_AT_MOST);
  }

  private isCounted(slot: number): boolean {
    const at = LOG + (slot & (LOG_ENTRIES - 1)) * LOG_WORDS * 4;
    return (
      this.word(at) === this.vector &&
      this.word(at + 4) === this.code &&
      this.word(at + 8) === this.cs &&
      this.word(at + 12) === this.rip &&
      (this.vector !== VECTOR_PF || (this.word(CR2) === this.addressLow && this.word(CR2 + 4) === this.addressHigh))
    );
  }

  private count(slot: number): void {
    const at = LOG + (slot & (LOG_ENTRIES - 1)) * LOG_WORDS * 4;
    this.forget();
    this.others = 0;
    this.vector = this.word(at);
    this.code = this.word(at + 4);
    this.cs = this.word(at + 8);
    this.rip = this.word(at + 12);
    this.addressLow = this.word(CR2);
    this.addressHigh = this.word(CR2 + 4);
  }
}
