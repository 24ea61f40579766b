// One sparse extent of a VMDK disk (VMware, Virtual Disk Format 5.0): grain directory, grain tables, and grains that are
// plain, zero or deflated (streamOptimized). The redundant directory is not used.

import { inflateSync } from 'node:zlib';
import { NestboxError } from '../../base/errors.ts';
import type { HostFile } from '../../host/files/host-file.ts';
import { readU64le, viewOf } from '../qcow2/layout.ts';
import { TableCache } from '../qcow2/table-cache.ts';
import { badForeign, BlockMapDisk, FileTable, NOWHERE, readAll, unsupportedForeign } from './block-map-disk.ts';

const MAGIC = 0x564d444b;
const FLAG_ZERO_GRAINS = 1 << 2;
const FLAG_COMPRESSED = 1 << 16;
const DEFLATE = 1;
const MAX_GRAIN_SECTORS = 4096;
const MAX_SECTORS = (64 * 2 ** 40) / 512;
const GRAIN_IS_ZERO = 1;
const CACHE_BYTES = 4 * 2 ** 20;

export interface SparseHeader {
  readonly capacitySectors: number;
  readonly grainSectors: number;
  readonly descriptor: { readonly offset: number; readonly length: number } | undefined;
  readonly entriesPerTable: number;
  readonly directoryOffset: number;
  readonly zeroGrains: boolean;
  readonly compressed: boolean;
}

function parseHeader(path: string, bytes: Uint8Array): SparseHeader | 'at end' {
  const bad = (text: string): NestboxError => badForeign(path, 'VMDK', text);
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== MAGIC) throw bad('the magic number is missing');
  const version = view.getUint32(4, true);
  if (version < 1 || version > 3) throw unsupportedForeign(path, 'VMDK', `version ${version} is not supported`);
  const flags = view.getUint32(8, true);
  const capacitySectors = readU64le(view, 12);
  const grainSectors = readU64le(view, 20);
  const entriesPerTable = view.getUint32(44, true);
  if ((flags & 1) !== 0 && view.getUint32(73, true) !== 0x0a0d_200a)
    throw bad('was changed by a transfer as text; fetch it again');
  if (view.getUint32(56, true) === 0xffff_ffff && view.getUint32(60, true) === 0xffff_ffff) return 'at end';
  if (capacitySectors > MAX_SECTORS) throw bad('size is larger than 64 TiB');
  if (grainSectors < 1 || grainSectors > MAX_GRAIN_SECTORS || (grainSectors & (grainSectors - 1)) !== 0)
    throw bad(`grain size is ${grainSectors} sectors`);
  if (entriesPerTable !== 512) throw bad(`grain tables have ${entriesPerTable} entries, expected 512`);
  const compressed = (flags & FLAG_COMPRESSED) !== 0;
  if (compressed && view.getUint16(77, true) !== DEFLATE)
    throw unsupportedForeign(path, 'VMDK', `compression ${view.getUint16(77, true)} is not supported`);
  const descriptorSector = readU64le(view, 28);
  return {
    capacitySectors,
    grainSectors,
    descriptor:
      descriptorSector === 0 ? undefined : { offset: descriptorSector * 512, length: readU64le(view, 36) * 512 },
    entriesPerTable,
    directoryOffset: readU64le(view, 56) * 512,
    zeroGrains: (flags & FLAG_ZERO_GRAINS) !== 0,
    compressed,
  };
}

