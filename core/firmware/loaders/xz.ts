// Unpacks xz files (xz file format 1.0.4) with the filters that Linux kernels are packed with: LZMA2 and the x86 branch
// converter. Checks CRC-32; other checks are passed over.

import { damagedXz, Lzma2Decoder } from './lzma2.ts';

const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const STREAM_HEADER_BYTES = 12;
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const CHECK_CRC32 = 1;
const FILTER_X86 = 0x04;
const FILTER_LZMA2 = 0x21;

let crcTable: Uint32Array | undefined;

export function crc32(bytes: Uint8Array): number {
  if (crcTable === undefined) {
    crcTable = new Uint32Array(256);
    for (let value = 0; value < 256; value++) {
      let crc = value;
      for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
      crcTable[value] = crc >>> 0;
    }
  }
  let crc = 0xffff_ffff;
  for (let index = 0; index < bytes.length; index++) {
    crc = (crc >>> 8) ^ (crcTable[(crc ^ (bytes[index] as number)) & 0xff] as number);
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}

/** Whether the top byte of a branch target looks like a near one. */
const isNear = (byte: number): boolean => byte === 0 || byte === 0xff;

/**
 * Turns absolute targets of CALL and JMP back into relative ones, in place. The converter skips candidates whose operand
 * bytes could be operands of an earlier one; `suspects` remembers, one bit a byte, where in the last four bytes such
 * opcodes stood.
 */
export function unconvertX86(code: Uint8Array): void {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const allowed = [true, true, true, false, true, false, false, false];
  const byteOf = [0, 1, 2, 2, 3, 3, 3, 3];
  let suspects = 0;
  let lastOpcode = -5;
  for (let at = 0; at + 5 <= code.length;) {
    const opcode = code[at] as number;
    if (opcode !== 0xe8 && opcode !== 0xe9) {
      at++;
      continue;
    }
    const gap = at - lastOpcode;
    lastOpcode = at;
    if (gap > 5) suspects = 0;
    else for (let step = 0; step < gap; step++) suspects = (suspects & 0x77) << 1;
    const top = code[at + 4] as number;
    if (!isNear(top) || allowed[(suspects >>> 1) & 7] !== true || suspects >>> 1 >= 0x10) {
      suspects |= isNear(top) ? 0x11 : 0x01;
      at++;
      continue;
    }
    let target = view.getUint32(at + 1, true);
    let relative: number;
    for (;;) {
      relative = (target - (at + 5)) >>> 0;
      if (suspects === 0) break;
      const shift = (byteOf[suspects >>> 1] ?? 0) * 8;
      if (!isNear((relative >>> (24 - shift)) & 0xff)) break;
      target = (relative ^ (2 ** (32 - shift) - 1)) >>> 0;
    }
    view.setUint32(at + 1, (relative & 0x00ff_ffff) | ((relative & 0x0100_0000) !== 0 ? 0xff00_0000 : 0), true);
    at += 5;
    suspects = 0;
  }
}

class Reader {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    if (this.at >= this.bytes.length) throw damagedXz('it ends too early');
    return this.bytes[this.at++] as number;
  }

  /** A number of seven bits a byte; larger ones than 2^35 do not occur in what fits memory. */
  number(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw damagedXz('a number is too large');
  }
}

/** @returns whether the block's data went through the x86 converter */
function blockFilters(reader: Reader): boolean {
  const flags = reader.byte();
  if ((flags & 0x3c) !== 0) throw damagedXz('unknown block flags');
  if ((flags & 0x40) !== 0) reader.number();
  if ((flags & 0x80) !== 0) reader.number();
  let converted = false;
  const count = (flags & 3) + 1;
  for (let index = 0; index < count; index++) {
    const id = reader.number();
    const propertyBytes = reader.number();
    const last = index === count - 1;
    if (id === FILTER_X86 && !last && propertyBytes === 0) converted = true;
    else if (!(id === FILTER_LZMA2 && last && propertyBytes === 1)) throw damagedXz('a filter is not supported');
    reader.at += propertyBytes;
  }
  return converted;
}

/** @throws Error when the data is damaged, longer than `limitBytes`, or packed in a way that is not supported */
export function unpackXz(packed: Uint8Array, limitBytes: number): Uint8Array {
  if (packed.length < STREAM_HEADER_BYTES || !MAGIC.every((byte, index) => packed[index] === byte))
    throw damagedXz('no header');
  const check = (packed[7] as number) & 0x0f;
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const out = new Uint8Array(limitBytes);
  let to = 0;
  let at = STREAM_HEADER_BYTES;
  while (at < packed.length && packed[at] !== 0) {
    const headerBytes = ((packed[at] as number) + 1) * 4;
    const converted = blockFilters(new Reader(packed, at + 1));
    const dataStart = at + headerBytes;
    const result = new Lzma2Decoder(packed, dataStart, out, to).run();
    const content = out.subarray(to, result.to);
    if (converted) unconvertX86(content);
    at = dataStart + Math.ceil((result.from - dataStart) / 4) * 4;
    const checkBytes = CHECK_BYTES[check] ?? 0;
    if (at + checkBytes > packed.length) throw damagedXz('it ends too early');
    if (check === CHECK_CRC32 && view.getUint32(at, true) !== crc32(content)) throw damagedXz('the checksum is wrong');
    at += checkBytes;
    to = result.to;
  }
  return out.subarray(0, to);
}
