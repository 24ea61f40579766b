// The fuzzer of foreign image formats: damaged images are read or refused with a declared error, in bounded time, with
// nothing read outside the image's folder.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestboxError } from '../../core/base/errors.ts';
import { crc32c } from '../../core/block/foreign/crc32c.ts';
import { type ForeignFormat, openForeign } from '../../core/block/foreign/open-foreign.ts';
import type { HostFile, HostFiles } from '../../core/host/files/host-file.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { islands, randomStream } from './contents.ts';
import { declared, mutateWord } from './mutations.ts';
import { qemuImgOk } from './qemu-img.ts';

const LIMIT_MS = 5000;
const SIZE = 2 ** 20 + 1536;

export const HOSTILE_KINDS: readonly {
  readonly format: ForeignFormat;
  readonly qemu: string;
  readonly options: string;
}[] = [
  { format: 'vmdk', qemu: 'vmdk', options: 'subformat=monolithicSparse' },
  { format: 'vmdk', qemu: 'vmdk', options: 'subformat=streamOptimized' },
  { format: 'vmdk', qemu: 'vmdk', options: 'subformat=monolithicFlat' },
  { format: 'vdi', qemu: 'vdi', options: 'static=off' },
  { format: 'vhd', qemu: 'vpc', options: 'subformat=dynamic' },
  { format: 'vhd', qemu: 'vpc', options: 'subformat=fixed' },
  { format: 'vhdx', qemu: 'vhdx', options: 'subformat=dynamic,block_size=1M' },
];

/** The kinds of a format share its number of images. */
export function shareOf(kind: (typeof HOSTILE_KINDS)[number], images: number): number {
  return Math.ceil(images / HOSTILE_KINDS.filter(({ format }) => format === kind.format).length);
}

/** A file over bytes that are not copied. */
function readOnlyFile(path: string, bytes: Uint8Array, sizeBytes: number): HostFile {
  const refuse = async (): Promise<never> => {
    throw new NestboxError('permission', `${path}: opened read-only`);
  };
  const read = (offset: number, target: Uint8Array): number => {
    // As Node does: an offset that is no number that can be is a bug of the caller.
    if (!Number.isSafeInteger(offset) || offset < 0) throw new RangeError(`offset ${offset}`);
    const count = Math.max(0, Math.min(target.length, sizeBytes - offset));
    target.set(bytes.subarray(offset, offset + count));
    return count;
  };
  return {
    path,
    readOnly: true,
    read: async (offset, target) => read(offset, target),
    readSync: read,
    write: refuse,
    truncate: refuse,
    flush: async () => undefined,
    punchHole: async () => false,
    lock: async () => true,
    close: async () => undefined,
    identity: () => ({ device: '0', inode: path, sizeBytes }),
  };
}

/** Damage is often hidden behind a checksum that would be wrong: half of the time it is made right. */
function fixChecksums(format: ForeignFormat, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (format === 'vhd') {
    const fix = (start: number, length: number, at: number): void => {
      if (start < 0 || start + length > bytes.length) return;
      let sum = 0;
      for (let index = 0; index < length; index++)
        if (index < at || index >= at + 4) sum = (sum + (bytes[start + index] ?? 0)) >>> 0;
      view.setUint32(start + at, ~sum >>> 0);
    };
    fix(0, 512, 64);
    fix(512, 1024, 36);
    fix(bytes.length - 512, 512, 64);
  } else if (format === 'vhdx') {
    for (const [start, length] of [
      [65_536, 4096],
      [131_072, 4096],
      [196_608, 65_536],
      [262_144, 65_536],
    ] as const) {
      view.setUint32(start + 4, 0);
      view.setUint32(start + 4, crc32c(bytes.subarray(start, start + length)), true);
    }
  }
}

/** Reads pieces of the disk and walks its extents a little way. */
async function use(file: HostFile, format: ForeignFormat, files: HostFiles): Promise<void> {
  const disk = await openForeign(file, format, files);
  try {
    const target = new Uint8Array(70_000);
    for (const at of [0, 65_000, disk.sizeBytes - 70_000, Math.floor(disk.sizeBytes / 1024) * 512]) {
      if (at < 0 || at + target.length > disk.sizeBytes) continue;
      await declared(() => disk.read(at, target), 'read');
    }
    let at = 0;
    for (let step = 0; step < 20 && at < disk.sizeBytes; step++) {
      const { length } = await disk.extentAt(at, Math.min(2 ** 24, disk.sizeBytes - at));
      if (length <= 0) throw new Error('an extent has no length');
      at += length;
    }
  } finally {
    await disk.close();
  }
}

export async function fuzzForeign(kind: (typeof HOSTILE_KINDS)[number], images: number, seed: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nestbox-hostile-'));
  const files = new MemoryFiles();
  let original: Uint8Array;
  try {
    writeFileSync(join(folder, 'content.raw'), islands(SIZE, 5));
    const image = join(folder, 'image.img');
    qemuImgOk('convert', '-f', 'raw', '-O', kind.qemu, '-o', kind.options, join(folder, 'content.raw'), image);
    original = new Uint8Array(readFileSync(image));
    if (kind.options.includes('Flat')) {
      const flat = await files.create('/vm/image-flat.vmdk');
      await flat.write(0, new Uint8Array(SIZE));
      await flat.close();
      const text = new TextDecoder('latin1').decode(original).replace(/"[^"]*-flat[^"]*"/, '"image-flat.vmdk"');
      original = new TextEncoder().encode(text);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const opened: string[] = [];
  const open = files.open.bind(files);
  files.open = (path, options) => {
    opened.push(path);
    return open(path, options);
  };
  const random = randomStream(seed);
  // Words that say something; in a large image most say nothing.
  const words: number[] = [];
  for (let at = 0; at + 4 <= original.length && words.length < 20_000; at += 4)
    if ((original[at] ?? 0) | (original[at + 1] ?? 0) | (original[at + 2] ?? 0) | (original[at + 3] ?? 0))
      words.push(at);
  const heads = words.filter((at) => at < 4096 || (at >= 65_536 && at < 70_000) || (at >= 196_608 && at < 200_000));
  const bytes = original.slice();
  for (let index = 0; index < images; index++) {
    const undo: number[] = [];
    for (let change = 1 + random(4); change > 0; change--) {
      const list = random(3) === 0 ? words : heads;
      const at = random(4) === 0 ? 4 * random(Math.min(1024, bytes.length >> 2)) : (list[random(list.length)] ?? 0);
      if (at + 4 > bytes.length) continue;
      undo.push(at);
      mutateWord(bytes, at, random, kind.format !== 'vhd');
    }
    const fixed = random(2) === 0;
    if (fixed) fixChecksums(kind.format, bytes);
    const sizeBytes = random(10) === 0 ? random(bytes.length) : bytes.length;
    const began = performance.now();
    await declared(() => use(readOnlyFile('/vm/image.img', bytes, sizeBytes), kind.format, files), `image ${index}`);
    const tookMs = performance.now() - began;
    if (tookMs > LIMIT_MS) throw new Error(`image ${index} took ${tookMs} ms`);
    const outside = opened.find((path) => !/^\/vm\/[^/]+$/.test(path));
    if (outside !== undefined) throw new Error(`image ${index} opened ${outside}`);
    opened.length = 0;
    for (const at of undo) bytes.set(original.subarray(at, Math.min(at + 4, original.length)), at);
    if (fixed) {
      if (kind.format === 'vhd') bytes.set(original);
      else if (kind.format === 'vhdx') bytes.set(original.subarray(0, 2 ** 19));
    }
  }
}
