// The demo guest as a bootable 1.44M floppy image: boot sector and program in the reserved sectors of a FAT12 file system
// that holds a text file for those who look at it from elsewhere.

import { NestboxError } from '../../base/errors.ts';
import { assemble } from '../asm/assembler.ts';
import { ByteWriter, utf8 } from '../byte-writer.ts';
import { BOOT_SECTOR, RESERVED_SECTORS } from './boot-sector.ts';
import { PROGRAM } from './program.ts';

const SECTOR_BYTES = 512;
const IMAGE_BYTES = 2880 * SECTOR_BYTES;
const TABLE_SECTORS = 9;
const ROOT_SECTORS = 14;
const LOAD_ADDRESS = 0x8000;
const BOOT_ADDRESS = 0x7c00;
/** The loader and the real-mode part reach the first 64 KiB only. */
const MAX_PROGRAM_BYTES = Math.min((RESERVED_SECTORS - 1) * SECTOR_BYTES, 0x1_0000 - LOAD_ADDRESS);

const README = `This disk holds the Nestbox demo guest, a check-up of the machine that boots it.
It starts from its reserved sectors; there is nothing else to run here.
`.replaceAll('\n', '\r\n');

const DOS_DATE = ((2026 - 1980) << 9) | (1 << 5) | 1;
const ATTRIBUTE_LABEL = 0x08;
const ATTRIBUTE_READ_ONLY = 0x01;

function directoryEntry(name: string, attribute: number, cluster: number, sizeBytes: number): Uint8Array {
  return new ByteWriter()
    .text(name, 11, 0x20)
    .u8(attribute)
    .zeroes(10)
    .u16(0)
    .u16(DOS_DATE)
    .u16(cluster)
    .u32(sizeBytes)
    .toBytes();
}

function fileSystem(image: Uint8Array): void {
  const content = utf8(README);
  if (content.length > SECTOR_BYTES)
    throw new NestboxError('internal', "The demo image's text file needs more than one cluster");
  for (let table = 0; table < 2; table++) {
    // Media byte, end marks, and one cluster that is a chain of its own.
    image.set([0xf0, 0xff, 0xff, 0xff, 0x0f], (RESERVED_SECTORS + table * TABLE_SECTORS) * SECTOR_BYTES);
  }
  const root = (RESERVED_SECTORS + 2 * TABLE_SECTORS) * SECTOR_BYTES;
  image.set(directoryEntry('NESTBOX', ATTRIBUTE_LABEL, 0, 0), root);
  image.set(directoryEntry('README  TXT', ATTRIBUTE_READ_ONLY, 2, content.length), root + 32);
  image.set(content, root + ROOT_SECTORS * SECTOR_BYTES);
}

/** The image of the demo guest's floppy disk. @throws NestboxError kind `internal` when its source has a mistake */
export function buildDemoImage(): Uint8Array {
  const { bytes } = assemble(`${BOOT_SECTOR}\n${PROGRAM}`);
  const programOffset = LOAD_ADDRESS - BOOT_ADDRESS;
  const programBytes = bytes.length - programOffset;
  if (programBytes > MAX_PROGRAM_BYTES)
    throw new NestboxError('internal', `The demo program has ${programBytes} bytes, ${MAX_PROGRAM_BYTES} fit`);
  const image = new Uint8Array(IMAGE_BYTES);
  image.set(bytes.subarray(0, SECTOR_BYTES));
  image.set(bytes.subarray(programOffset), SECTOR_BYTES);
  fileSystem(image);
  return image;
}
