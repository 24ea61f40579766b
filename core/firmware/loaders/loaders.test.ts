import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { NestboxError } from '../../base/errors.ts';
import { ByteWriter } from '../byte-writer.ts';
import { FlatMemory } from './flat-memory.ts';
import { type KernelBootOptions, type LoadedKernel, loadKernel } from './load-kernel.ts';
import { LoadArea } from './load-area.ts';
import { pcMemoryMap } from './memory-map.ts';
import { nodeUnpackers } from '../../host/files/kernel-unpackers.ts';

const MIB = 1 << 20;

function boot(
  content: Uint8Array,
  options: Partial<KernelBootOptions> & { ramMib?: number } = {},
): LoadedKernel & { memory: FlatMemory; view: DataView } {
  const ramBytes = (options.ramMib ?? 32) * MIB;
  const memory = new FlatMemory(ramBytes);
  const memoryMap = pcMemoryMap({ lowRamBytes: ramBytes, highRamBytes: 0 });
  const loaded = loadKernel({ memory, memoryMap, kernel: { content, name: 'vmlinuz' }, ...options });
  expect(memory.strayWrites).toBe(0);
  return { ...loaded, memory, view: new DataView(memory.bytes.buffer) };
}

function refusal(content: Uint8Array, options: Parameters<typeof boot>[1] = {}): string {
  try {
    boot(content, options);
  } catch (error) {
    expect(error).toBeInstanceOf(NestboxError);
    expect((error as NestboxError).kind).toBe('bad-input');
    return (error as NestboxError).message;
  }
  throw new Error('was not refused');
}

interface FakeLinux {
  version?: number;
  loadFlags?: number;
  xload?: number;
  setupSectors?: number;
  payload?: number;
  initBytes?: number;
  initrdMax?: number;
}

function linuxImage(fake: FakeLinux = {}): Uint8Array {
  const sectors = fake.setupSectors ?? 2;
  const payload = fake.payload ?? 5000;
  const image = new Uint8Array((sectors + 1) * 512 + payload);
  const view = new DataView(image.buffer);
  image[0x1f1] = sectors;
  view.setUint32(0x1f4, Math.floor(payload / 16), true);
  view.setUint16(0x1fe, 0xaa55, true);
  image.set([0xeb, 0x66], 0x200);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, fake.version ?? 0x020f, true);
  image[0x211] = fake.loadFlags ?? 1;
  view.setUint32(0x214, 0x100000, true);
  view.setUint32(0x22c, fake.initrdMax ?? 0x7fffffff, true);
  view.setUint32(0x230, 0x200000, true);
  image[0x234] = 1;
  view.setUint16(0x236, fake.xload ?? 1, true);
  view.setUint32(0x238, 2047, true);
  view.setBigUint64(0x258, 0x1000000n, true);
  view.setUint32(0x260, fake.initBytes ?? 0x400000, true);
  for (let index = 0; index < payload; index++) image[(sectors + 1) * 512 + index] = (index * 13 + 5) & 0xff;
  return image;
}

interface FakeSegment {
  type?: number;
  address: number;
  virtual?: number;
  content: Uint8Array;
  memoryBytes?: number;
}

function elfImage(bits: 32 | 64, entry: number, segments: FakeSegment[], machine = bits === 64 ? 62 : 3): Uint8Array {
  const wide = bits === 64;
  const headerBytes = wide ? 64 : 52;
  const entryBytes = wide ? 56 : 32;
  const out = new ByteWriter();
  out
    .bytes([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1])
    .zeroes(9)
    .u16(2)
    .u16(machine)
    .u32(1);
  if (wide) out.u64(entry).u64(headerBytes).u64(0).u32(0);
  else out.u32(entry).u32(headerBytes).u32(0).u32(0);
  out.u16(headerBytes).u16(entryBytes).u16(segments.length).u16(0).u16(0).u16(0);
  let offset = 4096;
  for (const segment of segments) {
    const size = segment.content.length;
    const memory = segment.memoryBytes ?? size;
    const virtual = segment.virtual ?? segment.address;
    if (wide)
      out
        .u32(segment.type ?? 1)
        .u32(7)
        .u64(offset)
        .u64(virtual)
        .u64(segment.address)
        .u64(size)
        .u64(memory)
        .u64(4);
    else
      out
        .u32(segment.type ?? 1)
        .u32(offset)
        .u32(virtual)
        .u32(segment.address)
        .u32(size)
        .u32(memory)
        .u32(7)
        .u32(4);
    offset += size;
  }
  out.zeroes(4096 - out.length);
  for (const segment of segments) out.bytes(segment.content);
  return out.toBytes();
}

