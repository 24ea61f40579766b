// Recognises what a file is by its first bytes, so that a picture, an archive or another product's disk format is not
// taken for a raw disk. Magic numbers are from the formats' own specifications.

/** As much of a file's start as the checks look at: covers the first volume descriptor of a CD. */
export const HEAD_BYTES = 36 * 1024;

export interface KnownContent {
  /** With article: "a PNG picture". */
  readonly what: string;
  readonly family: 'disk-format' | 'archive' | 'document' | 'program';
  /** The name of the format for `--disk …,format=`, where it is a disk format that may be supported. */
  readonly format?: string;
}

interface Magic extends KnownContent {
  readonly offset: number;
  readonly bytes: readonly number[];
}

const ascii = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));

const MAGICS: readonly Magic[] = [
  { offset: 0, bytes: [...ascii('QFI'), 0xfb], what: 'a qcow2 disk image', family: 'disk-format', format: 'qcow2' },
  { offset: 0, bytes: ascii('KDMV'), what: 'a VMDK disk image', family: 'disk-format', format: 'vmdk' },
  {
    offset: 0,
    bytes: ascii('# Disk DescriptorFile'),
    what: 'a VMDK descriptor',
    family: 'disk-format',
    format: 'vmdk',
  },
  {
    offset: 64,
    bytes: [0x7f, 0x10, 0xda, 0xbe],
    what: 'a VirtualBox VDI disk image',
    family: 'disk-format',
    format: 'vdi',
  },
  { offset: 0, bytes: ascii('vhdxfile'), what: 'a VHDX disk image', family: 'disk-format', format: 'vhdx' },
  { offset: 0, bytes: ascii('conectix'), what: 'a VHD disk image', family: 'disk-format', format: 'vhd' },
  {
    offset: 0,
    bytes: ascii('WithoutFreeSpace'),
    what: 'a Parallels disk image',
    family: 'disk-format',
    format: 'parallels',
  },
  {
    offset: 0,
    bytes: ascii('WithouFreSpacExt'),
    what: 'a Parallels disk image',
    family: 'disk-format',
    format: 'parallels',
  },
  { offset: 0, bytes: [0x1f, 0x8b, 0x08], what: 'a gzip archive', family: 'archive' },
  { offset: 0, bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], what: 'an xz archive', family: 'archive' },
  { offset: 0, bytes: ascii('BZh'), what: 'a bzip2 archive', family: 'archive' },
  { offset: 0, bytes: [0x28, 0xb5, 0x2f, 0xfd], what: 'a Zstandard archive', family: 'archive' },
  { offset: 0, bytes: [0x50, 0x4b, 0x03, 0x04], what: 'a zip archive', family: 'archive' },
  { offset: 0, bytes: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], what: 'a 7-Zip archive', family: 'archive' },
  { offset: 0, bytes: ascii('Rar!'), what: 'a RAR archive', family: 'archive' },
  { offset: 257, bytes: ascii('ustar'), what: 'a tar archive', family: 'archive' },
  { offset: 0, bytes: ascii('!<arch>'), what: 'an ar or Debian package archive', family: 'archive' },
  { offset: 0, bytes: [0xed, 0xab, 0xee, 0xdb], what: 'an RPM package', family: 'archive' },
  { offset: 0, bytes: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], what: 'a PNG picture', family: 'document' },
  { offset: 0, bytes: [0xff, 0xd8, 0xff], what: 'a JPEG picture', family: 'document' },
  { offset: 0, bytes: ascii('GIF8'), what: 'a GIF picture', family: 'document' },
  { offset: 8, bytes: ascii('WEBP'), what: 'a WebP picture', family: 'document' },
  { offset: 0, bytes: ascii('%PDF-'), what: 'a PDF document', family: 'document' },
  { offset: 4, bytes: ascii('ftyp'), what: 'a video file', family: 'document' },
  { offset: 0, bytes: ascii('SQLite format 3\0'), what: 'an SQLite database', family: 'document' },
  { offset: 0, bytes: [0x7f, ...ascii('ELF')], what: 'an ELF program or kernel', family: 'program' },
];

function startsAt(head: Uint8Array, offset: number, bytes: readonly number[]): boolean {
  return offset + bytes.length <= head.length && bytes.every((byte, index) => head[offset + index] === byte);
}

