// Reads the program headers of ELF32 and ELF64 executables for x86 (System V ABI, gABI 4.1), as far as loading into
// physical memory needs. Every offset is checked against the file before it is used.

import { type LoadArea, loadError } from './load-area.ts';

const ELF_MAGIC = 0x464c457f;
const CLASS_32 = 1;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const EM_386 = 3;
const EM_X86_64 = 62;
const PT_LOAD = 1;
const PT_NOTE = 4;
const MAX_PROGRAM_HEADERS = 512;

export interface ElfSegment {
  readonly type: number;
  readonly fileOffset: number;
  readonly fileBytes: number;
  readonly virtualAddress: number;
  readonly physicalAddress: number;
  readonly memoryBytes: number;
  readonly alignment: number;
}

export interface ElfFile {
  readonly bits: 32 | 64;
  /** Virtual; low 53 bits are exact for all addresses that can be loaded. */
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
}

export function isElf(image: Uint8Array): boolean {
  if (image.length < 16) return false;
  return new DataView(image.buffer, image.byteOffset, image.byteLength).getUint32(0, true) === ELF_MAGIC;
}

/** @throws NestboxError kind `bad-input` */
export function parseElf(image: Uint8Array, name: string): ElfFile {
  if (!isElf(image)) throw loadError(`${name}: is not an ELF file`);
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const fileClass = image[4];
  if (fileClass !== CLASS_32 && fileClass !== CLASS_64) throw loadError(`${name}: unknown ELF class ${fileClass}`);
  if (image[5] !== LITTLE_ENDIAN) throw loadError(`${name}: is a big-endian ELF file, not one for x86`);
  const wide = fileClass === CLASS_64;
  if (image.length < (wide ? 64 : 52)) throw loadError(`${name}: is truncated inside its ELF header`);
  const machine = view.getUint16(18, true);
  if (machine !== EM_386 && machine !== EM_X86_64)
    throw loadError(`${name}: is an ELF file for another processor (machine ${machine})`);

  const word = (offset: number): number =>
    wide ? Number(view.getBigUint64(offset, true)) : view.getUint32(offset, true);
  const tableOffset = word(wide ? 32 : 28);
  const entryBytes = view.getUint16(wide ? 54 : 42, true);
  const count = view.getUint16(wide ? 56 : 44, true);
  if (count > MAX_PROGRAM_HEADERS)
    throw loadError(`${name}: has ${count} program headers, more than a kernel can have`);
  if (count > 0 && entryBytes < (wide ? 56 : 32))
    throw loadError(`${name}: its program headers have an impossible size`);
  if (tableOffset + count * entryBytes > image.length)
    throw loadError(`${name}: is truncated: its program headers lie beyond the end`);

  const segments: ElfSegment[] = [];
  for (let index = 0; index < count; index++) {
    const at = tableOffset + index * entryBytes;
    const segment: ElfSegment = wide
      ? {
          type: view.getUint32(at, true),
          fileOffset: word(at + 8),
          virtualAddress: word(at + 16),
          physicalAddress: word(at + 24),
          fileBytes: word(at + 32),
          memoryBytes: word(at + 40),
          alignment: word(at + 48),
        }
      : {
          type: view.getUint32(at, true),
          fileOffset: word(at + 4),
          virtualAddress: word(at + 8),
          physicalAddress: word(at + 12),
          fileBytes: word(at + 16),
          memoryBytes: word(at + 20),
          alignment: word(at + 28),
        };
    if (segment.type !== PT_LOAD && segment.type !== PT_NOTE) continue;
    if (segment.fileBytes > 0 && segment.fileOffset + segment.fileBytes > image.length) {
      throw loadError(`${name}: is truncated: segment ${index} lies beyond the end of the file`);
    }
    if (segment.type === PT_LOAD && segment.fileBytes > segment.memoryBytes) {
      throw loadError(`${name}: segment ${index} has more bytes in the file than in memory`);
    }
    segments.push(segment);
  }
  return { bits: wide ? 64 : 32, entry: word(24), segments };
}

