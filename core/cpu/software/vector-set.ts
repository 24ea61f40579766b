// A set of interrupt vectors as the local APIC's 256-bit registers hold it.

export class VectorSet {
  readonly words = new Uint32Array(8);

  has(vector: number): boolean {
    return ((this.words[vector >> 5] ?? 0) & (1 << (vector & 31))) !== 0;
  }

  add(vector: number): void {
    const word = vector >> 5;
    this.words[word] = (this.words[word] ?? 0) | (1 << (vector & 31));
  }

  remove(vector: number): void {
    const word = vector >> 5;
    this.words[word] = (this.words[word] ?? 0) & ~(1 << (vector & 31));
  }

  /** The highest vector, or -1. */
  highest(): number {
    for (let word = 7; word >= 0; word--) {
      const bits = this.words[word] ?? 0;
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits);
    }
    return -1;
  }

  clear(): void {
    this.words.fill(0);
  }
}
