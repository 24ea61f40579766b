// Copies of one vCPU's blocks for the compiler, one behind the other in a buffer: what a slice of the run loop requests is one
// buffer, which goes to another thread as it is.

const BUFFER_BYTES = 1 << 18;

export class BlockCopies {
  private readonly memory: Uint8Array;
  private buffer = new Uint8Array(0);
  private used = 0;

  constructor(memory: Uint8Array) {
    this.memory = memory;
  }

  /** Copies `length` bytes at an address. The copy's buffer belongs to all copies that were taken since it was transferred. */
  take(address: number, length: number): Uint8Array {
    // A buffer that was transferred has no bytes any more.
    if (this.used + length > this.buffer.length) {
      this.buffer = new Uint8Array(BUFFER_BYTES);
      this.used = 0;
    }
    const copy = this.buffer.subarray(this.used, this.used + length);
    copy.set(this.memory.subarray(address, address + length));
    this.used += length;
    return copy;
  }
}
