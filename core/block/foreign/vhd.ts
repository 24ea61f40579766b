// Virtual PC / Hyper-V VHD images, read-only: fixed and dynamic (Microsoft, Virtual Hard Disk Image Format Specification
// 1.0). Differencing images name a parent file and are refused. Sector bitmaps are not looked at: a block holds zeroes
// where nothing was written.

import type { HostFile } from '../../host/files/host-file.ts';
import { MAX_VIRTUAL_BYTES, readU64, viewOf } from '../qcow2/layout.ts';
import { badForeign, BlockMapDisk, FileTable, NOWHERE, readAll, unsupportedForeign } from './block-map-disk.ts';

const FOOTER_BYTES = 512;
const FIXED = 2;
const DYNAMIC = 3;
const DIFFERENCING = 4;
const UNALLOCATED = 0xffff_ffff;
/** Programs whose size field counts; for all others the geometry does, as in Virtual PC. */
const EXACT_CREATORS = ['win ', 'd2v ', 'qem2', 'vs  ', 'tap\0', 'CTXS'];
const LARGEST_GEOMETRY = 65_535 * 16 * 255;

function hasCookie(bytes: Uint8Array, cookie: string): boolean {
  return [...cookie].every((letter, index) => bytes[index] === letter.charCodeAt(0));
}

/** One's complement of the sum of all bytes but the checksum's own. */
function checksumIsRight(bytes: Uint8Array, at: number): boolean {
  let sum = 0;
  for (let index = 0; index < bytes.length; index++)
    if (index < at || index >= at + 4) sum = (sum + (bytes[index] ?? 0)) >>> 0;
  return viewOf(bytes).getUint32(at) === ~sum >>> 0;
}

/** Whether a file ends like a fixed VHD: its start looks like any raw disk. */
export function isVhdFooter(tail: Uint8Array): boolean {
  return tail.length === FOOTER_BYTES && hasCookie(tail, 'conectix') && checksumIsRight(tail, 64);
}

/** @param file owned by the disk on success. @throws NestboxError `bad-input`, `unsupported` */
export async function openVhd(file: HostFile): Promise<BlockMapDisk> {
  const bad = (text: string): Error => badForeign(file.path, 'VHD', text);
  const fileBytes = file.identity().sizeBytes;
  if (fileBytes < FOOTER_BYTES) throw bad('is too short for a footer');
  let footer = await readAll(file, 'VHD', fileBytes - FOOTER_BYTES, FOOTER_BYTES);
  // Dynamic images have a copy at the start.
  if (!isVhdFooter(footer)) footer = await readAll(file, 'VHD', 0, FOOTER_BYTES);
  if (!hasCookie(footer, 'conectix')) throw bad('the footer is missing');
  if (!checksumIsRight(footer, 64)) throw bad("the footer's checksum is wrong");
  const view = viewOf(footer);
  const type = view.getUint32(60);
  if (type === DIFFERENCING)
    throw unsupportedForeign(file.path, 'VHD', 'is a differencing image; merge it with its parent first');
  if (type !== FIXED && type !== DYNAMIC)
    throw unsupportedForeign(file.path, 'VHD', `disk type ${type} is not supported`);
  const creator = String.fromCharCode(...footer.subarray(28, 32));
  const geometry = view.getUint16(56) * (footer[58] ?? 0) * (footer[59] ?? 0);
  const isExact = EXACT_CREATORS.includes(creator) || geometry === LARGEST_GEOMETRY || geometry === 0;
  const sizeBytes = isExact ? Math.floor(readU64(view, 48) / 512) * 512 : geometry * 512;
  if (sizeBytes > MAX_VIRTUAL_BYTES) throw bad('size is larger than 64 TiB');
  if (type === FIXED) {
    if (sizeBytes > fileBytes - FOOTER_BYTES) throw bad(`is cut short: its footer says ${sizeBytes} bytes`);
    return new BlockMapDisk(file, {
      format: 'VHD',
      sizeBytes,
      blockBytes: 2 ** 30,
      place: async (block) => block * 2 ** 30,
    });
  }
  return openDynamic(file, readU64(view, 16), sizeBytes, fileBytes);
}

async function openDynamic(
  file: HostFile,
  headerOffset: number,
  sizeBytes: number,
  fileBytes: number,
): Promise<BlockMapDisk> {
  const bad = (text: string): Error => badForeign(file.path, 'VHD', text);
  const header = await readAll(file, 'VHD', headerOffset, 1024);
  if (!hasCookie(header, 'cxsparse')) throw bad('the header of a dynamic disk is missing');
  if (!checksumIsRight(header, 36)) throw bad("the header's checksum is wrong");
  const view = viewOf(header);
  const tableOffset = readU64(view, 16);
  const entries = view.getUint32(28);
  const blockBytes = view.getUint32(32);
  if (blockBytes < 512 || blockBytes > 2 ** 28 || (blockBytes & (blockBytes - 1)) !== 0)
    throw bad(`block size is ${blockBytes}`);
  if (entries < Math.ceil(sizeBytes / blockBytes)) throw bad(`${entries} blocks are too few for ${sizeBytes} bytes`);
  if (tableOffset % 512 !== 0 || tableOffset + entries * 4 > fileBytes)
    throw bad('the block allocation table lies outside the file');
  const bitmapBytes = Math.ceil(blockBytes / 512 / 8 / 512) * 512;
  const table = new FileTable(file, 'VHD', tableOffset, entries * 4);
  return new BlockMapDisk(file, {
    format: 'VHD',
    sizeBytes,
    blockBytes,
    place: async (block) => {
      const { view: page, at } = await table.page(block * 4);
      const sector = page.getUint32(at);
      return sector === UNALLOCATED ? NOWHERE : sector * 512 + bitmapBytes;
    },
  });
}