/** The header at the start, or its copy at the end of a stream that was written in one go. */
export async function readSparseHeader(file: HostFile): Promise<SparseHeader> {
  const first = await readAll(file, 'VMDK', 0, 512);
  const header = parseHeader(file.path, first);
  if (header !== 'at end') return header;
  const place = file.identity().sizeBytes - 1024;
  const footer = parseHeader(file.path, await readAll(file, 'VMDK', place, 512));
  if (footer === 'at end') throw badForeign(file.path, 'VMDK', 'the footer does not say where the grain directory is');
  const start = viewOf(first);
  // The descriptor, which only the header points to, speaks of the disk that the header describes.
  if (readU64le(start, 12) !== footer.capacitySectors || readU64le(start, 20) !== footer.grainSectors)
    throw badForeign(file.path, 'VMDK', 'header and footer describe different disks');
  const descriptorSector = readU64le(start, 28);
  return {
    ...footer,
    descriptor:
      descriptorSector === 0 ? undefined : { offset: descriptorSector * 512, length: readU64le(start, 36) * 512 },
  };
}

/** @param file owned by the disk from now on */
export function openSparseExtent(file: HostFile, header: SparseHeader): BlockMapDisk {
  const bad = (text: string): NestboxError => badForeign(file.path, 'VMDK', text);
  const fileBytes = file.identity().sizeBytes;
  const grainBytes = header.grainSectors * 512;
  const grains = Math.ceil(header.capacitySectors / header.grainSectors);
  const tables = Math.ceil(grains / header.entriesPerTable);
  if (header.directoryOffset === 0 || header.directoryOffset + tables * 4 > fileBytes)
    throw bad('the grain directory lies outside the file');
  const directory = new FileTable(file, 'VMDK', header.directoryOffset, tables * 4);
  const tableBytes = header.entriesPerTable * 4;
  const cache = new TableCache(CACHE_BYTES, tableBytes, (offset) => readAll(file, 'VMDK', offset, tableBytes));
  const place = async (grain: number): Promise<number> => {
    const { view, at } = await directory.page(Math.floor(grain / header.entriesPerTable) * 4);
    const tableSector = view.getUint32(at, true);
    if (tableSector === 0) return NOWHERE;
    const offset = tableSector * 512;
    if (offset + tableBytes > fileBytes) throw bad(`a grain table at ${offset} lies outside the file`);
    const table = cache.peek(offset) ?? (await cache.get(offset));
    const sector = table.getUint32((grain % header.entriesPerTable) * 4, true);
    if (sector === 0 || (sector === GRAIN_IS_ZERO && header.zeroGrains)) return NOWHERE;
    return sector * 512;
  };
  return new BlockMapDisk(file, {
    format: 'VMDK',
    sizeBytes: header.capacitySectors * 512,
    blockBytes: grainBytes,
    place,
    ...(header.compressed ? { unpack: (from, at, grain) => unpackGrain(from, at, grain, header) } : {}),
  });
}

/** A grain is preceded by its first sector (64 bits) and the length of its data (32 bits). */
async function unpackGrain(file: HostFile, place: number, grain: number, header: SparseHeader): Promise<Uint8Array> {
  const grainBytes = header.grainSectors * 512;
  const damaged = (text: string, cause?: unknown): NestboxError =>
    new NestboxError('io', `${file.path}: VMDK image: ${text}`, { op: 'read disk', cause });
  const marker = viewOf(await readAll(file, 'VMDK', place, 12));
  const length = marker.getUint32(8, true);
  if (readU64le(marker, 0) !== grain * header.grainSectors) throw damaged('a compressed grain belongs elsewhere');
  if (length === 0 || length > grainBytes * 2 + 1024) throw damaged(`a compressed grain has ${length} bytes`);
  const packed = await readAll(file, 'VMDK', place + 12, length);
  let data: Uint8Array;
  try {
    data = inflateSync(packed, { maxOutputLength: grainBytes });
  } catch (cause) {
    throw damaged('a compressed grain is damaged', cause);
  }
  if (data.length === grainBytes) return data;
  // The last grain may be as short as the disk's end.
  const rest = (header.capacitySectors - grain * header.grainSectors) * 512;
  if (data.length < Math.min(rest, grainBytes)) throw damaged(`a compressed grain holds ${data.length} bytes`);
  const whole = new Uint8Array(grainBytes);
  whole.set(data);
  return whole;
}