const pvhNote = (entry: number): FakeSegment => ({
  type: 4,
  address: 0,
  content: new ByteWriter()
    .u32(4)
    .u32(4)
    .u32(6)
    .text('GNU')
    .u8(0)
    .u32(0)
    .u32(4)
    .u32(4)
    .u32(18)
    .text('Xen')
    .u8(0)
    .u32(entry)
    .toBytes(),
});

const multibootWords = (flags: number, rest: number[] = []): Uint8Array => {
  const out = new ByteWriter()
    .u32(0x1badb002)
    .u32(flags)
    .u32(-(0x1badb002 + flags) >>> 0);
  for (const word of rest) out.u32(word);
  return out.toBytes();
};

describe('memory map', () => {
  it('covers a PC in order, without overlaps, around reserved tables', () => {
    const map = pcMemoryMap({ lowRamBytes: 0xc0000000, highRamBytes: 512 * MIB }, [
      { base: 0xbffe0000, length: 0x20000, type: 3 },
    ]);
    expect(map).toEqual([
      { base: 0, length: 0x9fc00, type: 1 },
      { base: 0x9fc00, length: 0x400, type: 2 },
      { base: 0xf0000, length: 0x10000, type: 2 },
      { base: 0x100000, length: 0xbfee0000, type: 1 },
      { base: 0xbffe0000, length: 0x20000, type: 3 },
      { base: 0xfffc0000, length: 0x40000, type: 2 },
      { base: 0x100000000, length: 512 * MIB, type: 1 },
    ]);
  });
});

describe('load area', () => {
  it('places only in free RAM', () => {
    const area = new LoadArea(new FlatMemory(4 * MIB), pcMemoryMap({ lowRamBytes: 4 * MIB, highRamBytes: 0 }));
    area.reserve(0x100000, 0x1000, 'a');
    expect(() => area.reserve(0x100fff, 1, 'b')).toThrow(/overlaps a/);
    expect(() => area.reserve(0x9f000, 0x1000, 'c')).toThrow(/memory/);
    expect(() => area.reserve(4 * MIB - 1, 2, 'd')).toThrow(/memory/);
    expect(() => area.reserve(2 ** 53, 1, 'e')).toThrow(/impossible/);
    expect(area.findAbove(0x100000, 0x1000, 4096)).toBe(0x101000);
    expect(area.findAbove(0x90000, 0x10000, 4096)).toBe(0x101000);
    expect(area.findBelow(0x101800, 0x1000, 4096)).toBe(0x9e000);
    expect(area.findBelow(2 ** 32, 0x1000, 4096)).toBe(4 * MIB - 0x1000);
    expect(area.findAbove(0, 8 * MIB, 4096)).toBeUndefined();
  });
});

