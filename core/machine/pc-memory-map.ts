// The physical address map of the i440FX board: RAM, the shadow regions C0000-FFFFF under the host bridge's PAM registers
// (Intel 82441FX datasheet, 3.2.18), the firmware ROM below 1 MiB and below 4 GiB, and the frame buffer's BAR.

import type { MmioBus } from '../bus/mmio-bus.ts';
import type { AccessSize } from '../bus/port-bus.ts';
import { PAGE } from '../cpu/isa/layout.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';

const SHADOW_BASE = 0xc_0000;
const SHADOW_END = 0x10_0000;
const LEGACY_ROM_BASE = 0xe_0000;
const LEGACY_ROM_BYTES = 0x2_0000;
const VGA_WINDOW_BASE = 0xa_0000;
const FOUR_GIB = 0x1_0000_0000;
const RAM_FLAGS = PAGE.READ | PAGE.WRITE | PAGE.RAM;
const ROM_FLAGS = PAGE.READ | PAGE.RAM;

const READ_ENABLE = 1;
const WRITE_ENABLE = 2;

/** A part of C0000-FFFFF as the host bridge's PAM registers route it. */
export interface ShadowRegion {
  readonly start: number;
  readonly length: number;
  readonly readRam: boolean;
  readonly writeRam: boolean;
}

export class PcMemoryMap {
  private readonly memory: PhysicalMemory;
  /** Region attribute of each 16 KiB from C0000. */
  private readonly attributes = new Uint8Array(16);
  private frameBuffer: { base: number; length: number } | undefined;

  constructor(memory: PhysicalMemory, mmio: MmioBus) {
    this.memory = memory;
    // Writes to ROM, or to a region whose reads and writes go to different places, arrive here.
    mmio.register(SHADOW_BASE, SHADOW_END - SHADOW_BASE, {
      readMmio: (offset, size) => this.readShadow(SHADOW_BASE + offset, size),
      writeMmio: (offset, size, value) => this.writeShadow(SHADOW_BASE + offset, size, value),
    });
    memory.mapRam();
    memory.unmap(VGA_WINDOW_BASE, SHADOW_BASE - VGA_WINDOW_BASE);
    memory.map(FOUR_GIB - memory.layout.romBytes, memory.layout.romBytes, memory.layout.romBase, ROM_FLAGS);
    this.mapShadow();
  }

  /** Host address of the ROM's last 128 KiB, which also appear at E0000. */
  private get legacyRomHost(): number {
    return this.memory.layout.romBase + this.memory.layout.romBytes - LEGACY_ROM_BYTES;
  }

  /** The host bridge's PAM registers changed. */
  setShadow(regions: readonly ShadowRegion[]): void {
    for (const region of regions) {
      const first = (region.start - SHADOW_BASE) >> 14;
      this.attributes.fill((region.readRam ? READ_ENABLE : 0) | (region.writeRam ? WRITE_ENABLE : 0), first, first + (region.length >> 14));
    }
    this.mapShadow();
    this.memory.notifyMapChanged();
  }

  private mapShadow(): void {
    for (let i = 0; i < 16; i++) {
      const base = SHADOW_BASE + i * 0x4000;
      const ram = this.memory.layout.ramBase + base;
      const attribute = this.attributes[i] ?? 0;
      if (base >= this.memory.lowRamBytes && (attribute & READ_ENABLE) !== 0) this.memory.unmap(base, 0x4000);
      else if ((attribute & READ_ENABLE) !== 0) this.memory.map(base, 0x4000, ram, (attribute & WRITE_ENABLE) !== 0 ? RAM_FLAGS : ROM_FLAGS);
      else if (base >= LEGACY_ROM_BASE) this.memory.map(base, 0x4000, this.legacyRomHost + (base - LEGACY_ROM_BASE), ROM_FLAGS);
      else this.memory.unmap(base, 0x4000);
    }
  }

  private attributeAt(address: number): number {
    return this.attributes[(address - SHADOW_BASE) >> 14] ?? 0;
  }

  /** Only unmapped regions get here: reads are not in RAM and there is no ROM. */
  private readShadow(_address: number, size: AccessSize): number {
    return size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
  }

  private writeShadow(address: number, size: AccessSize, value: number): void {
    if ((this.attributeAt(address) & WRITE_ENABLE) === 0) return;
    if (size === 1) this.memory.write8(address, value);
    else if (size === 2) this.memory.write16(address, value);
    else this.memory.write32(address, value);
  }

  /** The display adapter's frame buffer BAR moved; undefined = not decoded. */
  setFrameBuffer(base: number | undefined, length: number): void {
    const old = this.frameBuffer;
    if (old !== undefined) this.memory.unmap(old.base, old.length);
    // A guest may put the BAR over RAM; RAM keeps its addresses, as the host bridge decodes it first.
    const usable = base !== undefined && base >= this.memory.lowRamBytes && base + length <= FOUR_GIB - this.memory.layout.romBytes;
    this.frameBuffer = usable ? { base, length } : undefined;
    if (usable) this.memory.map(base, Math.min(length, this.memory.layout.vramBytes), this.memory.layout.vramBase, RAM_FLAGS);
    this.memory.notifyMapChanged();
  }
}
