// Builds little-endian tables and structures for firmware: a growing byte array with typed appends and patches.

/** UTF-8 without a terminator; here because TextEncoder belongs to the host, not to the language. */
export function utf8(text: string): Uint8Array {
  const out: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0xfffd;
    if (code < 0x80) out.push(code);
    else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else out.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return Uint8Array.from(out);
}

/** The byte that makes the sum of all bytes zero modulo 256. */
export function checksumByte(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
}

export class ByteWriter {
  private buffer = new Uint8Array(256);
  private view = new DataView(this.buffer.buffer);
  private used = 0;

  get length(): number {
    return this.used;
  }

  private room(count: number): number {
    const at = this.used;
    this.used += count;
    if (this.used > this.buffer.length) {
      const bigger = new Uint8Array(Math.max(this.used, this.buffer.length * 2));
      bigger.set(this.buffer);
      this.buffer = bigger;
      this.view = new DataView(bigger.buffer);
    }
    return at;
  }

  u8(value: number): this {
    const at = this.room(1); // may replace the view
    this.view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.room(2); // may replace the view
    this.view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.room(4); // may replace the view
    this.view.setUint32(at, value, true);
    return this;
  }

  u64(value: number | bigint): this {
    const at = this.room(8); // may replace the view
    this.view.setBigUint64(at, BigInt(value), true);
    return this;
  }

  bytes(source: Uint8Array | readonly number[]): this {
    const at = this.room(source.length);
    this.buffer.set(source, at);
    return this;
  }

  /** The text's bytes; with `length` cut or filled up with `fill` to exactly that many. */
  text(text: string, length?: number, fill = 0): this {
    const encoded = utf8(text);
    if (length === undefined) return this.bytes(encoded);
    const field = new Uint8Array(length).fill(fill);
    field.set(encoded.subarray(0, length));
    return this.bytes(field);
  }

  zeroes(count: number): this {
    this.room(count);
    return this;
  }

  align(unit: number): this {
    return this.zeroes((unit - (this.used % unit)) % unit);
  }

  setU8(at: number, value: number): this {
    this.view.setUint8(at, value);
    return this;
  }

  setU16(at: number, value: number): this {
    this.view.setUint16(at, value, true);
    return this;
  }

  setU32(at: number, value: number): this {
    this.view.setUint32(at, value, true);
    return this;
  }

  setU64(at: number, value: number | bigint): this {
    this.view.setBigUint64(at, BigInt(value), true);
    return this;
  }

  toBytes(): Uint8Array {
    return this.buffer.slice(0, this.used);
  }
}
