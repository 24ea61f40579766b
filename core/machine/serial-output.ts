// Gathers bytes of the first serial port and hands them on in pieces: at the end of the event-loop turn, or when many are
// waiting.

const PIECE_BYTES = 4096;

export class SerialOutput {
  private readonly buffer = new Uint8Array(PIECE_BYTES);
  private length = 0;
  private scheduled = false;
  private readonly send: (bytes: Uint8Array) => void;

  constructor(send: (bytes: Uint8Array) => void) {
    this.send = send;
  }

  push(byte: number): void {
    this.buffer[this.length++] = byte;
    if (this.length === PIECE_BYTES) this.flush();
    else if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => {
        this.scheduled = false;
        this.flush();
      });
    }
  }

  flush(): void {
    if (this.length === 0) return;
    const bytes = this.buffer.slice(0, this.length);
    this.length = 0;
    this.send(bytes);
  }
}
