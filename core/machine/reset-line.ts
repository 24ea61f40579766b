// The board's reset: asked for by devices, by a triple fault or by the user, done between two slices of the processor.

import type { Vcpu } from '../cpu/contract.ts';
import type { PcBoard } from './pc-board.ts';
import { processorsOf } from './processors.ts';

/** CMOS register that tells firmware why a reset happens (IBM AT, shutdown status byte). */
const SHUTDOWN_STATUS = 0x0f;
/** Jump with EOI, return from a block move, jump. */
const RETURNING_CODES = [0x05, 0x09, 0x0a];

export interface ResetLineOptions {
  readonly board: PcBoard;
  readonly vcpu: Vcpu;
  /** Brings the firmware's ROM back to what it was at power-on. */
  readonly restoreRom: () => void;
}

export class ResetLine {
  private readonly options: ResetLineOptions;
  private wanted = false;

  constructor(options: ResetLineOptions) {
    this.options = options;
  }

  get isWanted(): boolean {
    return this.wanted;
  }

  request(): void {
    this.wanted = true;
    this.options.vcpu.requestYield();
  }

  /** A triple fault resets a PC. Programs use that on purpose: with a shutdown code in CMOS, or with an empty IDT. */
  isIntended(): boolean {
    const { board, vcpu } = this.options;
    const states = processorsOf(vcpu).map((processor) => processor.getState());
    const failed = states.find(({ activity }) => activity === 'shutdown') ?? states[0];
    return board.rtc.getCmos(SHUTDOWN_STATUS) !== 0 || failed?.idtr.limit === 0;
  }

  /** Resets if that was asked for. @returns whether it was */
  performIfWanted(): boolean {
    if (!this.wanted) return false;
    this.wanted = false;
    const { board, vcpu, restoreRom } = this.options;
    vcpu.standStill?.();
    // Programs of the 286 come back from protected mode by a reset that firmware cuts short: the board keeps its state.
    if (RETURNING_CODES.includes(board.rtc.getCmos(SHUTDOWN_STATUS))) {
      vcpu.reset();
      return true;
    }
    board.reset('system');
    vcpu.reset();
    vcpu.setA20(true);
    restoreRom();
    return true;
  }
}
