// Which mode a vCPU is in, as far as KVMs differ in what they run, and how long to stay with the interpreter after a
// hand-off.

import type { RegisterFile } from '../software/vcpu-state.ts';
import { SREGS } from './ioctl.ts';
import type { KvmCore } from './kvm-core.ts';
import type { KvmProbe, ModeSupport } from './kvm-probe.ts';
import type { TrialMode } from './mode-trials.ts';
import { AT } from './vcpu-file.ts';

const CR0_PE = 1;
const CR0_PG = 0x8000_0000;
const EFER_LMA = 0x400;
const FLAG_VM = 0x2_0000;
const ACCESS_L = 0x2000;
const CS = 1;

function modeFrom(cr0: number, efer: number, flags: number, cpl: number, longCode: boolean): TrialMode {
  if ((cr0 & CR0_PE) === 0) return 'real';
  if ((flags & FLAG_VM) !== 0) return 'virtual8086';
  if ((cr0 & CR0_PG) === 0) return 'protected';
  if ((efer & EFER_LMA) === 0) return 'paging32';
  // Compatibility mode is interpreted where kernel code is.
  return cpl === 3 && longCode ? 'long-user' : 'long';
}

export function modeOfSoftware(file: RegisterFile): TrialMode {
  return modeFrom(file.get32('CR0'), file.get32('EFER'), file.get32('EFLAGS_SYSTEM'), file.get32('CPL'), (file.get32('SEG_ACCESS', CS) & ACCESS_L) !== 0);
}

export function modeOfKvm(core: KvmCore): TrialMode {
  const sregs = core.sregs();
  const cr0 = sregs.getUint32(AT.SREGS + SREGS.CR0, true);
  const efer = sregs.getUint32(AT.SREGS + SREGS.EFER, true);
  const flags = core.regs().getUint32(AT.REGS + 136, true);
  return modeFrom(cr0, efer, flags, sregs.getUint8(AT.SREGS + SREGS.SS + 16) & 3, sregs.getUint8(AT.SREGS + SREGS.CS + 19) !== 0);
}

/** `when-needed`: the interpreter does only what KVM cannot; `when-faster`: also what this KVM interprets itself. */
export type HandOffPolicy = 'when-needed' | 'when-faster';

export function belongsToKvm(probe: KvmProbe, policy: HandOffPolicy, mode: TrialMode): boolean {
  const support: ModeSupport = probe.modes[mode].support;
  return support === 'native' || (support === 'emulated' && policy === 'when-needed');
}

/** True when every mode runs on the processor, as with hardware virtualization. */
export function isFullKvm(probe: KvmProbe): boolean {
  return Object.values(probe.modes).every((mode) => mode.support === 'native');
}

const SHORTEST = 2000;
const LONGEST = 1 << 25;
/** KVM has proved useful after running this long without a hand-off. */
const USEFUL_NS = 300_000;

/** Instructions to interpret before KVM is tried again: doubles while tries are in vain. */
export class BackOff {
  private length = 0;

  get instructions(): number {
    return this.length;
  }

  /** A hand-off after so many nanoseconds in KVM. */
  handedOff(nanoseconds: number): void {
    if (nanoseconds >= USEFUL_NS) this.length = SHORTEST;
    else this.length = Math.min(LONGEST, Math.max(SHORTEST, this.length * 2));
  }

  reset(): void {
    this.length = 0;
  }
}

/** Counts hand-offs to the interpreter, for statistics. */
export class HandOffLog {
  private count = 0;
  private readonly reasons = new Map<string, number>();

  note(reason: string): void {
    this.count++;
    this.add(reason);
  }

  /** KVM did not take a state: the interpreter goes on. */
  noteRefusal(what: string): void {
    this.add(`refused: ${what}`);
  }

  private add(reason: string): void {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }

  counts(): Record<string, number> {
    return { handOffs: this.count, ...Object.fromEntries([...this.reasons].map(([name, count]) => [`handOff: ${name}`, count])) };
  }
}
