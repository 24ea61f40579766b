// Power-on self test: brings the board from reset to the state that INT 19h expects, in one trap. Also tells resets that
// only return to a program (shutdown codes 5, 9 and 0Ah) from real ones.

import type { BiosContext } from '../context.ts';
import { BDA, EBDA } from '../data-area.ts';
import { FIRST_DISK } from '../disk/drive-map.ts';
import type { Geometry } from '../disk/geometry.ts';
import type { Keyboard } from '../input/keyboard.ts';
import { ROM_FIXED } from '../rom/rom-entries.ts';
import { POST_BLOCK_MOVE_RETURN, POST_BOOT, POST_JUMP } from '../rom/trap.ts';
import type { ClockServices } from '../services/int1a.ts';
import type { VgaRom } from '../video/vga-rom.ts';
import type { Video } from '../video/video.ts';
import { printBanner } from './banner.ts';
import { ChipsetSetup } from './chipset-setup.ts';
import { PciSetup } from './pci-setup.ts';
import type { TablePlacer } from './table-placer.ts';

const ROM_SEGMENT = 0xf000;
const SHUTDOWN_JUMP_WITH_EOI = 5;
const SHUTDOWN_BLOCK_MOVE = 9;
const SHUTDOWN_JUMP = 0x0a;
const DEFAULT_PIRQS = [10, 10, 11, 11];
const DEFAULT_PCI_MEMORY = 0xe0000000;
const TEXT_MODE = 3;
const BASE_KIB = 640;
/** Equipment: x87, pointing device, 80-column colour screen. */
const EQUIPMENT_FIXED = 0x0002 | 0x0004 | 0x0020;
const WARM_BOOT = 0x1234;
const VGA_ROM_BASE = 0xc0000;

export interface PostParts {
  readonly video: Video;
  readonly keyboard: Keyboard;
  readonly clock: ClockServices;
  readonly vgaRom: VgaRom;
  readonly tables: TablePlacer;
}

export class Post {
  private readonly bios: BiosContext;
  private readonly parts: PostParts;
  private readonly chipset: ChipsetSetup;

  constructor(bios: BiosContext, parts: PostParts) {
    this.bios = bios;
    this.parts = parts;
    this.chipset = new ChipsetSetup(bios.ports);
  }

  /** @returns the action for the reset stub */
  run(): number {
    const code = this.chipset.takeShutdownCode();
    if (code === SHUTDOWN_JUMP_WITH_EOI) this.chipset.endInterrupt();
    if (code === SHUTDOWN_JUMP_WITH_EOI || code === SHUTDOWN_JUMP) return POST_JUMP;
    if (code === SHUTDOWN_BLOCK_MOVE) return POST_BLOCK_MOVE_RETURN;
    const { bios, parts } = this;
    const { mem, options } = bios;
    const warm = mem.read16(BDA.RESET_FLAG) === WARM_BOOT;
    this.chipset.run();
    mem.fill(0x400, 0x100, 0);
    mem.write8(BDA.PRINT_SCREEN_STATUS, 0);
    this.vectors();
    mem.write16(BDA.RESET_FLAG, warm ? WARM_BOOT : 0);
    mem.write16(BDA.EBDA_SEGMENT, EBDA.SEGMENT);
    mem.fill(EBDA.BASE, EBDA.KIB * 1024, 0);
    mem.write8(EBDA.BASE, EBDA.KIB);
    mem.write16(BDA.MEMORY_KIB, BASE_KIB - EBDA.KIB);
    parts.tables.write(bios.physical);
    bios.physical.write(VGA_ROM_BASE, parts.vgaRom.bytes);
    const serial = this.ports();
    new PciSetup(
      bios.ports,
      bios.log,
      options.pirqRoutes ?? DEFAULT_PIRQS,
      options.pciMemoryBase ?? DEFAULT_PCI_MEMORY,
    ).run();
    const floppies = bios.drives.floppies.length;
    const equipment = EQUIPMENT_FIXED | (floppies > 0 ? 1 | ((floppies - 1) << 6) : 0) | (serial << 9);
    mem.write16(BDA.EQUIPMENT, equipment);
    parts.keyboard.initialize();
    mem.write8(EBDA.MOUSE_FLAGS, 2);
    this.drives(equipment);
    mem.write32(BDA.TICKS, parts.clock.ticksOfDay());
    parts.video.initialize(parts.vgaRom.address('save_pointers'));
    parts.video.setMode(TEXT_MODE);
    if (options.quiet !== true) printBanner(bios);
    return POST_BOOT;
  }

  private setVector(vector: number, offset: number, segment = ROM_SEGMENT): void {
    this.bios.mem.write32(vector * 4, ((segment << 16) | offset) >>> 0);
  }

