// A small encoder for ACPI machine language (ACPI 6.4, chapter 20): the objects that a PC's DSDT needs. Every function
// returns the bytes of one term; terms nest by concatenation.

import { ByteWriter } from '../byte-writer.ts';

export type Aml = Uint8Array;

export function concat(...parts: readonly (Uint8Array | readonly number[])[]): Aml {
  const out = new ByteWriter();
  for (const part of parts) out.bytes(part);
  return out.toBytes();
}

/** A name path: "\\_SB.PCI0", "^LNKA", "CRS_". Segments are padded to four characters with underscores. */
export function path(text: string): Aml {
  const prefix = /^(\\|\^*)/.exec(text)?.[0] ?? '';
  const rest = text.slice(prefix.length);
  const segments = rest === '' ? [] : rest.split('.');
  const out = new ByteWriter().text(prefix);
  if (segments.length === 0) return out.u8(0).toBytes();
  if (segments.length === 2) out.u8(0x2e);
  else if (segments.length > 2) out.u8(0x2f).u8(segments.length);
  for (const segment of segments) {
    if (!/^[A-Z_][A-Z0-9_]{0,3}$/.test(segment)) throw new Error(`Bad AML name ${text}`);
    out.text(segment.padEnd(4, '_'));
  }
  return out.toBytes();
}

/** The length field of a package: counts itself, one to four bytes. */
function packageLength(contentBytes: number): number[] {
  if (contentBytes + 1 < 0x40) return [contentBytes + 1];
  for (let extra = 1; extra <= 3; extra++) {
    const total = contentBytes + 1 + extra;
    if (total < 1 << (4 + extra * 8)) {
      const bytes = [(extra << 6) | (total & 0x0f)];
      for (let index = 0; index < extra; index++) bytes.push((total >> (4 + index * 8)) & 0xff);
      return bytes;
    }
  }
  throw new Error('AML package too long');
}

function packaged(opcode: readonly number[], ...content: readonly (Uint8Array | readonly number[])[]): Aml {
  const body = concat(...content);
  return concat(opcode, packageLength(body.length), body);
}

export function integer(value: number): Aml {
  if (value === 0) return Uint8Array.of(0x00);
  if (value === 1) return Uint8Array.of(0x01);
  if (value <= 0xff) return Uint8Array.of(0x0a, value);
  if (value <= 0xffff) return new ByteWriter().u8(0x0b).u16(value).toBytes();
  if (value <= 0xffff_ffff) return new ByteWriter().u8(0x0c).u32(value).toBytes();
  return new ByteWriter().u8(0x0e).u64(value).toBytes();
}

export function text(value: string): Aml {
  return new ByteWriter().u8(0x0d).text(value).u8(0).toBytes();
}

/** The compressed form of a seven-character PNP identifier. */
export function eisaId(id: string): Aml {
  const letter = (index: number): number => id.charCodeAt(index) - 0x40;
  const digit = (index: number): number => parseInt(id[index] ?? '', 16);
  const high = (letter(0) << 10) | (letter(1) << 5) | letter(2);
  return Uint8Array.of(0x0c, high >> 8, high & 0xff, (digit(3) << 4) | digit(4), (digit(5) << 4) | digit(6));
}

export const buffer = (content: Uint8Array): Aml => packaged([0x11], integer(content.length), content);
export const packageOf = (elements: readonly Aml[]): Aml => packaged([0x12], [elements.length], ...elements);

export const name = (at: string, value: Aml): Aml => concat([0x08], path(at), value);
export const scope = (at: string, ...terms: readonly Aml[]): Aml => packaged([0x10], path(at), ...terms);
export const device = (at: string, ...terms: readonly Aml[]): Aml => packaged([0x5b, 0x82], path(at), ...terms);
/** A processor without a control block. */
export const processor = (at: string, id: number): Aml => packaged([0x5b, 0x83], path(at), [id, 0, 0, 0, 0, 0]);

export function method(at: string, argumentCount: number, ...terms: readonly Aml[]): Aml {
  return packaged([0x14], path(at), [argumentCount], ...terms);
}

/** A method that may not run twice at a time: needed where it makes named objects. */
export function serializedMethod(at: string, argumentCount: number, ...terms: readonly Aml[]): Aml {
  return packaged([0x14], path(at), [argumentCount | 0x08], ...terms);
}

export type RegionSpace = 'memory' | 'io' | 'pci-config';
const REGION_SPACES: Readonly<Record<RegionSpace, number>> = { memory: 0, io: 1, 'pci-config': 2 };

export function operationRegion(at: string, space: RegionSpace, offset: number, length: number): Aml {
  return concat([0x5b, 0x80], path(at), [REGION_SPACES[space]], integer(offset), integer(length));
}

/** Byte-access fields of `bits` each, in order, locked not, preserving. */
export function field(region: string, units: readonly { readonly name: string; readonly bits: number }[]): Aml {
  const parts = units.map((unit) => concat(path(unit.name), packageLengthRaw(unit.bits)));
  return packaged([0x5b, 0x81], path(region), [0x01], ...parts);
}

/** A field's bit count is coded as a package length that does not count itself. */
function packageLengthRaw(value: number): number[] {
  return value < 0x40 ? [value] : [0x40 | (value & 0x0f), (value >> 4) & 0xff];
}

export const local = (index: number): Aml => Uint8Array.of(0x60 + index);
export const argument = (index: number): Aml => Uint8Array.of(0x68 + index);
export const store = (source: Aml, target: Aml): Aml => concat([0x70], source, target);
export const and = (a: Aml, b: Aml, target: Aml = Uint8Array.of(0)): Aml => concat([0x7b], a, b, target);
export const or = (a: Aml, b: Aml, target: Aml = Uint8Array.of(0)): Aml => concat([0x7d], a, b, target);
/** Tells the guest's driver of the device that something happened to it. */
export const notify = (target: Aml, value: number): Aml => concat([0x86], target, integer(value));
export const returns = (value: Aml): Aml => concat([0xa4], value);
export const when = (condition: Aml, ...terms: readonly Aml[]): Aml => packaged([0xa0], condition, ...terms);
export const otherwise = (...terms: readonly Aml[]): Aml => packaged([0xa1], ...terms);
/** Names the 32-bit number at byte `offset` of a buffer. */
export const createDwordField = (source: Aml, offset: number, at: string): Aml =>
  concat([0x8a], source, integer(offset), path(at));
