// Suspects guests that get nowhere under KVM, which tells nobody of faults: one that is found at a few places only, slice
// after slice. Most of those wait for something; which of them fault for ever is for the interpreter to find out, so the suspicion
// costs little and grows rarer with each time that it was wrong.

/** A fault and the handler that comes back to it are shorter. */
const MOST_PLACES = 32;
const FIRST_NS = 1e9;
const LONGEST_NS = 64e9;

export class LostWatch {
  private readonly places: number[] = [];
  private stayedNs = 0;
  private limitNs = FIRST_NS;

  /**
   * Call after a slice that ended with its time.
   * @param place linear address of the next instruction
   * @param ns what the slice took
   */
  isSuspect(place: number, ns: number): boolean {
    if (!this.places.includes(place)) {
      if (this.places.length === MOST_PLACES) {
        this.places.length = 0;
        this.stayedNs = 0;
      }
      this.places.push(place);
    }
    this.stayedNs += ns;
    if (this.stayedNs < this.limitNs) return false;
    this.limitNs = Math.min(this.limitNs * 2, LONGEST_NS);
    this.places.length = 0;
    this.stayedNs = 0;
    return true;
  }

  /** The processor was reset or got another state. */
  forget(): void {
    this.places.length = 0;
    this.stayedNs = 0;
    this.limitNs = FIRST_NS;
  }
}

/** Instructions after which a guest on trial must have shown faults, and how long a trial takes at most. */
const FIRST_LOOK = 20_000;
const LONGEST_TRIAL = 1 << 24;
/** Instructions to a fault at most, of a guest that does nothing else. */
const INSTRUCTIONS_A_FAULT = 64;

/** A suspect's stay with the interpreter, which knows endless faults when it has seen enough of them (core/cpu/software/fault-watch.ts). */
export class Trial {
  private readonly readFaults: () => number;
  private readonly firstFault: number;

  /** @param readFaults count of delivered faults */
  constructor(readFaults: () => number) {
    this.readFaults = readFaults;
    this.firstFault = readFaults();
  }

  /** @param instructions that ran since it began */
  isOver(instructions: number): boolean {
    if (instructions < FIRST_LOOK) return false;
    const faults = this.readFaults() - this.firstFault;
    return instructions >= LONGEST_TRIAL || faults * INSTRUCTIONS_A_FAULT < instructions;
  }
}
