// The tail of what the serial port has sent, for a console that opens late. A guest can send for ever; this keeps a
// fixed amount.

export const SERIAL_HISTORY_BYTES = 256 * 1024;

export class SerialHistory {
  private readonly ring = new Uint8Array(SERIAL_HISTORY_BYTES);
  private total = 0;

  add(bytes: Uint8Array): void {
    const tail = bytes.subarray(Math.max(0, bytes.length - SERIAL_HISTORY_BYTES));
    const at = (this.total + bytes.length - tail.length) % SERIAL_HISTORY_BYTES;
    const first = Math.min(tail.length, SERIAL_HISTORY_BYTES - at);
    this.ring.set(tail.subarray(0, first), at);
    this.ring.set(tail.subarray(first), 0);
    this.total += bytes.length;
  }

  /** A copy, oldest byte first. */
  read(): Uint8Array {
    if (this.total <= SERIAL_HISTORY_BYTES) return this.ring.slice(0, this.total);
    const at = this.total % SERIAL_HISTORY_BYTES;
    const out = new Uint8Array(SERIAL_HISTORY_BYTES);
    out.set(this.ring.subarray(at), 0);
    out.set(this.ring.subarray(0, at), SERIAL_HISTORY_BYTES - at);
    return out;
  }
}
