import { describe, expect, it } from 'vitest';
import { PAGE } from '../cpu/isa/layout.ts';
import { layOutMemory } from './layout.ts';
import { PhysicalMemory } from './physical-memory.ts';

const MIB = 1 << 20;
const PAGE_BYTES = 4096;

function make(): { memory: PhysicalMemory; cleared: () => number } {
  const layout = layOutMemory({ ramBytes: MIB, romBytes: 65536, vramBytes: 65536, vcpus: 1 });
  const memory = new PhysicalMemory(new SharedArrayBuffer(layout.totalBytes), layout);
  memory.mapRam();
  let count = 0;
  memory.addListener({ mapChanged: () => undefined, written: () => undefined, dirtyCleared: () => count++ });
  return { memory, cleared: () => count };
}

/** Page `n` is filled with bytes of value n. */
const numbered = { read: (page: number, target: Uint8Array) => void target.fill(page) };

describe('dirty marks', () => {
  it('are apart for everyone who watches', () => {
    const { memory, cleared } = make();
    const { layout } = memory;
    memory.contentsReplaced();
    memory.watchState();
    const vramPage = (layout.vramBase - layout.ramBase) / PAGE_BYTES;
    expect(memory.takeVramDirty(0, PAGE_BYTES)).toBe(true);
    memory.write8(5 * PAGE_BYTES + 7, 1);
    memory.write(9 * PAGE_BYTES - 2, new Uint8Array(4));
    const before = cleared();
    const pages = new Uint8Array(layout.trackedPages);
    memory.takeStateDirty(pages);
    expect(cleared()).toBe(before + 1);
    expect([...pages.keys()].filter((page) => pages[page] === 1)).toEqual([5, 8, 9]);
    expect(memory.takeVramDirty(0, PAGE_BYTES)).toBe(false);
    // The display's question took nothing from the state's, nor the other way round.
    memory.takeStateDirty(pages.fill(0));
    expect(pages.every((page) => page === 0)).toBe(true);
    expect(pages[vramPage]).toBe(0);
  });
});

describe('pages that are filled when they are needed', () => {
  const absentAll = (memory: PhysicalMemory): void => memory.setAbsent(new Uint8Array(memory.ramBytes / PAGE_BYTES).fill(1), numbered);

  it('are filled by every kind of access', () => {
    const { memory } = make();
    absentAll(memory);
    expect(memory.absentPages).toBe(256);
    expect(memory.read8(3 * PAGE_BYTES)).toBe(3);
    expect(memory.read32(5 * PAGE_BYTES - 2)).toBe(0x05050404);
    memory.write16(7 * PAGE_BYTES, 0xffff);
    expect(memory.read16(7 * PAGE_BYTES + 2)).toBe(0x0707);
    const block = new Uint8Array(2 * PAGE_BYTES);
    memory.read(10 * PAGE_BYTES + 5, block);
    expect([block[0], block[PAGE_BYTES], block[2 * PAGE_BYTES - 1]]).toEqual([10, 11, 12]);
    memory.write(20 * PAGE_BYTES, Uint8Array.of(1));
    expect(memory.directBytes(20 * PAGE_BYTES, 2, false)).toEqual(Uint8Array.of(1, 20));
    expect(memory.directBytes(30 * PAGE_BYTES, 2, true)).toEqual(Uint8Array.of(30, 30));
    expect(memory.absentPages).toBe(256 - 9);
  });

  it('are told to the processor through the page map, also after the map changed', () => {
    const { memory } = make();
    absentAll(memory);
    const words = new Uint32Array(memory.buffer, memory.layout.pageMapBase, 256);
    expect((words[40] ?? 0) & PAGE.ABSENT).not.toBe(0);
    memory.unmap(40 * PAGE_BYTES, PAGE_BYTES);
    memory.fillPage(41);
    expect((words[41] ?? 0) & PAGE.ABSENT).toBe(0);
    memory.map(40 * PAGE_BYTES, PAGE_BYTES, memory.layout.ramBase + 40 * PAGE_BYTES, PAGE.READ | PAGE.RAM);
    expect((words[40] ?? 0) & PAGE.ABSENT).not.toBe(0);
    memory.fillPage(40);
    expect(memory.ram[40 * PAGE_BYTES]).toBe(40);
  });

  it('are not dirty once they are filled, and none is left after fillAll', () => {
    const { memory } = make();
    memory.contentsReplaced();
    absentAll(memory);
    memory.watchState();
    memory.fillAll();
    expect(memory.absentPages).toBe(0);
    const pages = new Uint8Array(memory.layout.trackedPages);
    memory.takeStateDirty(pages);
    expect(pages.every((page) => page === 0)).toBe(true);
    expect(memory.ram[255 * PAGE_BYTES]).toBe(255);
  });
});
