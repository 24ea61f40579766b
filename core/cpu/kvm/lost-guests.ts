// Finds guests under KVM that will never get anywhere: what runs through empty memory is seen from outside, endless faults the
// interpreter finds out on trial.

import { EmptyCodeWatch } from '../software/empty-code-watch.ts';
import { LostWatch, Trial } from './lost-watch.ts';

export interface LostGuestsOptions {
  /** Copies the bytes at the next instruction in KVM; false when they cannot be read. */
  readonly read: (target: Uint8Array) => boolean;
  /** Faults that the interpreter has delivered. */
  readonly readFaults: () => number;
}

export class LostGuests {
  private readonly options: LostGuestsOptions;
  private readonly lostWatch = new LostWatch();
  private readonly emptyCodeWatch: EmptyCodeWatch;
  private trial: Trial | undefined;
  /** The guest ran through nothing in KVM. */
  isLost = false;

  constructor(options: LostGuestsOptions) {
    this.options = options;
    this.emptyCodeWatch = new EmptyCodeWatch(options.read);
  }

  /**
   * After a slice that time ended.
   * @param place linear address of the next instruction
   * @returns `suspect`: it belongs to the interpreter, for a trial
   */
  afterSlice(place: number, ns: number): 'fine' | 'suspect' | 'lost' {
    if (this.lostWatch.isSuspect(place, ns)) return 'suspect';
    this.isLost = this.emptyCodeWatch.isLost();
    return this.isLost ? 'lost' : 'fine';
  }

  beginTrial(): void {
    this.trial = new Trial(this.options.readFaults);
  }

  /** @param instructions that the interpreter has run since the trial began */
  isOnTrial(instructions: number): boolean {
    if (this.trial?.isOver(instructions) === true) this.trial = undefined;
    return this.trial !== undefined;
  }

  /** The processor was reset or got another state. */
  forget(): void {
    this.isLost = false;
    this.trial = undefined;
    this.lostWatch.forget();
    this.emptyCodeWatch.forget();
  }
}