export interface LoadedElf {
  readonly lowest: number;
  readonly end: number;
}

/** Copies the loadable segments to their physical addresses and clears what lies behind their file part. */
export function placeElf(area: LoadArea, image: Uint8Array, elf: ElfFile, name: string): LoadedElf {
  const loads = elf.segments.filter((segment) => segment.type === PT_LOAD && segment.memoryBytes > 0);
  if (loads.length === 0) throw loadError(`${name}: has nothing to load (no PT_LOAD segment)`);
  let lowest = Infinity;
  let end = 0;
  // All of it is checked before the first byte is written.
  loads.forEach((segment, index) =>
    area.reserve(segment.physicalAddress, segment.memoryBytes, `${name}: segment ${index}`),
  );
  for (const segment of loads) {
    const base = segment.physicalAddress;
    area.fill(base, image.subarray(segment.fileOffset, segment.fileOffset + segment.fileBytes));
    area.zero(base + segment.fileBytes, segment.memoryBytes - segment.fileBytes);
    lowest = Math.min(lowest, base);
    end = Math.max(end, base + segment.memoryBytes);
  }
  return { lowest, end };
}

/**
 * Takes [base, base + length) and copies the loadable segments there; false, and nothing done, when one lies outside or
 * two overlap.
 */
export function placeElfInside(
  area: LoadArea,
  image: Uint8Array,
  elf: ElfFile,
  base: number,
  length: number,
  what: string,
): boolean {
  const loads = elf.segments.filter((segment) => segment.type === PT_LOAD && segment.memoryBytes > 0);
  loads.sort((a, b) => a.physicalAddress - b.physicalAddress);
  let end = base;
  for (const segment of loads) {
    if (segment.physicalAddress < end) return false;
    end = segment.physicalAddress + segment.memoryBytes;
  }
  if (loads.length === 0 || end > base + length) return false;
  area.reserve(base, length, what);
  for (const segment of loads) {
    area.fill(segment.physicalAddress, image.subarray(segment.fileOffset, segment.fileOffset + segment.fileBytes));
    area.zero(segment.physicalAddress + segment.fileBytes, segment.memoryBytes - segment.fileBytes);
  }
  return true;
}

/** The physical address of a virtual one inside a loaded segment; the address itself when none holds it. */
export function toPhysical(elf: ElfFile, address: number): number {
  for (const segment of elf.segments) {
    if (
      segment.type === PT_LOAD &&
      address >= segment.virtualAddress &&
      address < segment.virtualAddress + segment.memoryBytes
    ) {
      return address - segment.virtualAddress + segment.physicalAddress;
    }
  }
  return address;
}

/** The description of the first ELF note with this owner and type, or undefined. */
export function findNote(image: Uint8Array, elf: ElfFile, owner: string, type: number): Uint8Array | undefined {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  for (const segment of elf.segments) {
    if (segment.type !== PT_NOTE) continue;
    const unit = segment.alignment === 8 ? 8 : 4;
    const end = segment.fileOffset + segment.fileBytes;
    let at = segment.fileOffset;
    while (at + 12 <= end) {
      const nameBytes = view.getUint32(at, true);
      const descriptionBytes = view.getUint32(at + 4, true);
      const noteType = view.getUint32(at + 8, true);
      const nameAt = at + 12;
      const descriptionAt = Math.ceil((nameAt + nameBytes) / unit) * unit;
      const next = Math.ceil((descriptionAt + descriptionBytes) / unit) * unit;
      if (descriptionAt + descriptionBytes > end || next <= at) break;
      let found = '';
      for (let index = 0; index < Math.min(nameBytes, 64); index++) {
        const byte = image[nameAt + index] ?? 0;
        if (byte === 0) break;
        found += String.fromCharCode(byte);
      }
      if (noteType === type && found === owner) return image.subarray(descriptionAt, descriptionAt + descriptionBytes);
      at = next;
    }
  }
  return undefined;
}
