// Reads the root folder of a FAT12, FAT16 or FAT32 volume (Microsoft FAT specification, 2005): floppies and small disks.
// Short names and the volume label only; folders below the root are listed but not entered.

import { type ByteSource, FieldReader } from './byte-source.ts';
import { FileTree, type TreeNode } from './file-tree.ts';

const ENTRY_BYTES = 32;
const ATTRIBUTE = { VOLUME_ID: 0x08, DIRECTORY: 0x10, LONG_NAME: 0x0f } as const;
const ROOT_BYTES_MAX = 256 * 1024;

export interface FatVolume {
  readonly tree: FileTree;
  /** Text of the formatting program, often of the system: "FreeDOS", "MSDOS5.0", "MTOO4043". */
  readonly oemName: string;
}

/** @param start byte offset of the volume in the image */
export async function readFatVolume(source: ByteSource, start = 0): Promise<FatVolume | undefined> {
  const sector = new FieldReader(await source.read(start, 512));
  const sectorBytes = sector.u16(11);
  const clusterSectors = sector.u8(13);
  const reserved = sector.u16(14);
  const fats = sector.u8(16);
  const jump = sector.u8(0);
  if ((jump !== 0xeb && jump !== 0xe9) || ![512, 1024, 2048, 4096].includes(sectorBytes)) return undefined;
  if (
    clusterSectors === 0 ||
    (clusterSectors & (clusterSectors - 1)) !== 0 ||
    reserved === 0 ||
    fats === 0 ||
    fats > 4 ||
    sector.u8(21) < 0xf0
  )
    return undefined;
  const rootEntries = sector.u16(17);
  const fatSectors = sector.u16(22) || sector.u32(36);
  const fatStart = start + reserved * sectorBytes;
  const table = new FieldReader(await source.read(fatStart, 4));
  if (table.u8(0) !== sector.u8(21)) return undefined;
  const rootStart = fatStart + fats * fatSectors * sectorBytes;
  const root =
    rootEntries > 0
      ? await source.read(rootStart, Math.min(rootEntries * ENTRY_BYTES, ROOT_BYTES_MAX))
      : await source.read(
          rootStart + (Math.max(2, sector.u32(44)) - 2) * clusterSectors * sectorBytes,
          clusterSectors * sectorBytes,
        );
  const dataStart = rootStart + rootEntries * ENTRY_BYTES;
  const clusterBytes = clusterSectors * sectorBytes;
  const { nodes, label } = readRoot(source, new FieldReader(root), dataStart, clusterBytes);
  const extended = rootEntries > 0 ? 38 : 66;
  const bootLabel = sector.u8(extended) === 0x29 ? sector.text(extended + 5, 11) : '';
  const volumeId = label !== '' ? label : bootLabel === 'NO NAME' ? '' : bootLabel;
  return { tree: new FileTree('fat', volumeId, { children: async () => nodes }), oemName: sector.text(3, 8) };
}

function readRoot(
  source: ByteSource,
  root: FieldReader,
  dataStart: number,
  clusterBytes: number,
): { nodes: TreeNode[]; label: string } {
  const nodes: TreeNode[] = [];
  let label = '';
  for (let at = 0; at + ENTRY_BYTES <= root.bytes.length && root.u8(at) !== 0; at += ENTRY_BYTES) {
    const attributes = root.u8(at + 11);
    if (root.u8(at) === 0xe5 || attributes === ATTRIBUTE.LONG_NAME) continue;
    if ((attributes & ATTRIBUTE.VOLUME_ID) !== 0) {
      label = root.text(at, 11);
      continue;
    }
    const extension = root.text(at + 8, 3);
    const cluster = root.u16(at + 26);
    const sizeBytes = root.u32(at + 28);
    nodes.push({
      name: root.text(at, 8) + (extension === '' ? '' : `.${extension}`),
      folder: (attributes & ATTRIBUTE.DIRECTORY) !== 0,
      sizeBytes,
      open: () => ({ children: async () => [] }),
      // The first cluster: what is looked for stands in the first bytes.
      read: (maxBytes) =>
        cluster < 2
          ? Promise.resolve(new Uint8Array(0))
          : source.read(dataStart + (cluster - 2) * clusterBytes, Math.min(sizeBytes, clusterBytes, maxBytes)),
    });
  }
  return { nodes, label };
}