export function hasBootSignature(head: Uint8Array): boolean {
  return head[510] === 0x55 && head[511] === 0xaa;
}

/** Text: only printable characters, tabs and line ends, in UTF-8, in all of the first kilobyte. */
function looksLikeText(head: Uint8Array): boolean {
  const start = head.subarray(0, 1024);
  if (start.length === 0) return false;
  for (const byte of start) {
    if (byte === 0x7f || (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)) return false;
  }
  return true;
}

/** What the file is when it is certainly no raw disk, else undefined. */
export function recognise(head: Uint8Array): KnownContent | undefined {
  for (const magic of MAGICS) {
    if (!startsAt(head, magic.offset, magic.bytes)) continue;
    // A boot sector may hold any bytes before its signature; only disk formats, which never have one, are certain then.
    if (magic.family !== 'disk-format' && hasBootSignature(head)) continue;
    return magic;
  }
  if (hasBootSignature(head)) return undefined;
  if (startsAt(head, 0, ascii('MZ'))) return { what: 'a DOS or Windows program', family: 'program' };
  if (looksLikeText(head)) return { what: 'a text file', family: 'document' };
  return undefined;
}

/** CD images with 2,352-byte raw sectors start with the sector's sync pattern. */
export function isRawSectorCd(head: Uint8Array): boolean {
  return head.length >= 16 && head[0] === 0 && head[11] === 0 && head.subarray(1, 11).every((byte) => byte === 0xff);
}

const FIRST_DESCRIPTOR = 16 * 2048;

/** The volume descriptors of ISO 9660 ("CD001") or of UDF ("BEA01"), which start in sector 16. */
export function hasCdFileSystem(head: Uint8Array): boolean {
  return startsAt(head, FIRST_DESCRIPTOR + 1, ascii('CD001')) || startsAt(head, FIRST_DESCRIPTOR + 1, ascii('BEA01'));
}

/** Bytes that the ISO 9660 file system says it has, or undefined without a primary volume descriptor. */
export function isoVolumeBytes(head: Uint8Array): number | undefined {
  if (!startsAt(head, FIRST_DESCRIPTOR, [1, ...ascii('CD001')]) || head.length < FIRST_DESCRIPTOR + 132)
    return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  return view.getUint32(FIRST_DESCRIPTOR + 80, true) * view.getUint16(FIRST_DESCRIPTOR + 128, true);
}

/**
 * Bytes that a FAT file system at the start of the image says it has; undefined when there is none. Small boot-sector
 * programs often carry a parameter block for show, so the allocation table itself must be there too.
 */
export function fatVolumeBytes(head: Uint8Array): number | undefined {
  if (head.length < 1024 || !(head[0] === 0xeb || head[0] === 0xe9)) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const sectorBytes = view.getUint16(11, true);
  const reserved = view.getUint16(14, true);
  const media = head[21] ?? 0;
  if (sectorBytes !== 512 || reserved === 0 || media < 0xf0) return undefined;
  const table = reserved * sectorBytes;
  if (table + 3 > head.length || head[table] !== media || head[table + 1] !== 0xff || head[table + 2] !== 0xff)
    return undefined;
  return (view.getUint16(19, true) || view.getUint32(32, true)) * sectorBytes;
}

/** End of the last partition of a PC partition table in bytes (GPT included), or undefined without a table. */
export function partitionedBytes(head: Uint8Array): number | undefined {
  if (head.length < 512 || !hasBootSignature(head)) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (startsAt(head, 512, ascii('EFI PART')) && head.length >= 1024) {
    // The alternate header's sector is the last one of the disk.
    return (Number(view.getBigUint64(512 + 32, true)) + 1) * 512;
  }
  let end = 0;
  for (let entry = 446; entry < 510; entry += 16) {
    const status = head[entry] ?? 0;
    const type = head[entry + 4] ?? 0;
    if (status !== 0 && status !== 0x80) return undefined;
    if (type === 0) continue;
    const start = view.getUint32(entry + 8, true);
    const count = view.getUint32(entry + 12, true);
    if (start === 0 || count === 0) return undefined;
    end = Math.max(end, (start + count) * 512);
  }
  return end === 0 ? undefined : end;
}