describe('Linux bzImage', () => {
  it('enters a 64-bit kernel on identity page tables', () => {
    const image = linuxImage();
    const initrd = Uint8Array.from({ length: 10000 }, (_, index) => index & 0xff);
    const result = boot(image, {
      initrd: { content: initrd, name: 'initrd' },
      commandLine: 'console=ttyS0 quiet',
      rsdpAddress: 0xf1230,
    });
    const { entry, memory, view } = result;
    expect(result.protocol).toBe('linux');
    expect(entry.mode).toBe('long64');
    expect(entry.rip).toBe(0x100200n);
    expect(entry.segments.cs).toMatchObject({ selector: 0x10, access: 0xa09b });
    expect(entry.segments.ds).toMatchObject({ selector: 0x18, access: 0xc093 });
    expect(entry.cr0 & 0x80000001n).toBe(0x80000001n);
    expect(entry.efer).toBe(0x500n);
    const zero = Number(entry.gpr[6]);
    expect(memory.bytes.subarray(0x100000, 0x100000 + 5000)).toEqual(image.subarray(1536));
    expect(memory.bytes.subarray(zero + 0x1f1, zero + 0x210)).toEqual(
      (() => {
        const header = image.slice(0x1f1, 0x210);
        header.set([0xff, 0xff], 9);
        return header;
      })(),
    );
    expect(memory.bytes[zero + 0x210]).toBe(0xff);
    const address = view.getUint32(zero + 0x218, true);
    expect(address).toBe(32 * MIB - 12288);
    expect(view.getUint32(zero + 0x21c, true)).toBe(10000);
    expect(memory.bytes.subarray(address, address + 10000)).toEqual(initrd);
    const text = view.getUint32(zero + 0x228, true);
    expect(String.fromCharCode(...memory.bytes.subarray(text, text + 20))).toBe('console=ttyS0 quiet\0');
    expect(view.getBigUint64(zero + 0x70, true)).toBe(0xf1230n);
    expect(memory.bytes[zero + 0x1e8]).toBe(5);
    expect(view.getBigUint64(zero + 0x2d0 + 8, true)).toBe(0x9fc00n);
    expect(view.getUint32(zero + 0x1e0, true)).toBe(31 * 1024);
    // Walk the tables for the last byte below 4 GiB.
    const pml4 = Number(entry.cr3);
    const pdpt = view.getUint32(pml4, true) & ~0xfff;
    const directory = view.getUint32(pdpt + 3 * 8, true) & ~0xfff;
    expect(view.getUint32(directory + 511 * 8, true)).toBe(0xffe00083);
    // The descriptor table holds what the segment registers hold.
    expect(view.getBigUint64(Number(entry.gdtr.base) + 0x10, true)).toBe(0x00af9b000000ffffn);
  });

  it('enters 32-bit kernels with paging off', () => {
    for (const options of [{ longMode: false }, { linuxEntry: '32-bit' as const }]) {
      const { entry } = boot(linuxImage(), options);
      expect(entry).toMatchObject({ mode: 'protected32', rip: 0x100000n, cr0: 0x11n, cr4: 0n, efer: 0n });
      expect(entry.segments.cs.access).toBe(0xc09b);
    }
    expect(boot(linuxImage({ xload: 0 })).entry.mode).toBe('protected32');
  });

  describe('with a kernel that the host can unpack', () => {
    const packedImage = (elf: Uint8Array): Uint8Array => {
      const packed = new Uint8Array(gzipSync(elf));
      const image = linuxImage({ payload: packed.length + 0x200 });
      const view = new DataView(image.buffer);
      view.setUint32(0x248, 0x100, true);
      view.setUint32(0x24c, packed.length, true);
      image.set(packed, 1536 + 0x100);
      return image;
    };
    const code = Uint8Array.from({ length: 4096 }, (_, index) => (index * 3) & 0xff);
    const kernel = elfImage(64, 0x1000040, [
      { address: 0x1000000, virtual: 0x81000000, content: code },
      { address: 0x1200000, virtual: 0x81200000, content: code, memoryBytes: 0x8000 },
    ]);

    it('starts it in place with the same zero page', () => {
      const { entry, memory, view } = boot(packedImage(kernel), { unpackers: nodeUnpackers, commandLine: 'x' });
      expect(entry).toMatchObject({ mode: 'long64', rip: 0x1000040n });
      expect(memory.bytes.subarray(0x1000000, 0x1001000)).toEqual(code);
      expect(memory.bytes.subarray(0x1200000, 0x1201000)).toEqual(code);
      expect(memory.bytes[0x100000]).toBe(0);
      expect(view.getUint32(Number(entry.gpr[6]) + 0x202, true)).toBe(0x53726448);
    });

    it('falls back to the image where something is odd', () => {
      const entryOf = (elf: Uint8Array, options: Partial<KernelBootOptions> = {}): bigint =>
        boot(packedImage(elf), { unpackers: nodeUnpackers, ...options }).entry.rip;
      expect(entryOf(kernel, { linuxEntry: '32-bit' })).toBe(0x100000n);
      expect(entryOf(kernel, { unpackers: {} })).toBe(0x100200n);
      const far = elfImage(64, 0x1000000, [{ address: 0x1000000, content: code, memoryBytes: 0x1000000 }]);
      expect(entryOf(far)).toBe(0x100200n);
      expect(
        entryOf(
          elfImage(64, 0x1000000, [
            { address: 0x1000000, content: code },
            { address: 0x1000800, content: code },
          ]),
        ),
      ).toBe(0x100200n);
      const damaged = packedImage(kernel);
      damaged.fill(0, 1536 + 0x110, 1536 + 0x130);
      expect(boot(damaged, { unpackers: nodeUnpackers }).entry.rip).toBe(0x100200n);
    });
  });

  it('enters the setup code in real mode', () => {
    const image = linuxImage({ version: 0x0202 });
    const { entry, memory, view } = boot(image, { linuxEntry: '16-bit', commandLine: 'a b' });
    expect(entry).toMatchObject({ mode: 'real', rip: 0n, cr0: 0x10n });
    expect(entry.segments.cs).toMatchObject({ selector: 0x1020, base: 0x10200n });
    expect(entry.segments.ss.selector).toBe(0x1000);
    expect(memory.bytes[0x10211]).toBe(0x81);
    expect(view.getUint32(0x10228, true)).toBe(0x20000);
    expect(memory.bytes.subarray(0x10202, 0x10206)).toEqual(image.subarray(0x202, 0x206));
  });

  it('keeps the initrd below the kernel limit and off the unpacked kernel', () => {
    const content = new Uint8Array(MIB).fill(1);
    const limited = boot(linuxImage({ initrdMax: 0x17fffff }), { initrd: { content, name: 'i' } });
    expect(limited.view.getUint32(Number(limited.entry.gpr[6]) + 0x218, true)).toBe(0x1700000);
    const below = boot(linuxImage({ initrdMax: 0x13fffff }), { initrd: { content, name: 'i' } });
    expect(below.view.getUint32(Number(below.entry.gpr[6]) + 0x218, true)).toBe(0xf00000);
  });

  it('says what is wrong', () => {
    expect(refusal(linuxImage({ loadFlags: 0 }))).toContain('zImage');
    expect(refusal(linuxImage({ version: 0x0204 }))).toContain('2.04');
    expect(refusal(linuxImage().subarray(0, 3000))).toContain('truncated');
    expect(refusal(linuxImage().subarray(0, 1200))).toContain('truncated');
    expect(refusal(linuxImage(), { commandLine: 'x'.repeat(2048) })).toContain('command line');
    expect(refusal(linuxImage(), { ramMib: 16 })).toContain('give it more memory');
    expect(refusal(linuxImage(), { initrd: { content: new Uint8Array(20 * MIB), name: 'big.img' } })).toContain(
      'big.img',
    );
    expect(refusal(linuxImage(), { initrd: { content: new Uint8Array(0), name: 'none.img' } })).toContain('is empty');
    expect(refusal(linuxImage({ xload: 0 }), { linuxEntry: '64-bit' })).toContain('no 64-bit entry');
  });
});

