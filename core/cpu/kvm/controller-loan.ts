// The board's interrupt controllers on loan to the kernel: while the guest runs in KVM, the kernel's 8259s, I/O APIC and
// local APIC stand for the board's. They go there before KVM is entered and come back whenever anybody else needs them: the
// interpreter, firmware, a pause, a saved state. So there is one state, in the board's form.

import type { Logger } from '../../base/logger.ts';
import type { CpuState } from '../contract.ts';
import {
  APIC_CURRENT_COUNT, APIC_DIVIDE, APIC_INITIAL_COUNT, APIC_IRR, APIC_LVT, APIC_PPR, type IoApicFields, type LocalApicFields, type PicChipFields, TIMER_MODE_SHIFT, TSC_DEADLINE,
  divisorOf, localApicFromKvm, picOutput, picsUnacknowledged, timeOfTsc, tscDeadlineNs,
} from './irqchip-state.ts';
import { KernelApic, kernelApicOf } from './kernel-apic.ts';
import type { KernelIrqchip } from './kernel-irqchip.ts';
import type { KvmCore } from './kvm-core.ts';

export interface ControllerState {
  readonly pics: readonly [PicChipFields, PicChipFields];
  readonly ioApic: IoApicFields;
  /** One a processor. */
  readonly localApics: readonly LocalApicFields[];
}

/** Who runs the board's controllers for a time. */
export interface ControllerBorrower {
  /** Drives input 0..23: an ISA interrupt below 16. */
  setLine(gsi: number, level: boolean): void;
  /** Somebody needs the controllers: calls takeBack() of the board. */
  giveBack(): void;
}

/** The board's side of the loan. */
export interface BoardControllers {
  /** From now on the borrower gets what wires say, and the board's own controllers stand still. */
  lend(borrower: ControllerBorrower): ControllerState;
  /** The board's controllers go on from here. */
  takeBack(state: ControllerState): void;
  /** The processor idles in the borrower's hands: at this virtual time it must be run again; undefined = a wire wakes it. */
  wakeAt(nowNs: number | undefined): void;
}

export interface ControllerLoanOptions {
  readonly board: BoardControllers;
  readonly irqchip: KernelIrqchip;
  readonly core: KvmCore;
  /** Virtual nanoseconds. */
  readonly readNs: () => number;
  /** Of the guest's counter. */
  readonly tscHz: number;
  readonly log: Logger;
}

const LVT_MASKED = 0x1_0000;

/** Of the only processor. */
function ownApic({ localApics }: ControllerState): LocalApicFields {
  return localApics[0] as LocalApicFields;
}

export class ControllerLoan implements ControllerBorrower {
  private readonly options: ControllerLoanOptions;
  private readonly apic: KernelApic;
  /** What was lent, while it is. */
  private lent: ControllerState | undefined;
  /** The last idle wait found a one-shot timer run out, and its interrupt was looked for since. */
  private lookedAgain = false;
  private refusalTold = false;
  /** Times that the controllers went to the kernel. */
  count = 0;

  constructor(options: ControllerLoanOptions) {
    this.options = options;
    this.apic = new KernelApic(options.core.file, options.core.state);
  }

  /** Before KVM is entered. */
  begin(): void {
    if (this.lent !== undefined) return;
    const { board, irqchip, log, readNs } = this.options;
    this.lent = board.lend(this);
    this.count++;
    irqchip.writePics(this.lent.pics);
    irqchip.writeIoApic(this.lent.ioApic);
    const refused = this.apic.write(kernelApicOf(ownApic(this.lent), readNs()));
    if (refused === undefined || this.refusalTold) return;
    this.refusalTold = true;
    log.log('warn', `KVM refuses ${refused} of this machine; interrupts may go astray (--kvm-irqchip user avoids it)`);
  }

  giveBack(): void {
    const { lent } = this;
    if (lent === undefined) return;
    this.lent = undefined;
    const { board, irqchip, readNs } = this.options;
    const vector = this.apic.takeBackInterrupt();
    const read = irqchip.readPics(lent.pics);
    const pics = vector < 0 ? read : picsUnacknowledged(read, vector);
    const { page, extras } = this.apic.read();
    const nowNs = readNs();
    const localApic = localApicFromKvm(page, extras, nowNs, ownApic(lent), picOutput(pics[0]), (tsc) => this.tscToNs(tsc, nowNs));
    board.takeBack({ pics, ioApic: irqchip.readIoApic(), localApics: [localApic] });
  }

  private tscToNs(tsc: number, nowNs: number): number {
    return timeOfTsc(tsc, this.options.core.state.readTsc(), nowNs, this.options.tscHz);
  }

  setLine(gsi: number, level: boolean): void {
    this.options.irqchip.setLine(gsi, level);
  }

  activity(): CpuState['activity'] {
    return this.apic.activity();
  }

  setActivity(activity: CpuState['activity']): void {
    this.apic.setActivity(activity);
  }

  get isIdle(): boolean {
    return this.apic.activity() !== 'running';
  }

  /** The processor was found idle: tells the board when the kernel's timer will want it. */
  announceWake(): void {
    const { board, core, readNs } = this.options;
    const { page, extras } = this.apic.read();
    const view = new DataView(page.buffer);
    const entry = view.getUint32(APIC_LVT, true);
    const nowNs = readNs();
    if (core.interruptsOpen() && requests(view)) board.wakeAt(nowNs);
    else if ((entry & LVT_MASKED) !== 0) board.wakeAt(undefined);
    else if (((entry >>> TIMER_MODE_SHIFT) & 3) === TSC_DEADLINE) {
      board.wakeAt(tscDeadlineNs(extras, nowNs, (tsc) => this.tscToNs(tsc, nowNs)));
    } else {
      const count = view.getUint32(APIC_CURRENT_COUNT, true);
      const ranOut = count === 0 && view.getUint32(APIC_INITIAL_COUNT, true) !== 0;
      // It may have run out just now, with its interrupt to be found at the next entry; there is no other way to see that.
      if (count > 0) board.wakeAt(nowNs + count * divisorOf(view.getUint32(APIC_DIVIDE, true)));
      else board.wakeAt(ranOut && !this.lookedAgain ? nowNs : undefined);
      this.lookedAgain = ranOut && !this.lookedAgain;
      return;
    }
    this.lookedAgain = false;
  }
}

/** An interrupt that the processor would take: the end of its time came before the kernel had looked. */
function requests(page: DataView): boolean {
  for (let word = 7; word >= 0; word--) {
    const bits = page.getUint32(APIC_IRR + word * 16, true);
    if (bits !== 0) return (word * 32 + 31 - Math.clz32(bits)) >> 4 > page.getUint32(APIC_PPR, true) >> 4;
  }
  return false;
}
