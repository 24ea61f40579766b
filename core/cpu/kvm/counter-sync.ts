// Keeps KVM's clocks on the machine's virtual time: the guest's time-stamp counter, and the clock behind kvmclock. Both
// run on in the host while the machine stands still.

import type { VcpuClock } from '../contract.ts';
import type { KvmCore } from './kvm-core.ts';
import type { KvmVm } from './kvm-vm.ts';

/** Differences between virtual and host time beyond this mean that the machine stood still. */
const CLOCK_JUMP_NS = 2000;
/** How often KVM's counter is compared with virtual time. */
const COMPARE_MS = 1000;

export interface CounterSyncOptions {
  readonly clock: VcpuClock;
  readonly readHostMs: () => number;
  /** Virtual nanoseconds. */
  readonly readNs: () => number;
  /** False: guests see the host's counter, wherever it stands. */
  readonly setsTsc: boolean;
}

export class CounterSync {
  private readonly options: CounterSyncOptions;
  private comparedMs = 0;
  private lastNs = Number.NaN;
  private lastHostMs = 0;

  constructor(options: CounterSyncOptions) {
    this.options = options;
  }

  /** After each run: what passes from here on passes outside. */
  note(): void {
    this.lastNs = this.options.readNs();
    this.lastHostMs = this.options.readHostMs();
  }

  /** Another state was loaded: nothing is known of KVM's counter. */
  forget(): void {
    this.lastNs = Number.NaN;
  }

  /** Before each run: while the machine stood still, the processor's counter went on. It also drifts against other clocks. */
  follow(core: KvmCore, vm: KvmVm): void {
    const { readNs, readHostMs } = this.options;
    const hostMs = readHostMs();
    const jump = Math.abs(readNs() - this.lastNs - (hostMs - this.lastHostMs) * 1e6);
    if (jump > CLOCK_JUMP_NS || Number.isNaN(this.lastNs)) this.set(core, vm);
    else if (hostMs - this.comparedMs > COMPARE_MS) this.compare(core);
  }

  /**
   * Gives KVM's counter the guest's value. It is not read back: each reading is a little late, and the machine's clock would
   * lose that much with every slice.
   */
  set(core: KvmCore, vm: KvmVm): void {
    vm.setClock(this.options.readNs());
    if (this.options.setsTsc) {
      core.state.writeTsc(this.options.clock.readTsc());
      this.comparedMs = this.options.readHostMs();
    } else this.compare(core);
  }

  /** Timers and the interpreter go by what the guest sees. */
  compare(core: KvmCore): void {
    this.options.clock.counterIs?.(core.state.readTsc());
    this.comparedMs = this.options.readHostMs();
  }
}