describe('PVH', () => {
  const code = Uint8Array.from({ length: 256 }, (_, index) => index);

  it.each([32, 64] as const)('starts an ELF%i kernel with start info', (bits) => {
    const image = elfImage(bits, 0x200000, [
      { address: 0x200000, content: code, memoryBytes: 0x3000 },
      pvhNote(0x200010),
    ]);
    const result = boot(image, { commandLine: 'hello', initrd: { content: code, name: 'i' }, rsdpAddress: 0xe0000 });
    expect(result.protocol).toBe('pvh');
    const { entry, view, memory } = result;
    expect(entry).toMatchObject({ mode: 'protected32', rip: 0x200010n, cr0: 0x11n });
    const info = Number(entry.gpr[3]);
    expect(view.getUint32(info, true)).toBe(0x336ec578);
    expect(view.getUint32(info + 4, true)).toBe(1);
    expect(view.getUint32(info + 12, true)).toBe(1);
    const module = Number(view.getBigUint64(info + 16, true));
    const initrd = Number(view.getBigUint64(module, true));
    expect(initrd % 4096).toBe(0);
    expect(memory.bytes.subarray(initrd, initrd + 256)).toEqual(code);
    expect(view.getBigUint64(module + 8, true)).toBe(256n);
    const text = Number(view.getBigUint64(info + 24, true));
    expect(String.fromCharCode(...memory.bytes.subarray(text, text + 6))).toBe('hello\0');
    expect(view.getBigUint64(info + 32, true)).toBe(0xe0000n);
    expect(view.getUint32(info + 48, true)).toBe(5);
    const map = Number(view.getBigUint64(info + 40, true));
    expect(view.getBigUint64(map + 8, true)).toBe(0x9fc00n);
    expect(memory.bytes.subarray(0x200000, 0x200100)).toEqual(code);
  });

  it('says what is wrong', () => {
    const kernel = { address: 0x200000, content: code };
    expect(refusal(elfImage(64, 0x200000, [kernel]))).toContain('neither a PVH note nor a Multiboot header');
    expect(refusal(elfImage(64, 0, [kernel, pvhNote(0x300000)]))).toContain('outside the kernel');
    expect(refusal(elfImage(64, 0, [{ ...kernel, memoryBytes: 64 * MIB }, pvhNote(0x200000)]))).toContain(
      'more memory',
    );
    expect(refusal(elfImage(64, 0, [{ ...kernel, address: 2 ** 52 }, pvhNote(0x200000)]))).toContain('more memory');
    expect(refusal(elfImage(64, 0, [kernel, kernel, pvhNote(0x200000)]))).toContain('overlaps');
    expect(refusal(elfImage(64, 0, [pvhNote(0x200000)]))).toContain('nothing to load');
    expect(refusal(elfImage(64, 0, [kernel, pvhNote(0x200000)], 183))).toContain('another processor');
    expect(refusal(elfImage(64, 0, [kernel, pvhNote(0x200000)]).subarray(0, 4100))).toContain('truncated');
    expect(refusal(elfImage(64, 0, []).subarray(0, 40))).toContain('truncated');
  });
});

