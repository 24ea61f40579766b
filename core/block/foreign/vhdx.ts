// Hyper-V VHDX images, read-only: fixed and dynamic ([MS-VHDX] 8.0). An image whose log was not replayed is refused: what
// it reads as without the log is not what was written. Differencing images name a parent file and are refused.

import type { HostFile } from '../../host/files/host-file.ts';
import { MAX_VIRTUAL_BYTES, readU64le, viewOf } from '../qcow2/layout.ts';
import { badForeign, BlockMapDisk, FileTable, NOWHERE, readAll, unsupportedForeign } from './block-map-disk.ts';
import { crc32c } from './crc32c.ts';

const HEADER_OFFSETS = [65_536, 131_072];
const REGION_OFFSETS = [196_608, 262_144];
const HEADER_BYTES = 4096;
const REGION_BYTES = 65_536;
const MAX_ENTRIES = 2047;

const REGION_BAT = '2dc27766-f623-4200-9d64-115e9bfd4a08';
const REGION_METADATA = '8b7ca206-4790-4b9a-b8fe-575f050f886e';
const ITEM_FILE_PARAMETERS = 'caa16737-fa36-4d43-b3b6-33f0aa44e76b';
const ITEM_DISK_SIZE = '2fa54224-cd1b-4876-b211-5dbed83bf4b8';
const ITEM_LOGICAL_SECTOR = '8141bf1d-a96f-4709-ba47-f233a8faab5f';
const KNOWN_ITEMS = [
  ITEM_FILE_PARAMETERS,
  ITEM_DISK_SIZE,
  ITEM_LOGICAL_SECTOR,
  'cda348c7-445d-4471-9cc9-e9885251c556',
  'beca12ab-b2e6-4523-93ef-c309e000c746',
  'a8d35f2d-b30b-454d-abf7-d3d84834ab0c',
];
const NO_GUID = '00000000-0000-0000-0000-000000000000';

const FLAG_REQUIRED = 4;
const STATE_FULLY_PRESENT = 6;
const STATE_PARTIALLY_PRESENT = 7;

function guidAt(view: DataView, at: number): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  let tail = '';
  for (let index = 10; index < 16; index++) tail += hex(view.getUint8(at + index), 2);
  const start = `${hex(view.getUint32(at, true), 8)}-${hex(view.getUint16(at + 4, true), 4)}-${hex(view.getUint16(at + 6, true), 4)}`;
  return `${start}-${hex(view.getUint16(at + 8), 4)}-${tail}`;
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function checksumIsRight(bytes: Uint8Array): boolean {
  const stored = viewOf(bytes).getUint32(4, true);
  const copy = bytes.slice();
  copy.fill(0, 4, 8);
  return crc32c(copy) === stored;
}

/** The copy that counts: valid, and the newer of two. */
async function currentHeader(file: HostFile): Promise<DataView> {
  let best: DataView | undefined;
  for (const offset of HEADER_OFFSETS) {
    const bytes = await readAll(file, 'VHDX', offset, HEADER_BYTES);
    if (textAt(bytes, 0, 4) !== 'head' || !checksumIsRight(bytes)) continue;
    const view = viewOf(bytes);
    if (best === undefined || view.getBigUint64(8, true) > best.getBigUint64(8, true)) best = view;
  }
  if (best === undefined) throw badForeign(file.path, 'VHDX', 'both headers are damaged');
  return best;
}

interface Region {
  readonly offset: number;
  readonly length: number;
}

async function regions(file: HostFile, fileBytes: number): Promise<Map<string, Region>> {
  for (const offset of REGION_OFFSETS) {
    const bytes = await readAll(file, 'VHDX', offset, REGION_BYTES);
    if (textAt(bytes, 0, 4) !== 'regi' || !checksumIsRight(bytes)) continue;
    const view = viewOf(bytes);
    const count = view.getUint32(8, true);
    if (count > MAX_ENTRIES) throw badForeign(file.path, 'VHDX', `the region table has ${count} entries`);
    const found = new Map<string, Region>();
    for (let at = 16; at < 16 + count * 32; at += 32) {
      const guid = guidAt(view, at);
      const region = { offset: readU64le(view, at + 16), length: view.getUint32(at + 24, true) };
      if (region.offset < 2 ** 20 || region.offset % 2 ** 20 !== 0 || region.offset + region.length > fileBytes)
        throw badForeign(file.path, 'VHDX', `the region ${guid} lies outside the file`);
      if (found.has(guid)) throw badForeign(file.path, 'VHDX', `the region ${guid} appears twice`);
      if (guid !== REGION_BAT && guid !== REGION_METADATA && (view.getUint32(at + 28, true) & 1) !== 0)
        throw unsupportedForeign(file.path, 'VHDX', `needs the unknown region ${guid}`);
      found.set(guid, region);
    }
    return found;
  }
  throw badForeign(file.path, 'VHDX', 'both region tables are damaged');
}

