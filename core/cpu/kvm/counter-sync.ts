// Keeps the guest's time-stamp counter in KVM on the machine's virtual time: it runs on in the host while the machine stands
// still.

import type { VcpuClock } from '../contract.ts';
import type { KvmCore } from './kvm-core.ts';

/** Differences between virtual and host time beyond this mean that the machine stood still. */
const CLOCK_JUMP_NS = 2000;
/** Differences beyond this are no drift, nor a host that was slow between two readings. */
const PAUSE_NS = 100_000;
/** Readings of counter and clock that are this near belong together; of worse ones, the best of a few is taken. */
const CLOSE_NS = 20_000;
const MOST_READINGS = 5;
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
  follow(core: KvmCore): void {
    if (this.stoodStillNs() > CLOCK_JUMP_NS) this.set(core);
    else if (this.options.readHostMs() - this.comparedMs > COMPARE_MS) this.compare(core);
  }

  /**
   * Gives KVM's counter the guest's value. It is not read back: each reading is a little late, and the machine's clock would
   * lose that much with every slice.
   */
  set(core: KvmCore): void {
    if (this.options.setsTsc) {
      core.state.writeTsc(this.options.clock.readTsc());
      this.comparedMs = this.options.readHostMs();
    } else this.compare(core);
  }

  /** Host time that has passed since the last run and not for the machine; Infinity when nothing is known of the counter. */
  private stoodStillNs(): number {
    const { readNs, readHostMs } = this.options;
    const ns = Math.abs(readNs() - this.lastNs - (readHostMs() - this.lastHostMs) * 1e6);
    return Number.isNaN(ns) ? Infinity : ns;
  }

  /** Timers, the interpreter and the guest's clock page go by what the guest sees. */
  compare(core: KvmCore): void {
    const { readNs, clock } = this.options;
    const jumped = this.stoodStillNs() > PAUSE_NS;
    let ticks = 0;
    let atNs = 0;
    // A host that does something else between two readings would make the guest's clock wrong by as much.
    for (let gap = Infinity, tries = 0; gap > CLOSE_NS && tries < MOST_READINGS; tries++) {
      const before = readNs();
      const read = core.state.readTsc();
      const after = readNs();
      if (after - before >= gap) continue;
      gap = after - before;
      ticks = read;
      atNs = before + Math.floor(gap / 2);
    }
    clock.counterIs?.(ticks, atNs, jumped);
    this.comparedMs = this.options.readHostMs();
  }
}
