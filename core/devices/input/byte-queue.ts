// A bounded queue of bytes between a PS/2 device and its controller.

export class ByteQueue {
  private readonly items: Uint8Array;
  private first = 0;
  private count = 0;

  constructor(capacity: number) {
    this.items = new Uint8Array(capacity);
  }

  get length(): number {
    return this.count;
  }

  get room(): number {
    return this.items.length - this.count;
  }

  /** Appends a byte; a full queue drops it. */
  push(byte: number): void {
    if (this.count === this.items.length) return;
    this.items[(this.first + this.count) % this.items.length] = byte;
    this.count++;
  }

  /** Takes the oldest byte; 0 when there is none. */
  shift(): number {
    if (this.count === 0) return 0;
    const byte = this.items[this.first] ?? 0;
    this.first = (this.first + 1) % this.items.length;
    this.count--;
    return byte;
  }

  clear(): void {
    this.first = 0;
    this.count = 0;
  }

  /** The bytes in order. */
  toBytes(): Uint8Array {
    return Uint8Array.from({ length: this.count }, (_, i) => this.items[(this.first + i) % this.items.length] ?? 0);
  }

  /** Replaces the content; bytes beyond the capacity are dropped. */
  setBytes(bytes: Uint8Array): void {
    this.clear();
    for (const byte of bytes) this.push(byte);
  }
}
