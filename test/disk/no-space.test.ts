// No space at every step: each change of a file fails in turn, once or for good. A guest's write is simply tried again and
// nothing is lost; tools leave the old files as they were and nothing half made.

import { describe, expect, it } from 'vitest';
import { NestboxError } from '../../core/base/errors.ts';
import { commitDisk } from '../../core/block/commit-disk.ts';
import { compactDisk, convertDisk, createDisk } from '../../core/block/disk-tools.ts';
import { type ChainLink, createOverlay, openChain } from '../../core/block/image-chain.ts';
import { mergeIntoChild } from '../../core/block/merge-disks.ts';
import { checkQcow2 } from '../../core/block/qcow2/check-qcow2.ts';
import type { HostFiles } from '../../core/host/files/host-file.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { randomStream } from './contents.ts';

const SIZE = 96 * 1024;
const BASE: ChainLink = { path: '/vm/base.qcow2', format: 'qcow2' };
const TOP: ChainLink = { path: '/vm/top.qcow2', format: 'qcow2' };

const noSpace = (): NestboxError => new NestboxError('no-space', 'no space left on the disk');

async function chain(): Promise<MemoryFiles> {
  const files = new MemoryFiles();
  await createDisk(BASE.path, { format: 'qcow2', sizeBytes: SIZE, clusterBytes: 1024 }, files);
  const base = await openChain([BASE], { files });
  await base.write(3000, new Uint8Array(30_000).fill(1));
  await base.close();
  await createOverlay(TOP.path, { backing: BASE, sizeBytes: SIZE, image: { clusterBytes: 512 } }, files);
  const top = await openChain([TOP, BASE], { files });
  await top.write(20_000, new Uint8Array(20_000).fill(2));
  await top.writeZeroes(8192, 4096);
  await top.close();
  return files;
}

async function read(files: HostFiles, links: readonly ChainLink[]): Promise<Uint8Array> {
  const disk = await openChain(links, { files, readOnly: true });
  const bytes = new Uint8Array(disk.sizeBytes);
  await disk.read(0, bytes);
  await disk.close();
  return bytes;
}

async function expectWhole(files: MemoryFiles): Promise<void> {
  for (const [path] of files.content()) {
    const file = await files.open(path, { readOnly: true });
    expect((await checkQcow2(file)).messages.filter((text) => text.startsWith('damage'))).toEqual([]);
    await file.close();
  }
}

describe('no space', () => {
  it.each([1, 3])('at any step of a guest that writes: tried again, %i times in a row', async (failures) => {
    const start = (await chain()).content();
    let failed = 0;
    for (let step = 0, reached = true; reached; step++) {
      const files = new MemoryFiles(start);
      const model = await read(files, [TOP, BASE]);
      const disk = await openChain([TOP, BASE], { files });
      const random = randomStream(11);
      let count = 0;
      reached = false;
      files.onChange = (change) => {
        if (change.op === 'flush' || change.op === 'punch') return;
        if (count >= step && count < step + failures) {
          reached = true;
          count++;
          throw noSpace();
        }
        count++;
      };
      for (let write = 0; write < 8; write++) {
        const offset = random(SIZE / 512) * 512;
        const length = Math.min(SIZE - offset, (1 + random(30)) * 512);
        const value = random(4) === 0 ? 0 : 10 + write;
        for (let attempt = 0; ; attempt++) {
          try {
            if (value === 0) await disk.writeZeroes(offset, length);
            else await disk.write(offset, new Uint8Array(length).fill(value));
            if (write % 3 === 2) await disk.flush();
            break;
          } catch (error) {
            expect(error).toMatchObject({ kind: 'no-space' });
            expect(attempt).toBeLessThan(failures);
            failed++;
          }
        }
        model.fill(value, offset, offset + length);
      }
      files.onChange = undefined;
      await disk.close();
      await expectWhole(files);
      expect(Buffer.compare(await read(files, [TOP, BASE]), model)).toBe(0);
    }
    expect(failed).toBeGreaterThan(40);
  });

  it.each<[string, (files: HostFiles) => Promise<void>]>([
    [
      'convert',
      (files) => convertDisk(TOP.path, '/vm/new.qcow2', { from: 'qcow2', to: 'qcow2', followBacking: true }, files),
    ],
    [
      'convert over a file',
      (files) =>
        convertDisk(
          TOP.path,
          '/vm/old.qcow2',
          { from: 'qcow2', to: 'qcow2', followBacking: true, replace: true },
          files,
        ),
    ],
    ['compact', (files) => compactDisk('/vm/old.qcow2', { format: 'qcow2' }, files)],
    ['clone', (files) => createDisk('/vm/new.qcow2', { format: 'qcow2', backing: TOP }, files)],
    ['commit', (files) => commitDisk(TOP.path, {}, files)],
    ['merge', (files) => mergeIntoChild([TOP, BASE], { files })],
  ])('at any step of %s: the files stay whole and nothing half made is left', async (name, work) => {
    const source = await chain();
    await createDisk('/vm/old.qcow2', { format: 'qcow2', sizeBytes: SIZE }, source);
    const start = source.content();
    const before = await read(source, [TOP, BASE]);
    const old = await read(source, [{ path: '/vm/old.qcow2', format: 'qcow2' }]);
    let steps = 0;
    for (let reached = true; reached; steps++) {
      const files = new MemoryFiles(start);
      let count = 0;
      reached = false;
      files.onChange = (change) => {
        if (change.op === 'flush' || change.op === 'punch' || change.op === 'unlink' || change.op === 'sync') return;
        if (count++ < steps) return;
        reached = true;
        throw noSpace();
      };
      let thrown: unknown;
      try {
        await work(files);
      } catch (error) {
        thrown = error;
      }
      files.onChange = undefined;
      if (!reached) continue;
      expect(thrown).toMatchObject({ kind: 'no-space' });
      expect([...files.content().keys()].filter((path) => !start.has(path))).toEqual([]);
      await expectWhole(files);
      if (name === 'merge') {
        // What was begun can be done again, also when only closing failed.
        await mergeIntoChild([TOP, BASE], { files });
        expect(Buffer.compare(await read(files, [TOP]), before)).toBe(0);
      } else expect(Buffer.compare(await read(files, [TOP, BASE]), before)).toBe(0);
      expect(Buffer.compare(await read(files, [{ path: '/vm/old.qcow2', format: 'qcow2' }]), old)).toBe(0);
    }
    expect(steps).toBeGreaterThan(5);
  });
});
