// Cylinder, head and sector geometry: floppy formats by size, LBA-assisted translation of hard disks, the geometry that a
// partition table was made with.

export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

export interface FloppyFormat extends Geometry {
  readonly sizeBytes: number;
  /** CMOS and INT 13h/08h drive type: 1 = 360K, 2 = 1.2M, 3 = 720K, 4 = 1.44M, 5 = 2.88M. */
  readonly driveType: number;
  /** Data rate and step bits of the media state byte 40:90 (media established). */
  readonly mediaState: number;
  /** Gap lengths of the parameter table: between sectors, when formatting. */
  readonly gap: number;
  readonly formatGap: number;
}

const SECTOR_BYTES = 512;

function floppy(
  cylinders: number,
  heads: number,
  sectors: number,
  driveType: number,
  mediaState: number,
  gap: number,
  formatGap: number,
): FloppyFormat {
  return {
    cylinders,
    heads,
    sectors,
    sizeBytes: cylinders * heads * sectors * SECTOR_BYTES,
    driveType,
    mediaState,
    gap,
    formatGap,
  };
}

/** Formats in order of size. */
export const FLOPPY_FORMATS: readonly FloppyFormat[] = [
  floppy(40, 1, 8, 1, 0x93, 0x2a, 0x50),
  floppy(40, 1, 9, 1, 0x93, 0x2a, 0x50),
  floppy(40, 2, 8, 1, 0x93, 0x2a, 0x50),
  floppy(40, 2, 9, 1, 0x93, 0x2a, 0x50),
  floppy(80, 2, 9, 3, 0x97, 0x2a, 0x50),
  floppy(80, 2, 15, 2, 0x15, 0x1b, 0x54),
  floppy(80, 2, 18, 4, 0x17, 0x1b, 0x6c),
  floppy(80, 2, 21, 4, 0x17, 0x0c, 0x1c),
  floppy(82, 2, 21, 4, 0x17, 0x0c, 0x1c),
  floppy(80, 2, 36, 5, 0xd7, 0x1b, 0x54),
];
const FORMAT_144 = FLOPPY_FORMATS[6] as FloppyFormat;
const FORMAT_288 = FLOPPY_FORMATS[9] as FloppyFormat;

/**
 * The format of an image of this size: the exact one, else the smallest that holds it, 1.44M for anything that is no
 * format and smaller (a bare boot sector). Sectors past the image's end read as zeroes.
 */
export function floppyFormatOf(sizeBytes: number): FloppyFormat {
  const exact = FLOPPY_FORMATS.find((format) => format.sizeBytes === sizeBytes);
  if (exact !== undefined) return exact;
  if (sizeBytes <= FORMAT_144.sizeBytes) return FORMAT_144;
  return FLOPPY_FORMATS.find((format) => format.sizeBytes >= sizeBytes) ?? FORMAT_288;
}

/** Translation that makes a disk reachable with 1024 cylinders, 255 heads and 63 sectors as far as it goes. */
export function translateGeometry(totalSectors: number, physical: Geometry | undefined): Geometry {
  if (physical !== undefined && physical.cylinders <= 1024 && physical.heads <= 16 && physical.sectors <= 63) {
    const covered = physical.cylinders * physical.heads * physical.sectors;
    if (covered > 0 && totalSectors - covered < physical.heads * physical.sectors) return physical;
  }
  const sectors = 63;
  for (const heads of [16, 32, 64, 128]) {
    const cylinders = Math.floor(totalSectors / (heads * sectors));
    if (cylinders <= 1024) return { cylinders: Math.max(1, cylinders), heads, sectors };
  }
  return { cylinders: Math.min(1024, Math.floor(totalSectors / (255 * sectors))), heads: 255, sectors };
}

const PARTITION_TABLE = 446;
const PARTITION_BYTES = 16;
const MAX_CYLINDER = 1023;

interface Chs {
  readonly cylinder: number;
  readonly head: number;
  readonly sector: number;
}

function chsAt(sector: Uint8Array, offset: number): Chs {
  const middle = sector[offset + 1] as number;
  return {
    head: sector[offset] as number,
    sector: middle & 0x3f,
    cylinder: (sector[offset + 2] as number) | ((middle & 0xc0) << 2),
  };
}

const toLba = (chs: Chs, heads: number, sectors: number): number =>
  (chs.cylinder * heads + chs.head) * sectors + chs.sector - 1;

/**
 * The geometry that the partition table's CHS values were computed with, when a partition ends at the last head and
 * sector of a cylinder and start and end agree with its LBA values; else undefined.
 */
export function geometryFromPartitions(mbr: Uint8Array, totalSectors: number): Geometry | undefined {
  if (mbr.length < SECTOR_BYTES || mbr[510] !== 0x55 || mbr[511] !== 0xaa) return undefined;
  const view = new DataView(mbr.buffer, mbr.byteOffset, mbr.byteLength);
  for (let i = 0; i < 4; i++) {
    const at = PARTITION_TABLE + i * PARTITION_BYTES;
    const [first, count] = [view.getUint32(at + 8, true), view.getUint32(at + 12, true)];
    const type = mbr[at + 4];
    if (type === 0 || type === 0xee || first === 0 || count === 0) continue;
    const [start, end] = [chsAt(mbr, at + 1), chsAt(mbr, at + 5)];
    const heads = end.head + 1;
    const sectors = end.sector;
    if (sectors === 0 || heads < 2 || heads > 255 || start.cylinder >= MAX_CYLINDER) continue;
    const fits =
      toLba(start, heads, sectors) === first &&
      (end.cylinder >= MAX_CYLINDER || toLba(end, heads, sectors) === first + count - 1);
    if (!fits) continue;
    return { cylinders: Math.min(1024, Math.max(1, Math.floor(totalSectors / (heads * sectors)))), heads, sectors };
  }
  return undefined;
}
