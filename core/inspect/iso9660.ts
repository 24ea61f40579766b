// Reads ISO 9660 (ECMA-119) with Joliet and Rock Ridge names (SUSP 1.12, RRIP 1.12), and says where the El Torito boot
// catalogue is. Not read: multi-extent files beyond their first extent, interleaved files, relocated deep directories.

import { type ByteSource, FieldReader, latin1, utf16be } from './byte-source.ts';
import { FileTree, type TreeFolder, type TreeNode } from './file-tree.ts';

export const CD_SECTOR = 2048;
const FIRST_DESCRIPTOR = 16;
const DESCRIPTORS_MAX = 32;
const DIRECTORY_BYTES_MAX = 2 * 1024 * 1024;
const DIRECTORY_ENTRIES_MAX = 20_000;

export interface IsoVolume {
  readonly tree: FileTree;
  readonly systemId: string;
  readonly publisher: string;
  readonly preparer: string;
  readonly application: string;
  readonly volumeBytes: number;
  readonly joliet: boolean;
  readonly rockRidge: boolean;
  /** Sector of the boot catalogue, or undefined. */
  readonly bootCatalog: number | undefined;
}

interface Extent {
  readonly sector: number;
  readonly length: number;
}

interface NameRules {
  readonly joliet: boolean;
  readonly rockRidge: boolean;
  /** Bytes to skip in each system use area (SP entry). */
  readonly skip: number;
}

/** The ISO 9660 volume of an image, or undefined when there is none. */
export async function readIsoVolume(source: ByteSource): Promise<IsoVolume | undefined> {
  let primary: FieldReader | undefined;
  let joliet: FieldReader | undefined;
  let bootCatalog: number | undefined;
  for (let index = 0; index < DESCRIPTORS_MAX; index++) {
    const sector = new FieldReader(await source.read((FIRST_DESCRIPTOR + index) * CD_SECTOR, CD_SECTOR));
    if (sector.text(1, 5) !== 'CD001') break;
    const type = sector.u8(0);
    if (type === 255) break;
    if (type === 1 && primary === undefined) primary = sector;
    // Escape sequences %/@, %/C and %/E name the three levels of UCS-2.
    if (type === 2 && joliet === undefined && /^%\/[@CE]/.test(latin1(sector.bytes.subarray(88, 91)))) joliet = sector;
    if (type === 0 && bootCatalog === undefined && sector.text(7, 32) === 'EL TORITO SPECIFICATION')
      bootCatalog = sector.u32(71);
  }
  if (primary === undefined) return undefined;
  const blockBytes = primary.u16(128) || CD_SECTOR;
  const plainRoot = rootExtent(primary);
  const skip = await rockRidgeSkip(source, plainRoot);
  const useJoliet = joliet !== undefined && skip === undefined;
  const root = useJoliet && joliet !== undefined ? rootExtent(joliet) : plainRoot;
  const rules: NameRules = { joliet: useJoliet, rockRidge: skip !== undefined, skip: skip ?? 0 };
  const plainId = primary.text(40, 32);
  const jolietId = joliet === undefined ? '' : utf16be(joliet.bytes.subarray(40, 72)).replace(/[\0 ]+$/, '');
  return {
    tree: new FileTree('iso9660', jolietId.length > plainId.length ? jolietId : plainId, folder(source, root, rules)),
    systemId: primary.text(8, 32),
    publisher: primary.text(318, 128),
    preparer: primary.text(446, 128),
    application: primary.text(574, 128),
    volumeBytes: primary.u32(80) * blockBytes,
    joliet: joliet !== undefined,
    rockRidge: skip !== undefined,
    bootCatalog,
  };
}

function rootExtent(descriptor: FieldReader): Extent {
  return { sector: descriptor.u32(156 + 2), length: descriptor.u32(156 + 10) };
}

/** Rock Ridge is announced by an SP entry in the system use area of the root's "." record. */
async function rockRidgeSkip(source: ByteSource, root: Extent): Promise<number | undefined> {
  const record = new FieldReader(await source.read(root.sector * CD_SECTOR, 256));
  const length = record.u8(0);
  const use = 33 + record.u8(32) + (record.u8(32) % 2 === 0 ? 1 : 0);
  for (let at = use; at + 7 <= length; at++) {
    if (record.text(at, 2) === 'SP' && record.u8(at + 4) === 0xbe && record.u8(at + 5) === 0xef)
      return record.u8(at + 6);
  }
  return undefined;
}

function folder(source: ByteSource, extent: Extent, rules: NameRules): TreeFolder {
  return { children: () => readDirectory(source, extent, rules) };
}

async function readDirectory(source: ByteSource, extent: Extent, rules: NameRules): Promise<readonly TreeNode[]> {
  const bytes = await source.read(extent.sector * CD_SECTOR, Math.min(extent.length, DIRECTORY_BYTES_MAX));
  const data = new FieldReader(bytes);
  const nodes: TreeNode[] = [];
  for (let at = 0; at < bytes.length && nodes.length < DIRECTORY_ENTRIES_MAX;) {
    const length = data.u8(at);
    if (length < 34) {
      // Records do not cross sectors: the rest of this one is unused.
      at = (Math.floor(at / CD_SECTOR) + 1) * CD_SECTOR;
      continue;
    }
    const node = await readRecord(source, new FieldReader(bytes.subarray(at, at + length)), rules);
    if (node !== undefined) nodes.push(node);
    at += length;
  }
  return nodes;
}

async function readRecord(source: ByteSource, record: FieldReader, rules: NameRules): Promise<TreeNode | undefined> {
  const nameLength = record.u8(32);
  const raw = record.bytes.subarray(33, 33 + nameLength);
  if (nameLength === 1 && (raw[0] === 0 || raw[0] === 1)) return undefined;
  const plain = (rules.joliet ? utf16be(raw) : latin1(raw)).replace(/;\d+$/, '').replace(/\.$/, '');
  const long = rules.rockRidge
    ? await rockRidgeName(source, record, 33 + nameLength + (nameLength % 2 === 0 ? 1 : 0) + rules.skip)
    : '';
  const extent = { sector: record.u32(2) + record.u8(1), length: record.u32(10) };
  const isFolder = (record.u8(25) & 2) !== 0;
  return {
    name: long === '' ? plain : long,
    ...(long === '' || long === plain ? {} : { otherNames: [plain] }),
    folder: isFolder,
    sizeBytes: extent.length,
    open: () => folder(source, extent, rules),
    read: (maxBytes) => source.read(extent.sector * CD_SECTOR, Math.min(extent.length, maxBytes)),
  };
}

/** The NM entries of a record, continuation area included. */
async function rockRidgeName(source: ByteSource, record: FieldReader, start: number): Promise<string> {
  let name = '';
  let area = record;
  let at = start;
  let continuations = 0;
  for (;;) {
    const length = area.u8(at + 2);
    if (at + 4 > area.bytes.length || length < 4 || at + length > area.bytes.length) return name;
    const signature = area.text(at, 2);
    if (signature === 'NM' && (area.u8(at + 4) & 6) === 0) name += latin1(area.bytes.subarray(at + 5, at + length));
    if (signature === 'CE' && continuations++ < 4) {
      const offset = area.u32(at + 4) * CD_SECTOR + area.u32(at + 12);
      area = new FieldReader(await source.read(offset, Math.min(area.u32(at + 20), CD_SECTOR)));
      at = 0;
      continue;
    }
    if (signature === 'ST') return name;
    at += length;
  }
}
