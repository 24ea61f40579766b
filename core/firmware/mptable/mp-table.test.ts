import { describe, expect, it } from 'vitest';
import { buildMpConfiguration, placeMpTable } from './mp-table.ts';

const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);

function entriesOf(bytes: Uint8Array): number[][] {
  const entries: number[][] = [];
  for (let at = 44; at < bytes.length;) {
    const length = bytes[at] === 0 ? 20 : 8;
    entries.push([...bytes.subarray(at, at + length)]);
    at += length;
  }
  return entries;
}

describe('MP table', () => {
  const table = buildMpConfiguration({ apicIds: [0, 1], ioApicId: 2, cpuSignature: { eax: 0x6fb, edx: 0x78bfbff } });
  const entries = entriesOf(table);

  it('has a header that fits', () => {
    const view = new DataView(table.buffer);
    expect(String.fromCharCode(...table.subarray(0, 4))).toBe('PCMP');
    expect(view.getUint16(4, true)).toBe(table.length);
    expect(sum(table)).toBe(0);
    expect(view.getUint16(34, true)).toBe(entries.length);
    expect(view.getUint32(36, true)).toBe(0xfee00000);
  });

  it('lists processors, buses and the I/O APIC', () => {
    expect(entries[0]?.slice(0, 8)).toEqual([0, 0, 0x14, 3, 0xfb, 6, 0, 0]);
    expect(entries[1]?.slice(0, 4)).toEqual([0, 1, 0x14, 1]);
    expect(entries.filter((entry) => entry[0] === 1).map((entry) => String.fromCharCode(...entry.slice(2)))).toEqual([
      'PCI   ',
      'ISA   ',
    ]);
    expect(entries.filter((entry) => entry[0] === 2)).toEqual([[2, 2, 0x11, 1, 0, 0, 0xc0, 0xfe]]);
  });

  it('routes interrupts', () => {
    const interrupts = entries.filter((entry) => entry[0] === 3);
    const pci = interrupts.filter((entry) => entry[4] === 0);
    expect(pci.length).toBe(31 * 4);
    const route = (slot: number, pin: number): number | undefined =>
      pci.find((entry) => entry[5] === ((slot << 2) | pin))?.[7];
    // Slot 1 pin A is the power management's SCI; slots turn round the links A A+1 A+2 A+3.
    expect([route(1, 0), route(1, 3), route(2, 0), route(3, 0), route(4, 0), route(5, 0)]).toEqual([
      9, 11, 10, 11, 11, 10,
    ]);
    expect(pci.every((entry) => entry[2] === 0x0d && entry[6] === 2)).toBe(true);
    const isa = interrupts.filter((entry) => entry[4] === 1 && entry[1] === 0);
    expect(isa.map((entry) => [entry[5], entry[7]])).toEqual([
      [0, 2],
      ...[1, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15].map((line) => [line, line]),
    ]);
    expect(entries.filter((entry) => entry[0] === 4).map((entry) => [entry[1], entry[6], entry[7]])).toEqual([
      [3, 0xff, 0],
      [1, 0xff, 1],
    ]);
  });

  it('is found by its floating pointer', () => {
    const blocks: Uint8Array[] = [];
    placeMpTable({ apicIds: [0], ioApicId: 0, pciSlots: [3] }, (bytes, alignment) => {
      expect(alignment).toBe(16);
      blocks.push(bytes);
      return 0xf_0000 + blocks.length * 0x1000;
    });
    const pointer = blocks[1] ?? new Uint8Array(0);
    expect(String.fromCharCode(...pointer.subarray(0, 4))).toBe('_MP_');
    expect(new DataView(pointer.buffer).getUint32(4, true)).toBe(0xf_1000);
    expect([pointer[8], pointer[9], sum(pointer)]).toEqual([1, 4, 0]);
  });
});