describe('Multiboot', () => {
  it('loads an ELF kernel with modules, map and names', () => {
    const content = new Uint8Array(64);
    content.set(multibootWords(3));
    const image = elfImage(32, 0xc0100020, [{ address: 0x100000, virtual: 0xc0100000, content, memoryBytes: 8192 }]);
    const result = boot(image, {
      initrd: { content: Uint8Array.of(1, 2, 3), name: 'module.bin' },
      commandLine: 'opt=1',
    });
    const { entry, view, memory } = result;
    expect(result.protocol).toBe('multiboot');
    expect(entry.rip).toBe(0x100020n);
    expect(entry.gpr[0]).toBe(0x2badb002n);
    const info = Number(entry.gpr[3]);
    const word = (offset: number): number => view.getUint32(info + offset, true);
    const text = (at: number): string => {
      let out = '';
      for (; memory.bytes[at] !== 0; at++) out += String.fromCharCode(memory.bytes[at] ?? 0);
      return out;
    };
    expect(word(0)).toBe(0x24d);
    expect(word(4)).toBe(639);
    expect(word(8)).toBe(31 * 1024);
    expect(text(word(16))).toBe('vmlinuz opt=1');
    expect(word(20)).toBe(1);
    const module = word(24);
    expect(view.getUint32(module, true)).toBe(0x102000);
    expect(view.getUint32(module + 4, true)).toBe(0x102003);
    expect(text(view.getUint32(module + 8, true))).toBe('module.bin');
    expect(memory.bytes.subarray(0x102000, 0x102003)).toEqual(Uint8Array.of(1, 2, 3));
    expect(word(44)).toBe(5 * 24);
    const map = word(48);
    expect(view.getUint32(map, true)).toBe(20);
    expect(view.getBigUint64(map + 12, true)).toBe(0x9fc00n);
    expect(view.getUint32(map + 20, true)).toBe(1);
    expect(text(word(64))).toBe('Nestbox');
  });

  it('loads by the addresses in the header', () => {
    const image = new Uint8Array(3000);
    image.fill(0x5a);
    image.set(multibootWords(0x10003, [0x200040, 0x200000, 0x200800, 0x201000, 0x200100]), 0x140);
    const { entry, memory } = boot(image);
    expect(entry.rip).toBe(0x200100n);
    expect(memory.bytes.subarray(0x200000, 0x200800)).toEqual(image.subarray(0x100, 0x900));
    expect(memory.bytes[0x200800]).toBe(0);
  });

  it('says what is wrong', () => {
    const raw = (words: number[], size = 3000, flags = 0x10003): Uint8Array => {
      const image = new Uint8Array(size);
      image.set(multibootWords(flags, words), 0x40);
      return image;
    };
    expect(refusal(raw([0x200040, 0x200080, 0, 0, 0x200080]))).toContain('load address');
    expect(refusal(raw([0x200040, 0x100000, 0, 0, 0x200080]))).toContain('load address');
    expect(refusal(raw([0x200040, 0x200000, 0x300000, 0, 0x200080]))).toContain('truncated');
    expect(refusal(raw([0x200040, 0x200000, 0x1f0000, 0, 0x200080]))).toContain('load end');
    expect(refusal(raw([0x200040, 0x200000, 0, 0x200001, 0x200080]))).toContain('bss end');
    expect(refusal(raw([0x200040, 0x200000, 0, 0, 0x500000]))).toContain('outside the kernel');
    expect(refusal(raw([0x200040, 0x200000, 0, 0xfffffff0, 0x200080]))).toContain('more memory');
    expect(refusal(raw([], 3000, 0x8))).toContain('features');
    expect(refusal(raw([], 3000, 0x3))).toContain('not an ELF file');
    expect(refusal(raw([], 0x50))).toContain('truncated');
  });
});

