// Finds guests that run through empty memory: zeros are instructions too (ADD [BX+SI],AL), so a jump into nothing may wrap
// round its segment for ever without a fault. The place is looked at now and then; programs are never found in zeros twice.

/** What a report says of such a guest. */
export const EMPTY_CODE = 'the guest runs through empty memory';
/** Looks in a row that must have met nothing but zeros. */
const LOOKS = 400;
/** One look in so many runs. */
const EVERY = 4;
/** Zeros ahead of the instruction pointer that count as empty. */
const BYTES = 48;
/** What one look at real code (an interrupt handler in between) takes away. */
const PENALTY = 20;

export class EmptyCodeWatch {
  private readonly read: (target: Uint8Array) => boolean;
  private readonly buffer = new Uint8Array(BYTES);
  private runs = 0;
  private emptyLooks = 0;

  /** @param read copies the bytes at the next instruction; false when they cannot be read */
  constructor(read: (target: Uint8Array) => boolean) {
    this.read = read;
  }

  /** Call after a run that used up its time. @returns true when the guest runs through nothing */
  isLost(): boolean {
    if (++this.runs % EVERY !== 0) return false;
    const empty = this.read(this.buffer) && this.buffer.every((byte) => byte === 0);
    this.emptyLooks = empty ? this.emptyLooks + 1 : Math.max(0, this.emptyLooks - PENALTY);
    return this.emptyLooks >= LOOKS;
  }

  forget(): void {
    this.emptyLooks = 0;
  }
}
