// Bytes from the host that wait until a UART has room for them, bounded.

/** Capacity; what does not fit is refused, and the host offers it again later. */
export const UART_BACKLOG_BYTES = 65_536;

export class UartBacklog {
  private data = new Uint8Array(0);
  private position = 0;

  get length(): number {
    return this.data.length - this.position;
  }

  /** Appends what fits; @returns how many bytes were taken */
  append(more: Uint8Array): number {
    const waiting = this.length;
    const taken = Math.min(more.length, UART_BACKLOG_BYTES - waiting);
    if (taken <= 0) return 0;
    const joined = new Uint8Array(waiting + taken);
    joined.set(this.data.subarray(this.position));
    joined.set(more.subarray(0, taken), waiting);
    this.data = joined;
    this.position = 0;
    return taken;
  }

  shift(): number {
    const value = this.data[this.position] ?? 0;
    this.position++;
    if (this.position >= this.data.length) this.clear();
    return value;
  }

  clear(): void {
    this.data = new Uint8Array(0);
    this.position = 0;
  }

  toBytes(): Uint8Array {
    return this.data.slice(this.position);
  }

  setBytes(bytes: Uint8Array): void {
    this.data = bytes.slice();
    this.position = 0;
  }
}
