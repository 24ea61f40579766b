import { describe, expect, it } from 'vitest';
import { FlatMemory } from '../loaders/flat-memory.ts';
import type { MemoryMapEntry } from '../loaders/memory-map.ts';
import { KernelRomPort, kernelRom } from './kernel-rom.ts';

const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);

describe('kernel ROM', () => {
  it('is an option ROM with a bootstrap entry', () => {
    const rom = kernelRom();
    const view = new DataView(rom.buffer);
    expect([rom[0], rom[1], (rom[2] ?? 0) * 512]).toEqual([0x55, 0xaa, rom.length]);
    expect(sum(rom)).toBe(0);
    const header = view.getUint16(0x1a, true);
    expect(String.fromCharCode(...rom.subarray(header, header + 4))).toBe('$PnP');
    const length = (rom[header + 5] ?? 0) * 16;
    expect(sum(rom.subarray(header, header + length))).toBe(0);
    // Boot connection and disconnect vectors are not there, the bootstrap entry vector is.
    expect([view.getUint16(header + 0x16, true), view.getUint16(header + 0x18, true)]).toEqual([0, 0]);
    expect(view.getUint16(header + 0x1a, true)).toBeGreaterThan(header + length);
  });

  it("hands over the firmware's map, and nothing senseless", () => {
    const memory = new FlatMemory(1 << 20);
    const maps: (readonly MemoryMapEntry[])[] = [];
    const port = new KernelRomPort({ memory, onBoot: (map) => maps.push(map) });
    const view = new DataView(memory.bytes.buffer);
    const entry = (index: number, base: bigint, length: bigint, type: number): void => {
      view.setBigUint64(0x10000 + index * 20, base, true);
      view.setBigUint64(0x10008 + index * 20, length, true);
      view.setUint32(0x10010 + index * 20, type, true);
    };
    entry(0, 0n, 0x9fc00n, 1);
    entry(1, 0xffff_ffff_ffff_0000n, 0x1_0000n, 1);
    entry(2, 0x1_0000_0000n, 0x1000n, 2);
    port.writePort(0, 1, 3);
    port.writePort(1, 1, 0);
    expect(maps).toEqual([]);
    port.writePort(0, 2, 3);
    expect(maps).toEqual([[{ base: 0, length: 0x9fc00, type: 1 }, { base: 0x1_0000_0000, length: 0x1000, type: 2 }]]);
    port.writePort(0, 2, 0xffff);
    expect(maps[1]?.length).toBeLessThanOrEqual(128);
  });
});
