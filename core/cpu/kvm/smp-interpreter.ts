// Runs the single instructions that a KVM cannot, for several vCPUs over one memory. All others stand still meanwhile, so
// that an instruction with LOCK is one to them too. It sees no interrupt controllers, which are the kernel's; accesses to
// those KVM runs itself.

import { blockThread } from '../../base/blocking-sleep.ts';
import type { CpuState, Vcpu } from '../contract.ts';
import type { KvmSmp } from './kvm-smp.ts';

const CR0_PG = 0x8000_0000n;
/** What the others get at least between two instructions, so that one that spins cannot keep them from getting on. */
const FREE_MS = 0.2;

export class SmpInterpreter {
  private readonly smp: KvmSmp;
  private readonly software: Vcpu;
  private readonly readHostMs: () => number;
  private readonly counts: number[];
  private lastMs = 0;

  /**
   * @param software over the same memory; its interrupt controller never asks for anything
   * @param readHostMs monotonic milliseconds with fractions
   */
  constructor(smp: KvmSmp, software: Vcpu, readHostMs: () => number) {
    this.smp = smp;
    this.readHostMs = readHostMs;
    this.software = software;
    this.counts = smp.vcpus.map(() => 0);
  }

  countOf(index: number): number {
    return this.counts[index] ?? 0;
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /**
   * KVM stopped before an instruction that it does not know. @returns false when the interpreter gets nowhere either;
   * the others stand still until release()
   */
  runOne(index: number): boolean {
    const { smp } = this;
    const vcpu = smp.vcpus[index];
    if (vcpu === undefined) return false;
    if (smp.vcpus.length > 1 && this.readHostMs() - this.lastMs < FREE_MS) blockThread(FREE_MS);
    smp.hold();
    const owed = vcpu.owedInterrupt();
    const before = vcpu.read(0);
    const after = this.step(before);
    this.lastMs = this.readHostMs();
    this.counts[index] = this.countOf(index) + 1;
    if (after?.pendingDebug !== undefined || after === undefined || vcpu.write(after) !== undefined) return false;
    // The instruction may have changed page tables that KVM holds copies of.
    if ((after.cr0 & CR0_PG) !== 0n) smp.vm.forgetTranslations();
    // It was acknowledged before, and KVM still owes it to the guest.
    if (owed >= 0) vcpu.oweInterrupt(owed);
    return true;
  }

  private step(before: CpuState): CpuState | undefined {
    const { software } = this;
    software.setState(before);
    const exit = software.run(1);
    return exit === 'budget' || exit === 'halted' || exit === 'yield' ? software.getState() : undefined;
  }
}