async function metadataItems(file: HostFile, region: Region): Promise<Map<string, DataView>> {
  const bytes = await readAll(file, 'VHDX', region.offset, Math.min(REGION_BYTES, region.length));
  if (bytes.length < 32 || textAt(bytes, 0, 8) !== 'metadata')
    throw badForeign(file.path, 'VHDX', 'the metadata is missing');
  const view = viewOf(bytes);
  const count = view.getUint16(10, true);
  if (count > MAX_ENTRIES || 32 + count * 32 > bytes.length)
    throw badForeign(file.path, 'VHDX', `the metadata table has ${count} entries`);
  const items = new Map<string, DataView>();
  for (let at = 32; at < 32 + count * 32; at += 32) {
    const guid = guidAt(view, at);
    const offset = view.getUint32(at + 16, true);
    const length = view.getUint32(at + 20, true);
    const isRequired = (view.getUint32(at + 24, true) & FLAG_REQUIRED) !== 0;
    if (!KNOWN_ITEMS.includes(guid)) {
      if (isRequired) throw unsupportedForeign(file.path, 'VHDX', `needs the unknown metadata item ${guid}`);
      continue;
    }
    if (length > 1024 && !isRequired) continue;
    if (offset + length > region.length)
      throw badForeign(file.path, 'VHDX', `the metadata item ${guid} leaves its region`);
    if (length <= 1024) items.set(guid, viewOf(await readAll(file, 'VHDX', region.offset + offset, length)));
  }
  return items;
}

/** @param file owned by the disk on success. @throws NestboxError `bad-input`, `unsupported` */
export async function openVhdx(file: HostFile): Promise<BlockMapDisk> {
  const bad = (text: string): Error => badForeign(file.path, 'VHDX', text);
  const fileBytes = file.identity().sizeBytes;
  if (textAt(await readAll(file, 'VHDX', 0, 8), 0, 8) !== 'vhdxfile') throw bad('the signature is missing');
  const header = await currentHeader(file);
  if (header.getUint16(66, true) !== 1)
    throw unsupportedForeign(file.path, 'VHDX', `version ${header.getUint16(66, true)} is not supported`);
  if (guidAt(header, 48) !== NO_GUID)
    throw unsupportedForeign(
      file.path,
      'VHDX',
      'was not closed cleanly and has a log that must be replayed first; open it once with the program that made it',
    );
  const known = await regions(file, fileBytes);
  const bat = known.get(REGION_BAT);
  const metadata = known.get(REGION_METADATA);
  if (bat === undefined || metadata === undefined) throw bad('the block allocation table or the metadata is missing');
  const items = await metadataItems(file, metadata);
  const parameters = items.get(ITEM_FILE_PARAMETERS);
  const size = items.get(ITEM_DISK_SIZE);
  const sector = items.get(ITEM_LOGICAL_SECTOR);
  if (parameters === undefined || parameters.byteLength < 8) throw bad('the file parameters are missing');
  if (size === undefined || size.byteLength < 8) throw bad('the size is missing');
  if (sector === undefined || sector.byteLength < 4) throw bad('the sector size is missing');
  if ((parameters.getUint32(4, true) & 2) !== 0)
    throw unsupportedForeign(file.path, 'VHDX', 'is a differencing image; merge it with its parent first');
  const blockBytes = parameters.getUint32(0, true);
  if (blockBytes < 2 ** 20 || blockBytes > 2 ** 28 || (blockBytes & (blockBytes - 1)) !== 0)
    throw bad(`block size is ${blockBytes}`);
  const sectorBytes = sector.getUint32(0, true);
  if (sectorBytes !== 512 && sectorBytes !== 4096) throw bad(`sector size is ${sectorBytes}`);
  const sizeBytes = readU64le(size, 0);
  if (sizeBytes > MAX_VIRTUAL_BYTES || sizeBytes % sectorBytes !== 0) throw bad(`size is ${sizeBytes}`);
  // After so many entries comes one for a bitmap of sectors, which only differencing images use.
  const chunkBlocks = (2 ** 23 * sectorBytes) / blockBytes;
  const blocks = Math.ceil(sizeBytes / blockBytes);
  const entries = blocks + Math.floor(Math.max(0, blocks - 1) / chunkBlocks);
  if (entries * 8 > bat.length) throw bad('the block allocation table is too short');
  const table = new FileTable(file, 'VHDX', bat.offset, entries * 8);
  return new BlockMapDisk(file, {
    format: 'VHDX',
    sizeBytes,
    blockBytes,
    place: async (block) => {
      const { view, at } = await table.page((block + Math.floor(block / chunkBlocks)) * 8);
      const state = view.getUint32(at, true) & 7;
      if (state === STATE_PARTIALLY_PRESENT) throw bad('has partial blocks but no parent');
      if (state !== STATE_FULLY_PRESENT) return NOWHERE;
      return (view.getUint32(at + 4, true) * 2 ** 12 + (view.getUint32(at, true) >>> 20)) * 2 ** 20;
    },
  });
}