  private vectors(): void {
    const { bios } = this;
    for (let vector = 0; vector < 256; vector++) {
      // 60h-67h are for programs, which look for zero there.
      if (vector >= 0x60 && vector < 0x68) this.setVector(vector, 0, 0);
      else this.setVector(vector, ROM_FIXED.dummyIret);
    }
    for (const vector of [0x0a, 0x0b, 0x0c, 0x0d, 0x0f]) this.setVector(vector, bios.romSymbol('unexpected_master'));
    for (const vector of [0x72, 0x73, 0x77]) this.setVector(vector, bios.romSymbol('unexpected_slave'));
    const fixed: readonly (readonly [number, number])[] = [
      [0x02, ROM_FIXED.nmi],
      [0x05, ROM_FIXED.int05],
      [0x08, ROM_FIXED.int08],
      [0x09, ROM_FIXED.int09],
      [0x0e, ROM_FIXED.int0e],
      [0x10, ROM_FIXED.int10],
      [0x11, ROM_FIXED.int11],
      [0x12, ROM_FIXED.int12],
      [0x13, ROM_FIXED.int13Disk],
      [0x14, ROM_FIXED.int14],
      [0x15, ROM_FIXED.int15],
      [0x16, ROM_FIXED.int16],
      [0x17, ROM_FIXED.int17],
      [0x18, bios.romSymbol('boot_failed')],
      [0x19, ROM_FIXED.int19],
      [0x1a, ROM_FIXED.int1a],
      [0x1d, ROM_FIXED.videoParameters],
      [0x1e, ROM_FIXED.floppyTable],
      [0x40, ROM_FIXED.int13Floppy],
      [0x42, ROM_FIXED.int10],
      [0x6d, ROM_FIXED.int10],
      [0x70, bios.romSymbol('irq8')],
      [0x71, bios.romSymbol('irq9')],
      [0x74, bios.romSymbol('irq12')],
      [0x75, bios.romSymbol('irq13')],
      [0x76, bios.romSymbol('irq14')],
    ];
    for (const [vector, offset] of fixed) this.setVector(vector, offset);
    const { font8 } = this.parts.vgaRom;
    this.setVector(0x1f, font8.offset + 1024, font8.segment);
    this.setVector(0x43, font8.offset, font8.segment);
    this.setVector(0x44, font8.offset, font8.segment);
  }

  /** @returns the number of serial ports */
  private ports(): number {
    const { mem } = this.bios;
    const serial = this.chipset.serialPorts();
    serial.forEach((base, index) => mem.write16(BDA.COM_PORTS + index * 2, base));
    this.chipset.parallelPorts().forEach((base, index) => mem.write16(BDA.LPT_PORTS + index * 2, base));
    for (let i = 0; i < 4; i++) {
      mem.write8(BDA.LPT_TIMEOUTS + i, 0x14);
      mem.write8(BDA.COM_TIMEOUTS + i, 1);
    }
    return serial.length;
  }

  private drives(equipment: number): void {
    const { mem, drives, options } = this.bios;
    const targets = [0, 1].map((number) => drives.target(number));
    targets.forEach((target, index) => {
      if (target?.kind === 'floppy') mem.write8(BDA.FLOPPY_MEDIA + index, target.format.mediaState);
    });
    mem.write8(BDA.FLOPPY_DRIVES, drives.floppies.length > 1 ? 0x77 : drives.floppies.length === 1 ? 0x07 : 0);
    this.updateDisks();
    const disks = drives.disks.map((_, index) => drives.target(FIRST_DISK + index));
    this.chipset.fillCmos({
      lowRamBytes: options.lowRamBytes,
      highRamBytes: options.highRamBytes,
      equipment: equipment & 0xff,
      // A drive without a medium, or with an odd one, is a 1.44M drive.
      floppyTypes: targets.map((target) => (target?.kind === 'floppy' ? target.format.driveType : 0)),
      disks: disks.flatMap((target) => (target?.kind === 'disk' ? [target.drive.geometry ?? target.geometry] : [])),
    });
  }

  /** Drive counts and fixed disk parameter tables (INT 41h, 46h); again whenever drive numbers or geometries change. */
  updateDisks(): void {
    const { mem, drives } = this.bios;
    mem.write8(BDA.DISK_COUNT, drives.diskCount);
    for (let index = 0; index < 2; index++) {
      const target = drives.target(FIRST_DISK + index);
      const at = EBDA.DISK_TABLES + index * 16;
      if (target?.kind === 'disk') mem.write(at, diskTable(target.geometry, target.drive.geometry ?? target.geometry));
      else mem.fill(at, 16, 0);
      this.setVector(index === 0 ? 0x41 : 0x46, at - EBDA.BASE, EBDA.SEGMENT);
    }
  }
}

/** Fixed disk parameter table; the translated form (Phoenix EDD) when logical and physical geometry differ. */
function diskTable(logical: Geometry, physical: Geometry): Uint8Array {
  const table = new Uint8Array(16);
  const view = new DataView(table.buffer);
  view.setUint16(0, logical.cylinders, true);
  table[2] = logical.heads;
  view.setUint16(5, 0xffff, true);
  table[8] = 0xc0 | (physical.heads > 8 ? 8 : 0);
  table[14] = logical.sectors;
  if (logical.cylinders === physical.cylinders && logical.heads === physical.heads) {
    view.setUint16(12, logical.cylinders, true);
    return table;
  }
  table[3] = 0xa0;
  table[4] = physical.sectors;
  view.setUint16(9, Math.min(physical.cylinders, 0xffff), true);
  table[11] = physical.heads;
  let sum = 0;
  for (let i = 0; i < 15; i++) sum += table[i] as number;
  table[15] = -sum & 0xff;
  return table;
}
