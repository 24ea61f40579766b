// VirtualBox VDI images, read-only: dynamic and fixed, header version 1.1 (VirtualBox, Storage/VDICore.h). Undo and
// differencing images name a parent by UUID and are refused.

import type { HostFile } from '../../host/files/host-file.ts';
import { MAX_VIRTUAL_BYTES, readU64le, viewOf } from '../qcow2/layout.ts';
import { badForeign, BlockMapDisk, FileTable, NOWHERE, readAll, unsupportedForeign } from './block-map-disk.ts';

const HEADER_BYTES = 512;
const SIGNATURE = 0xbeda107f;
const UNALLOCATED = 0xffff_ffff;
const DISCARDED = 0xffff_fffe;
const TYPE_DYNAMIC = 1;
const TYPE_FIXED = 2;

/** @param file owned by the disk on success. @throws NestboxError `bad-input`, `unsupported` */
export async function openVdi(file: HostFile): Promise<BlockMapDisk> {
  const bad = (text: string): Error => badForeign(file.path, 'VDI', text);
  const view = viewOf(await readAll(file, 'VDI', 0, HEADER_BYTES));
  if (view.getUint32(64, true) !== SIGNATURE) throw bad('the signature is missing');
  const version = view.getUint32(68, true);
  if (version !== 0x1_0001)
    throw unsupportedForeign(file.path, 'VDI', `version ${version >>> 16}.${version & 0xffff} is not supported`);
  const type = view.getUint32(76, true);
  if (type !== TYPE_DYNAMIC && type !== TYPE_FIXED)
    throw unsupportedForeign(file.path, 'VDI', 'is an undo or differencing image; merge it with its parent first');
  const mapOffset = view.getUint32(340, true);
  const dataOffset = view.getUint32(344, true);
  const sectorBytes = view.getUint32(360, true);
  const declared = readU64le(view, 368);
  const blockBytes = view.getUint32(376, true);
  const extraBytes = view.getUint32(380, true);
  const blocks = view.getUint32(384, true);
  if (sectorBytes !== 512) throw bad(`sector size is ${sectorBytes}, expected 512`);
  if (declared > MAX_VIRTUAL_BYTES) throw bad('size is larger than 64 TiB');
  if (blockBytes < 4096 || blockBytes > 2 ** 26 || (blockBytes & (blockBytes - 1)) !== 0)
    throw bad(`block size is ${blockBytes}`);
  if (extraBytes !== 0) throw unsupportedForeign(file.path, 'VDI', 'has extra data in its blocks');
  const sizeBytes = Math.ceil(declared / 512) * 512;
  if (blocks < Math.ceil(sizeBytes / blockBytes)) throw bad(`${blocks} blocks are too few for ${declared} bytes`);
  for (const [index, name] of [
    [424, 'link'],
    [440, 'parent'],
  ] as const) {
    for (let at = index; at < index + 16; at += 4)
      if (view.getUint32(at, true) !== 0) throw unsupportedForeign(file.path, 'VDI', `names a ${name} image`);
  }
  const fileBytes = file.identity().sizeBytes;
  if (mapOffset < HEADER_BYTES || mapOffset + blocks * 4 > fileBytes) throw bad('the block map lies outside the file');
  if (dataOffset % 512 !== 0 || dataOffset < mapOffset + blocks * 4) throw bad(`data offset is ${dataOffset}`);
  const table = new FileTable(file, 'VDI', mapOffset, blocks * 4);
  return new BlockMapDisk(file, {
    format: 'VDI',
    sizeBytes,
    blockBytes,
    place: async (block) => {
      const { view: page, at } = await table.page(block * 4);
      const entry = page.getUint32(at, true);
      return entry === UNALLOCATED || entry === DISCARDED ? NOWHERE : dataOffset + entry * blockBytes;
    },
  });
}
