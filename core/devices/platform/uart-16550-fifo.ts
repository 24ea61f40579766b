// The receive side's store of a 16550: characters with the line errors that came with them.

export const FIFO_DEPTH = 16;

export class UartFifo {
  private readonly data = new Uint8Array(FIFO_DEPTH);
  private readonly errors = new Uint8Array(FIFO_DEPTH);
  private first = 0;
  private count = 0;

  get length(): number {
    return this.count;
  }

  /** Appends a character; a full FIFO drops it and returns false. */
  push(value: number, errors: number): boolean {
    if (this.count === FIFO_DEPTH) return false;
    const slot = (this.first + this.count) % FIFO_DEPTH;
    this.data[slot] = value;
    this.errors[slot] = errors;
    this.count++;
    return true;
  }

  shift(): number {
    if (this.count === 0) return 0;
    const value = this.data[this.first] ?? 0;
    this.first = (this.first + 1) % FIFO_DEPTH;
    this.count--;
    return value;
  }

  /** Takes the errors of the character at the head, which are then told only once. */
  takeHeadErrors(): number {
    if (this.count === 0) return 0;
    const errors = this.errors[this.first] ?? 0;
    this.errors[this.first] = 0;
    return errors;
  }

  get headErrors(): number {
    return this.count === 0 ? 0 : (this.errors[this.first] ?? 0);
  }

  get anyErrors(): boolean {
    for (let i = 0; i < this.count; i++) if (this.errors[(this.first + i) % FIFO_DEPTH] !== 0) return true;
    return false;
  }

  clear(): void {
    this.first = 0;
    this.count = 0;
  }

  /** Characters, oldest first. */
  toBytes(): Uint8Array {
    return Uint8Array.from({ length: this.count }, (_, i) => this.data[(this.first + i) % FIFO_DEPTH] ?? 0);
  }

  errorsToBytes(): Uint8Array {
    return Uint8Array.from({ length: this.count }, (_, i) => this.errors[(this.first + i) % FIFO_DEPTH] ?? 0);
  }

  setBytes(data: Uint8Array, errors: Uint8Array): void {
    this.clear();
    data.forEach((value, i) => this.push(value, errors[i] ?? 0));
  }
}
