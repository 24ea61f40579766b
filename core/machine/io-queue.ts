// IoScheduler of a machine. Host clock: completions are delivered between CPU slices as soon as the host work is done.
// Instruction clock: each request completes at a virtual time fixed when it was made; the machine waits for the host
// there, so runs repeat exactly.

import type { NestboxError } from '../base/errors.ts';
import type { IoHandle, IoScheduler } from '../bus/io-scheduler.ts';

interface Request {
  readonly dueNs: number;
  readonly sequence: number;
  /** Resolves when the host work is done, well or badly; never rejects. */
  settled: Promise<void>;
  complete: (() => void) | undefined;
  cancelled: boolean;
}

export class IoQueue implements IoScheduler {
  private readonly outstanding: Request[] = [];
  private readonly ready: Request[] = [];
  private readonly nowNs: () => number;
  private readonly deterministic: boolean;
  private readonly wake: () => void;
  private sequence = 0;
  /** Why host work cannot end for now. */
  private blocked: NestboxError | undefined;
  private disturb: (() => void) | undefined;

  /** @param wake called (from the event loop) when a completion can be delivered */
  constructor(options: { nowNs: () => number; deterministic: boolean; wake: () => void }) {
    this.nowNs = options.nowNs;
    this.deterministic = options.deterministic;
    this.wake = options.wake;
  }

  submit<T>(work: () => Promise<T> | T, done: (result: T) => void, failed: (error: unknown) => void, latencyNs: number): IoHandle {
    const request: Request = {
      dueNs: this.nowNs() + latencyNs,
      sequence: this.sequence++,
      settled: Promise.resolve(),
      complete: undefined,
      cancelled: false,
    };
    this.outstanding.push(request);
    this.outstanding.sort((a, b) => a.dueNs - b.dueNs || a.sequence - b.sequence);
    request.settled = this.run(request, work, done, failed);
    return {
      cancel: () => {
        request.cancelled = true;
      },
    };
  }

  private async run<T>(request: Request, work: () => Promise<T> | T, done: (result: T) => void, failed: (error: unknown) => void): Promise<void> {
    try {
      const result = await work();
      request.complete = () => done(result);
    } catch (error) {
      request.complete = () => failed(error);
    }
    if (!this.deterministic) {
      this.ready.push(request);
      this.wake();
    }
  }

  get hasOutstanding(): boolean {
    return this.outstanding.length > 0;
  }

  /** Virtual time of the next completion with the instruction clock, else Infinity. */
  nextDueNs(): number {
    return this.deterministic ? (this.outstanding[0]?.dueNs ?? Infinity) : Infinity;
  }

  /** Host clock: runs the completions that have arrived. @returns how many */
  deliverReady(): number {
    let count = 0;
    for (let request = this.ready.shift(); request !== undefined; request = this.ready.shift()) {
      this.finish(request);
      count++;
    }
    return count;
  }

  /** Instruction clock: waits for and runs the completions that are due at `nowNs`. @returns false when interrupted */
  async deliverDue(nowNs: number): Promise<boolean> {
    for (let request = this.outstanding[0]; request !== undefined && request.dueNs <= nowNs; request = this.outstanding[0]) {
      if (!(await this.settles(request))) return false;
      this.finish(request);
    }
    return true;
  }

  /** Lets `deliverDue` return early: the machine is to stop. */
  interrupt(): void {
    this.disturb?.();
  }

  /** Host work stands still until `unblock`: whoever waits for all of it fails with `error`. */
  block(error: NestboxError): void {
    this.blocked = error;
    this.disturb?.();
  }

  unblock(): void {
    this.blocked = undefined;
  }

  /** False when it was disturbed before the request settled. */
  private async settles(request: Request): Promise<boolean> {
    const disturbed = new Promise<false>((resolve) => {
      this.disturb = () => resolve(false);
    });
    const result = await Promise.race([request.settled.then(() => true as const), disturbed]);
    this.disturb = undefined;
    return result;
  }

  /** Waits until nothing is under way, delivering everything: before a state is saved. @throws NestboxError what blocks it */
  async drain(): Promise<void> {
    while (this.outstanding.length > 0) {
      const request = this.outstanding[0];
      if (request === undefined) return;
      if (this.blocked !== undefined) throw this.blocked;
      if (!(await this.settles(request))) continue;
      if (!this.deterministic) this.ready.splice(this.ready.indexOf(request), 1);
      this.finish(request);
    }
  }

  private finish(request: Request): void {
    const index = this.outstanding.indexOf(request);
    if (index >= 0) this.outstanding.splice(index, 1);
    if (!request.cancelled) request.complete?.();
  }
}
