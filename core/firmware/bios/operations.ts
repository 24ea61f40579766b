// Requests of BIOS services that take time (disk, pointing device, waits). The stub's frame carries a handle while one is
// under way. A handle that is not known (a restored machine) starts the service anew: registers are untouched until the end.

import type { IoScheduler } from '../../bus/io-scheduler.ts';
import type { Frame } from './frame.ts';
import { ACTION_PENDING } from './rom/trap.ts';

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

interface Operation {
  readonly ready: () => boolean;
  readonly finish: (frame: Frame) => number;
  /** Action for the stub while it is not ready. */
  readonly waiting: () => number;
  cancel: () => void;
}

/** Calls of interrupted programs may nest, but not deeply. */
const MAX_OPERATIONS = 32;

export class OperationTable {
  private readonly operations = new Map<number, Operation>();
  private readonly io: IoScheduler;
  private readonly yieldCpu: () => void;
  private next = 1;

  constructor(io: IoScheduler, yieldCpu: () => void) {
    this.io = io;
    this.yieldCpu = yieldCpu;
  }

  private add(frame: Frame, operation: Operation): void {
    do this.next = (this.next % 255) + 1;
    while (this.operations.has(this.next));
    this.operations.set(this.next, operation);
    frame.handle = this.next;
  }

  /**
   * Starts host work for the service of `frame`; `finish` runs when the stub asks again after it is done.
   * @param latencyNs virtual time that it takes in deterministic mode
   * @param full gives the answer when too many requests are open
   * @returns the action for the stub
   */
  start<T>(
    frame: Frame,
    latencyNs: number,
    work: () => Promise<T>,
    finish: (frame: Frame, outcome: Outcome<T>) => number,
    full: () => number,
  ): number {
    if (this.operations.size >= MAX_OPERATIONS) return full();
    let outcome: Outcome<T> | undefined;
    const operation: Operation = {
      ready: () => outcome !== undefined,
      finish: (later) => finish(later, outcome as Outcome<T>),
      waiting: () => ACTION_PENDING,
      cancel: () => undefined,
    };
    this.add(frame, operation);
    const handle = this.io.submit(
      work,
      (value) => (outcome = { ok: true, value }),
      (error) => (outcome = { ok: false, error }),
      latencyNs,
    );
    operation.cancel = () => handle.cancel();
    this.yieldCpu();
    return ACTION_PENDING;
  }

  /**
   * Asks `ready` now and each time the stub comes back; `finish` runs once it said true.
   * @param waiting the stub's action until then
   */
  poll(
    frame: Frame,
    ready: () => boolean,
    finish: (frame: Frame) => number,
    full: () => number,
    waiting: () => number = () => ACTION_PENDING,
  ): number {
    if (ready()) return finish(frame);
    if (this.operations.size >= MAX_OPERATIONS) return full();
    this.add(frame, { ready, finish, waiting, cancel: () => undefined });
    return waiting();
  }

  /** Goes on with the request of `frame`; undefined when it has none. */
  resume(frame: Frame): number | undefined {
    const handle = frame.handle;
    if (handle === 0) return undefined;
    const operation = this.operations.get(handle);
    if (operation !== undefined && !operation.ready()) {
      this.yieldCpu();
      return operation.waiting();
    }
    this.operations.delete(handle);
    frame.handle = 0;
    return operation?.finish(frame);
  }

  /** Forgets everything: the machine was reset or another state was loaded. */
  clear(): void {
    for (const operation of this.operations.values()) operation.cancel();
    this.operations.clear();
  }
}
