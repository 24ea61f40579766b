import { describe, expect, it } from 'vitest';
import { MmioBus } from '../bus/mmio-bus.ts';
import { PAGE } from '../cpu/isa/layout.ts';
import { layOutMemory } from '../memory/layout.ts';
import { PhysicalMemory } from '../memory/physical-memory.ts';
import { PcMemoryMap } from './pc-memory-map.ts';

function build(): { memory: PhysicalMemory; mmio: MmioBus; map: PcMemoryMap; entry: (address: number) => number } {
  const layout = layOutMemory({ ramBytes: 4 << 20, romBytes: 256 << 10, vramBytes: 1 << 20, vcpus: 1 });
  const memory = new PhysicalMemory(new SharedArrayBuffer(layout.totalBytes), layout);
  const mmio = new MmioBus();
  const map = new PcMemoryMap(memory, mmio);
  const pages = new Uint32Array(memory.buffer, layout.pageMapBase, PAGE.PHYS_PAGES);
  return { memory, mmio, map, entry: (address) => pages[Math.floor(address / 4096)] ?? 0 };
}

const RAM = PAGE.READ | PAGE.WRITE | PAGE.RAM;
const ROM = PAGE.READ | PAGE.RAM;

describe('PcMemoryMap', () => {
  it('maps RAM, the VGA hole, and the ROM at both ends', () => {
    const { memory, entry } = build();
    const { layout } = memory;
    expect(entry(0)).toBe(layout.ramBase | RAM);
    expect(entry(0xa0000)).toBe(0);
    expect(entry(0xc8000)).toBe(0);
    expect(entry(0x100000)).toBe((layout.ramBase + 0x100000) | RAM);
    expect(entry(0x400000)).toBe(0);
    expect(entry(0xfffc0000)).toBe(layout.romBase | ROM);
    expect(entry(0xe0000)).toBe((layout.romBase + 0x20000) | ROM);
    expect(entry(0xff000)).toBe(entry(0xfffff000));
  });

  it('follows PAM: read and write enables of each region', () => {
    const { memory, mmio, map, entry } = build();
    const { layout } = memory;
    const region = (start: number, length: number, readRam: boolean, writeRam: boolean) => ({ start, length, readRam, writeRam });
    map.setShadow([region(0xf0000, 0x10000, true, true), region(0xc0000, 0x4000, true, false), region(0xe4000, 0x4000, false, true)]);
    expect(entry(0xf0000)).toBe((layout.ramBase + 0xf0000) | RAM);
    expect(entry(0xc0000)).toBe((layout.ramBase + 0xc0000) | ROM);
    expect(entry(0xc4000)).toBe(0);
    // Writes go to RAM while reads come from ROM.
    expect(entry(0xe4000)).toBe((layout.romBase + 0x24000) | ROM);
    mmio.write(0xe4010, 4, 0x12345678);
    mmio.write(0xc0010, 4, 0x55555555);
    expect(memory.read32(0xe4010)).toBe(0x12345678);
    expect(memory.read32(0xc0010)).toBe(0);
  });

  it('maps the frame buffer where its BAR says, but never over RAM', () => {
    const { memory, map, entry } = build();
    map.setFrameBuffer(0xfd000000, 1 << 20);
    expect(entry(0xfd000000)).toBe(memory.layout.vramBase | RAM);
    map.setFrameBuffer(0x100000, 1 << 20);
    expect(entry(0xfd000000)).toBe(0);
    expect(entry(0x100000)).toBe((memory.layout.ramBase + 0x100000) | RAM);
  });
});

describe('PhysicalMemory as DMA', () => {
  it('reads ones and loses writes outside RAM, also across its end', () => {
    const { memory } = build();
    const end = 4 << 20;
    memory.write(end - 2, Uint8Array.of(1, 2, 3, 4));
    const target = new Uint8Array(4);
    memory.read(end - 2, target);
    expect([...target]).toEqual([1, 2, 0xff, 0xff]);
    memory.write32(end - 1, 5);
    expect(memory.read8(end - 1)).toBe(2);
    expect(memory.read16(0xfee00000)).toBe(0xffff);
  });

  it('tells of writes to pages with decoded code, and of cleared dirty marks', () => {
    const { memory } = build();
    const events: string[] = [];
    memory.addListener({ mapChanged: () => events.push('map'), written: (at, length) => events.push(`w${at}+${length}`), dirtyCleared: () => events.push('clean') });
    memory.write8(0x5000, 1);
    expect(events).toEqual([]);
    new Uint32Array(memory.buffer, memory.layout.granuleBase)[5 * 2 + 1] = 1;
    memory.write(0x4fff, Uint8Array.of(1, 2));
    expect(events).toEqual(['w20479+2']);
    new Uint8Array(memory.buffer, memory.layout.dirtyBase)[(memory.layout.vramBase - memory.layout.ramBase) >>> 12] = 1;
    expect(memory.takeVramDirty(0, 4096)).toBe(true);
    expect(memory.takeVramDirty(0, 4096)).toBe(false);
    expect(events).toEqual(['w20479+2', 'clean']);
  });
});