describe('hostile files', () => {
  it('are no kernels', () => {
    expect(refusal(new Uint8Array(0))).toContain('is empty');
    expect(refusal(new Uint8Array(100))).toContain('is not a kernel');
    expect(refusal(Uint8Array.from('#!/bin/sh\n'.repeat(500), (letter) => letter.charCodeAt(0)))).toContain(
      'is not a kernel',
    );
  });

  it('never write outside RAM and fail in one way only', () => {
    const seeds = [
      linuxImage(),
      elfImage(64, 0, [{ address: 0x200000, content: new Uint8Array(64) }, pvhNote(0x200000)]),
      elfImage(32, 0x100020, [{ address: 0x100000, content: multibootWords(3), memoryBytes: 4096 }]),
      (() => {
        const image = new Uint8Array(3000);
        image.set(multibootWords(0x10003, [0x200040, 0x200000, 0x200800, 0x201000, 0x200100]), 0x40);
        return image;
      })(),
    ];
    let random = 99;
    const next = (limit: number): number => {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      return Math.floor((random / 2 ** 32) * limit);
    };
    const memory = new FlatMemory(24 * MIB);
    const memoryMap = pcMemoryMap({ lowRamBytes: memory.bytes.length, highRamBytes: 0 });
    let accepted = 0;
    const ROUNDS = 4000;
    for (let round = 0; round < ROUNDS; round++) {
      const content = (seeds[round % seeds.length] ?? new Uint8Array(0)).slice();
      const headerBytes = round % seeds.length === 0 ? 0x80 : 0xf0;
      const start = round % seeds.length === 0 ? 0x1f0 : 0;
      for (let change = next(4); change >= 0; change--) {
        const at = start + next(headerBytes);
        const values = [0, 1, 0x7f, 0x80, 0xff, next(256)];
        content.fill(values[next(values.length)] ?? 0, at, at + 1 + next(8));
      }
      try {
        loadKernel({
          memory,
          memoryMap,
          kernel: { content: content.subarray(0, next(8) === 0 ? next(content.length) : undefined), name: 'k' },
        });
        accepted++;
      } catch (error) {
        expect(error).toMatchObject({ name: 'NestboxError', kind: 'bad-input' });
      }
    }
    expect(memory.strayWrites).toBe(0);
    expect(accepted).toBeGreaterThan(100);
    expect(accepted).toBeLessThan(ROUNDS - 100);
  });
});

describe('real kernels', () => {
  const bench = new URL('../../../../shared/bench/', import.meta.url).pathname;
  it.skipIf(!existsSync(bench)).each(['bench32.elf', 'bench64.elf'])('%s (skipped where it is not)', (name) => {
    const content = readFileSync(bench + name);
    const result = boot(content, { ramMib: 64 });
    expect(result.protocol).toBe('multiboot');
    expect(result.entry.rip).toBe(BigInt(new DataView(content.buffer, content.byteOffset).getUint32(24, true)));
  });

  const slitaz = new URL('../../../../shared/guests/slitaz-bzImage64', import.meta.url).pathname;
  it.skipIf(!existsSync(slitaz))('slitaz-bzImage64 (skipped where it is not)', () => {
    const content = readFileSync(slitaz);
    expect(spawnSync('file', ['-b', slitaz]).stdout.toString()).toContain('Linux kernel');
    const { entry, memory } = boot(content, { ramMib: 64 });
    expect(entry.mode).toBe('long64');
    const setup = (0x1b + 1) * 512;
    expect(
      Buffer.compare(memory.bytes.subarray(0x100000, 0x100000 + content.length - setup), content.subarray(setup)),
    ).toBe(0);
  });
});
