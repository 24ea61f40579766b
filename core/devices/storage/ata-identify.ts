// IDENTIFY DEVICE and IDENTIFY PACKET DEVICE data (ATA/ATAPI-7, 6.17 and 6.18).

export interface DriveIdentity {
  /** 40 characters at most. */
  readonly model: string;
  /** 20 characters at most. */
  readonly serial: string;
  /** 8 characters at most. */
  readonly firmware: string;
}

export interface DiskParameters {
  readonly identity: DriveIdentity;
  readonly sectors: number;
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
  /** The translation that INITIALIZE DEVICE PARAMETERS set. */
  readonly currentHeads: number;
  readonly currentSectorsPerTrack: number;
  readonly multipleSectors: number;
  readonly writeCache: boolean;
  readonly lookAhead: boolean;
  readonly smart: boolean;
  /** Transfer mode byte of SET FEATURES: 20h + n multiword, 40h + n ultra. */
  readonly dmaMode: number;
}

export const MAX_MULTIPLE_SECTORS = 16;
const MAX_LBA28_SECTORS = 0x0fff_ffff;
/** Commands and features: words 82-84 and their enabled counterparts 85-87. */
const SUPPORTS_SMART = 0x0001;
const SUPPORTS_POWER = 0x0008;
const SUPPORTS_PACKET = 0x0010;
const SUPPORTS_WRITE_CACHE = 0x0020;
const SUPPORTS_LOOK_AHEAD = 0x0040;
const SUPPORTS_DEVICE_RESET = 0x0200;
const SUPPORTS_NOP = 0x4000;
const SUPPORTS_LBA48 = 0x0400;
const SUPPORTS_FLUSH = 0x1000;
const SUPPORTS_FLUSH_EXT = 0x2000;
const SUPPORTS_FUA = 0x0040;
const WORD_VALID = 0x4000;

class IdentifyWords {
  readonly bytes = new Uint8Array(512);

  set(word: number, value: number): void {
    this.bytes[word * 2] = value;
    this.bytes[word * 2 + 1] = value >>> 8;
  }

  set32(word: number, value: number): void {
    this.set(word, value & 0xffff);
    this.set(word + 1, value >>> 16);
  }

  /** ASCII, two characters a word with the first in the high byte. */
  text(word: number, words: number, text: string): void {
    const padded = text.replaceAll(/[^\x20-\x7e]/g, '?').padEnd(words * 2, ' ');
    for (let i = 0; i < words; i++) this.set(word + i, (padded.charCodeAt(i * 2) << 8) | padded.charCodeAt(i * 2 + 1));
  }

  identity({ model, serial, firmware }: DriveIdentity): void {
    this.text(10, 10, serial.slice(0, 20));
    this.text(23, 4, firmware.slice(0, 8));
    this.text(27, 20, model.slice(0, 40));
  }

  /** Words 62-68 and 88: DMA and PIO modes, with the selected one marked. */
  modes(dmaMode: number): void {
    const multiword = (dmaMode & 0xf8) === 0x20 ? 1 << (dmaMode & 7) : 0;
    const ultra = (dmaMode & 0xf8) === 0x40 ? 1 << (dmaMode & 7) : 0;
    this.set(63, 0x0007 | (multiword << 8));
    this.set(64, 0x0003);
    for (let word = 65; word <= 68; word++) this.set(word, 120);
    this.set(88, 0x003f | (ultra << 8));
    // 80-wire cable, device 0 found it.
    this.set(93, 0x600b);
  }

  /** The checksum byte that makes the 512 bytes sum up to 0. */
  finish(): Uint8Array {
    this.bytes[510] = 0xa5;
    this.bytes[511] = 0;
    this.bytes[511] = -this.bytes.reduce((sum, byte) => sum + byte, 0);
    return this.bytes;
  }
}

export function identifyDisk(disk: DiskParameters): Uint8Array {
  const words = new IdentifyWords();
  const { heads, sectorsPerTrack, currentHeads, currentSectorsPerTrack, sectors } = disk;
  const addressable28 = Math.min(sectors, MAX_LBA28_SECTORS);
  const currentCylinders = Math.min(Math.floor(addressable28 / (currentHeads * currentSectorsPerTrack)), 0xffff);
  words.set(0, 0x0040);
  words.set(1, disk.cylinders);
  words.set(3, heads);
  words.set(4, sectorsPerTrack * 512);
  words.set(5, 512);
  words.set(6, sectorsPerTrack);
  words.identity(disk.identity);
  words.set(20, 3);
  words.set(21, 512);
  words.set(47, 0x8000 | MAX_MULTIPLE_SECTORS);
  words.set(48, 0x0001); // 32-bit data port accesses
  words.set(49, 0x0f00); // DMA, LBA, IORDY
  words.set(50, WORD_VALID);
  words.set(51, 0x0200);
  words.set(53, 0x0007);
  words.set(54, currentCylinders);
  words.set(55, currentHeads);
  words.set(56, currentSectorsPerTrack);
  words.set32(57, currentCylinders * currentHeads * currentSectorsPerTrack);
  words.set(59, disk.multipleSectors > 0 ? 0x0100 | disk.multipleSectors : 0);
  words.set32(60, addressable28);
  words.modes(disk.dmaMode);
  words.set(80, 0x00f0); // ATA/ATAPI-4 to 7
  words.set(81, 0x001a);
  const supported = SUPPORTS_SMART | SUPPORTS_POWER | SUPPORTS_WRITE_CACHE | SUPPORTS_LOOK_AHEAD | SUPPORTS_NOP;
  const off = (disk.smart ? 0 : SUPPORTS_SMART) | (disk.writeCache ? 0 : SUPPORTS_WRITE_CACHE) | (disk.lookAhead ? 0 : SUPPORTS_LOOK_AHEAD);
  words.set(82, supported);
  words.set(83, WORD_VALID | SUPPORTS_LBA48 | SUPPORTS_FLUSH | SUPPORTS_FLUSH_EXT);
  words.set(84, WORD_VALID | SUPPORTS_FUA);
  words.set(85, supported & ~off);
  words.set(86, SUPPORTS_LBA48 | SUPPORTS_FLUSH | SUPPORTS_FLUSH_EXT);
  words.set(87, WORD_VALID | SUPPORTS_FUA);
  words.set32(100, sectors % 0x1_0000_0000);
  words.set32(102, Math.floor(sectors / 0x1_0000_0000));
  words.set(105, 1); // blocks of a data set management command
  words.set(106, WORD_VALID);
  words.set(169, 0x0001); // TRIM
  words.set(217, 0x0001); // no rotation
  return words.finish();
}

export function identifyPacketDevice(identity: DriveIdentity, dmaMode: number): Uint8Array {
  const words = new IdentifyWords();
  words.set(0, 0x85c0); // packet device, CD-ROM, removable, 12-byte packets, DRQ within 50 us
  words.identity(identity);
  words.set(49, 0x0f00);
  words.set(53, 0x0006);
  words.modes(dmaMode);
  words.set(80, 0x00f0);
  words.set(81, 0x001a);
  words.set(82, SUPPORTS_PACKET | SUPPORTS_DEVICE_RESET | SUPPORTS_NOP);
  words.set(83, WORD_VALID);
  words.set(84, WORD_VALID);
  words.set(85, SUPPORTS_PACKET | SUPPORTS_DEVICE_RESET | SUPPORTS_NOP);
  words.set(87, WORD_VALID);
  return words.finish();
}
