// Reads the file tree of a UDF volume on optical media (ECMA-167 3rd edition, OSTA UDF 1.02 to 2.01): installation DVDs of
// Windows keep their files there. Not read: virtual, sparable and metadata partitions (UDF 2.50 and packet writing), strategy 4096.

import { type ByteSource, FieldReader, latin1, utf16be } from './byte-source.ts';
import { FileTree, type TreeFolder, type TreeNode } from './file-tree.ts';

const SECTOR = 2048;
const ANCHOR_SECTOR = 256;
const TAG = {
  PRIMARY: 1,
  ANCHOR: 2,
  PARTITION: 5,
  LOGICAL_VOLUME: 6,
  TERMINATOR: 8,
  FILE_SET: 256,
  FILE_IDENTIFIER: 257,
  FILE_ENTRY: 261,
  EXTENDED_FILE_ENTRY: 266,
} as const;
const SEQUENCE_SECTORS_MAX = 64;
const DIRECTORY_BYTES_MAX = 1024 * 1024;
const EXTENTS_MAX = 256;

interface Extent {
  readonly offset: number;
  readonly length: number;
}

interface UdfFile {
  readonly folder: boolean;
  readonly sizeBytes: number;
  readonly extents: readonly Extent[];
}

/** The UDF volume of an image, or undefined when there is none that can be read. */
export async function readUdfTree(source: ByteSource): Promise<FileTree | undefined> {
  const anchor = await descriptor(source, ANCHOR_SECTOR * SECTOR, TAG.ANCHOR);
  if (anchor === undefined) return undefined;
  const start = anchor.u32(20);
  const sectors = Math.min(Math.floor(anchor.u32(16) / SECTOR), SEQUENCE_SECTORS_MAX);
  let partitionStart: number | undefined;
  let volumeId = '';
  let fileSet: number | undefined;
  for (let index = 0; index < sectors; index++) {
    const entry = new FieldReader(await source.read((start + index) * SECTOR, SECTOR));
    const tag = entry.u16(0);
    if (tag === TAG.TERMINATOR || tag === 0) break;
    if (tag === TAG.PARTITION) partitionStart ??= entry.u32(188);
    if (tag === TAG.LOGICAL_VOLUME && entry.u32(212) === SECTOR) {
      volumeId = dstring(entry.bytes.subarray(84, 212));
      // Only volumes whose first partition map is of type 1 (a plain partition).
      if (entry.u8(440) === 1) fileSet = entry.u32(248 + 4);
    }
  }
  if (partitionStart === undefined || fileSet === undefined) return undefined;
  const base = partitionStart * SECTOR;
  const set = await descriptor(source, base + fileSet * SECTOR, TAG.FILE_SET);
  if (set === undefined) return undefined;
  const rootBlock = set.u32(400 + 4);
  return new FileTree('udf', volumeId, folderAt(source, base, rootBlock));
}

/** The sector at `offset` when it carries the tag and its checksum is right (ECMA-167 3/7.2). */
async function descriptor(source: ByteSource, offset: number, tag: number): Promise<FieldReader | undefined> {
  const sector = new FieldReader(await source.read(offset, SECTOR));
  if (sector.u16(0) !== tag) return undefined;
  let sum = 0;
  for (let at = 0; at < 16; at++) if (at !== 4) sum = (sum + sector.u8(at)) & 0xff;
  return sum === sector.u8(4) ? sector : undefined;
}

/** OSTA compressed Unicode: 8 = one byte a character, 16 = two. */
function compressedUnicode(bytes: Uint8Array): string {
  if (bytes[0] === 8) return latin1(bytes.subarray(1));
  return bytes[0] === 16 ? utf16be(bytes.subarray(1)) : '';
}

/** A fixed field whose last byte is the length used. */
function dstring(field: Uint8Array): string {
  const used = Math.min(field[field.length - 1] ?? 0, field.length - 1);
  return compressedUnicode(field.subarray(0, used));
}

function folderAt(source: ByteSource, base: number, block: number): TreeFolder {
  return { children: () => readFolder(source, base, block) };
}

async function readFileEntry(source: ByteSource, base: number, block: number): Promise<UdfFile | undefined> {
  const entry = new FieldReader(await source.read(base + block * SECTOR, SECTOR));
  const tag = entry.u16(0);
  if (tag !== TAG.FILE_ENTRY && tag !== TAG.EXTENDED_FILE_ENTRY) return undefined;
  const extended = tag === TAG.EXTENDED_FILE_ENTRY;
  const attributes = entry.u32(extended ? 208 : 168);
  const descriptors = entry.u32(extended ? 212 : 172);
  const first = (extended ? 216 : 176) + attributes;
  const sizeBytes = entry.u64(56);
  const folder = entry.u8(16 + 11) === 4;
  const allocation = entry.u16(16 + 18) & 7;
  if (allocation === 3)
    return {
      folder,
      sizeBytes,
      extents: [{ offset: base + block * SECTOR + first, length: Math.min(descriptors, SECTOR) }],
    };
  const step = allocation === 0 ? 8 : 16;
  const extents: Extent[] = [];
  for (let at = first; at + step <= Math.min(first + descriptors, SECTOR) && extents.length < EXTENTS_MAX; at += step) {
    // The two upper bits of the length say recorded (0) or not.
    const length = entry.u32(at);
    if (length >>> 30 !== 0 || length === 0) break;
    extents.push({ offset: base + entry.u32(at + 4) * SECTOR, length });
  }
  return { folder, sizeBytes, extents };
}

async function readExtents(source: ByteSource, file: UdfFile, maxBytes: number): Promise<Uint8Array> {
  const wanted = Math.min(file.sizeBytes, maxBytes);
  const parts: Uint8Array[] = [];
  let got = 0;
  for (const extent of file.extents) {
    if (got >= wanted) break;
    const part = await source.read(extent.offset, Math.min(extent.length, wanted - got));
    parts.push(part);
    got += part.length;
  }
  const out = new Uint8Array(got);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

async function readFolder(source: ByteSource, base: number, block: number): Promise<readonly TreeNode[]> {
  const entry = await readFileEntry(source, base, block);
  if (entry?.folder !== true) return [];
  const data = new FieldReader(await readExtents(source, entry, DIRECTORY_BYTES_MAX));
  const nodes: TreeNode[] = [];
  for (let at = 0; at + 38 <= data.bytes.length && data.u16(at) === TAG.FILE_IDENTIFIER;) {
    const characteristics = data.u8(at + 18);
    const nameLength = data.u8(at + 19);
    const use = data.u16(at + 36);
    const nameAt = at + 38 + use;
    // Bit 2: deleted, bit 3: the parent.
    if ((characteristics & 0x0c) === 0) {
      nodes.push(
        node(
          source,
          base,
          data.u32(at + 20 + 4),
          compressedUnicode(data.bytes.subarray(nameAt, nameAt + nameLength)),
          (characteristics & 2) !== 0,
        ),
      );
    }
    at += Math.ceil((38 + use + nameLength) / 4) * 4;
  }
  return nodes;
}

function node(source: ByteSource, base: number, block: number, name: string, folder: boolean): TreeNode {
  return {
    name,
    folder,
    sizeBytes: 0,
    open: () => folderAt(source, base, block),
    read: async (maxBytes) => {
      const file = await readFileEntry(source, base, block);
      return file === undefined ? new Uint8Array(0) : readExtents(source, file, maxBytes);
    },
  };
}
