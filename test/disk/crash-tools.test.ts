// Power cuts at every point of what is done with images as wholes: clone, resize, compact, convert, commit, merging, and
// internal snapshots. In each state there are whole images under the names that count, and the disk reads as it must.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commitDisk } from '../../core/block/commit-disk.ts';
import { compactDisk, convertDisk, createDisk, resizeDisk } from '../../core/block/disk-tools.ts';
import { type ChainLink, createOverlay, openChain } from '../../core/block/image-chain.ts';
import { mergeIntoChild, mergeIntoParent } from '../../core/block/merge-disks.ts';
import { checkQcow2 } from '../../core/block/qcow2/check-qcow2.ts';
import { readHeader } from '../../core/block/qcow2/header.ts';
import {
  applyInternalSnapshot,
  createInternalSnapshot,
  deleteInternalSnapshot,
} from '../../core/block/qcow2/internal-snapshots.ts';
import { openQcow2 } from '../../core/block/qcow2/open-qcow2.ts';
import type { HostFiles } from '../../core/host/files/host-file.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { type PowerCut, RecordedFiles } from '../support/power-cuts.ts';
import { randomStream } from './contents.ts';
import { hasQemuImg, qemuCheck } from './qemu-img.ts';

const SIZE = 96 * 1024;
/** One state in so many is shown to qemu-img too. */
const QEMU_STRIDE = 400;
const SEEDS = [1, 2, 3, 4, 5, 6];
let folder = '';
let total = 0;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestbox-crash-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const link = (path: string, format: ChainLink['format'] = 'qcow2'): ChainLink => ({ path, format });
const BASE = '/vm/base.qcow2';
const baseOf = (raw: boolean): ChainLink => (raw ? link('/vm/base.img', 'raw') : link(BASE));
const MIDDLE = '/vm/middle.qcow2';
const TOP = '/vm/top.qcow2';

async function read(files: HostFiles, links: readonly ChainLink[]): Promise<Uint8Array> {
  const disk = await openChain(links, { files, readOnly: true });
  const bytes = new Uint8Array(disk.sizeBytes);
  await disk.read(0, bytes);
  await disk.close();
  return bytes;
}

async function scribble(files: HostFiles, links: readonly ChainLink[], seed: number, pieces = 8): Promise<void> {
  const random = randomStream(seed);
  const disk = await openChain(links, { files });
  for (let step = 0; step < pieces; step++) {
    const offset = random(SIZE / 512) * 512;
    const length = Math.min(disk.sizeBytes - offset, (1 + random(24)) * 512);
    if (random(5) === 0) await disk.writeZeroes(offset, length);
    else await disk.write(offset, new Uint8Array(length).fill(1 + random(255)));
  }
  await disk.close();
}

/** Base, middle and top, each with something of its own; cluster sizes differ. */
async function chain(seed: number, raw = false): Promise<MemoryFiles> {
  const files = new MemoryFiles();
  const base = baseOf(raw);
  await createDisk(base.path, { format: base.format, sizeBytes: SIZE, ...(raw ? {} : { clusterBytes: 1024 }) }, files);
  await scribble(files, [base], seed);
  await createOverlay(MIDDLE, { backing: base, sizeBytes: SIZE, image: { clusterBytes: 512 } }, files);
  await scribble(files, [link(MIDDLE), base], seed + 1000);
  await createOverlay(TOP, { backing: link(MIDDLE), sizeBytes: SIZE, image: { clusterBytes: 2048 } }, files);
  await scribble(files, [link(TOP), link(MIDDLE), base], seed + 2000);
  return files;
}

/** Every image under a name of its own is whole; leaks are allowed. */
async function checkImages(state: PowerCut, repairs: boolean): Promise<MemoryFiles> {
  const files = new MemoryFiles(state.files);
  for (const [path, content] of state.files) {
    if (!path.endsWith('.qcow2')) continue;
    const file = await files.open(path, { readOnly: !repairs });
    const header = await readHeader(file);
    const dirty = (header.incompatible & 1) !== 0;
    if (dirty && !repairs) throw new Error(`${path} is marked as not closed`);
    const report = await checkQcow2(file, dirty ? { repair: 'all' } : {});
    await file.close();
    if (report.corruptions > 0) throw new Error(`${path}: ${report.messages.join('; ')}`);
    if (hasQemuImg && total % QEMU_STRIDE === 0 && header.backingName === undefined && !dirty) {
      writeFileSync(join(folder, 'state.qcow2'), content);
      expect(qemuCheck(join(folder, 'state.qcow2')).corruptions ?? 0).toBe(0);
    }
  }
  return files;
}

interface Plan {
  readonly start: MemoryFiles;
  readonly work: (files: HostFiles) => Promise<void>;
  readonly verify: (files: MemoryFiles, state: PowerCut) => Promise<void>;
  readonly repairs?: boolean;
  readonly limit?: number;
}

async function enumerate(plan: Plan, seed: number): Promise<void> {
  const files = new RecordedFiles(plan.start.content());
  await plan.work(files);
  let states = 0;
  for (const state of files.powerCuts(randomStream(seed * 77), plan.limit)) {
    states++;
    total++;
    try {
      await plan.verify(await checkImages(state, plan.repairs === true), state);
    } catch (error) {
      throw new Error(`after ${state.position} changes, ${state.what}: ${String(error)}`, { cause: error });
    }
  }
  expect(states).toBeGreaterThan(files.log.length / (plan.limit === undefined ? 1 : 10));
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const must = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(what);
};

/** The chain that the images themselves name, for asking what a disk reads as. */
async function named(files: MemoryFiles, path: string): Promise<ChainLink[]> {
  const links: ChainLink[] = [link(path)];
  for (let next: string | undefined = path; next !== undefined;) {
    const file = await files.open(next, { readOnly: true });
    const { backingName, backingFormat } = await readHeader(file);
    await file.close();
    if (backingName === undefined) break;
    links.push(link(`/vm/${backingName}`, backingFormat === 'raw' ? 'raw' : 'qcow2'));
    next = backingFormat === 'raw' ? undefined : `/vm/${backingName}`;
  }
  return links;
}

const CHAIN = [link(TOP), link(MIDDLE), link(BASE)];

describe('power cuts', () => {
  it.each(SEEDS)('while a clone is made: seed %i', async (seed) => {
    const start = await chain(seed);
    const before = await read(start, CHAIN);
    await enumerate(
      {
        start,
        work: (files) =>
          createDisk('/vm/clone.qcow2', { format: 'qcow2', backing: { path: TOP, format: 'qcow2' } }, files),
        verify: async (files, state) => {
          must(same(await read(files, CHAIN), before), 'the source changed');
          if (state.files.has('/vm/clone.qcow2'))
            must(same(await read(files, [link('/vm/clone.qcow2'), ...CHAIN]), before), 'the clone is not whole');
        },
      },
      seed,
    );
  });

  it.each(SEEDS)('while a disk is resized: seed %i', async (seed) => {
    const start = await chain(seed);
    const before = await read(start, CHAIN);
    for (const sizeBytes of [SIZE * 40, SIZE + 4096, SIZE / 2 + 512, 512]) {
      await enumerate(
        {
          start,
          limit: 60,
          work: (files) => resizeDisk(TOP, sizeBytes, { format: 'qcow2', shrink: true }, files),
          verify: async (files) => {
            const now = await read(files, CHAIN);
            must(now.length === SIZE || now.length === sizeBytes, `has ${now.length} bytes`);
            const kept = Math.min(SIZE, sizeBytes);
            must(same(now.subarray(0, kept), before.subarray(0, kept)), 'data changed');
            if (now.length > SIZE)
              must(
                now.subarray(SIZE).every((byte) => byte === 0),
                'the new end is not empty',
              );
          },
        },
        seed,
      );
    }
  });

  it.each(SEEDS)('while an image is compacted: seed %i', async (seed) => {
    const files = new MemoryFiles();
    await createDisk(BASE, { format: 'qcow2', sizeBytes: SIZE, clusterBytes: 1024 }, files);
    await scribble(files, [link(BASE)], seed, 20);
    const before = await read(files, [link(BASE)]);
    for (const compress of [false, true]) {
      await enumerate(
        {
          start: files,
          work: (recorded) => compactDisk(BASE, { format: 'qcow2', compress }, recorded),
          verify: async (left) => must(same(await read(left, [link(BASE)]), before), 'data changed'),
        },
        seed,
      );
    }
  });

  it.each(SEEDS)('while an image is converted: seed %i', async (seed) => {
    const start = await chain(seed);
    const before = await read(start, CHAIN);
    for (const to of ['qcow2', 'raw'] as const) {
      for (const replace of [false, true]) {
        const target = `/vm/target.${to}`;
        const old = new Uint8Array(1024).fill(9);
        const content = start.content();
        if (replace) content.set(target.replace('qcow2', 'raw'), old);
        const path = replace ? target.replace('qcow2', 'raw') : target;
        await enumerate(
          {
            start: new MemoryFiles(content),
            work: (files) => convertDisk(TOP, path, { from: 'qcow2', to, followBacking: true, replace }, files),
            verify: async (files, state) => {
              must(same(await read(files, CHAIN), before), 'the source changed');
              const found = state.files.get(path);
              if (found === undefined) return must(!replace, 'the old target is gone');
              if (replace && same(found, old)) return;
              must(same(await read(files, [link(path, to)]), before), 'the target is not whole');
            },
          },
          seed,
        );
      }
    }
  });

  it.each(SEEDS)('while an overlay is committed: seed %i', async (seed) => {
    for (const raw of [false, true]) {
      const start = await chain(seed, raw);
      const links = [link(MIDDLE), baseOf(raw)];
      const before = await read(start, links);
      await start.unlink(TOP);
      await enumerate(
        {
          start,
          work: (files) => commitDisk(MIDDLE, {}, files),
          verify: async (files) => must(same(await read(files, links), before), 'data changed'),
        },
        seed,
      );
    }
  });

  it.each(SEEDS)('while an image is taken out of a chain: seed %i', async (seed) => {
    const start = await chain(seed, seed % 2 === 0);
    const links = [link(TOP), link(MIDDLE), baseOf(seed % 2 === 0)];
    const before = await read(start, links);
    const middle = await read(start, links.slice(1));
    const verify = async (files: MemoryFiles): Promise<void> => {
      must(same(await read(files, await named(files, TOP)), before), 'data changed');
    };
    await enumerate(
      {
        start,
        work: (files) => mergeIntoChild(links, { files }),
        verify: async (files) => {
          await verify(files);
          must(same(await read(files, links.slice(1)), middle), 'the image below changed');
        },
      },
      seed,
    );
    await enumerate({ start, work: (files) => mergeIntoChild(links.slice(1), { files }), verify }, seed);
    await enumerate({ start, work: (files) => mergeIntoParent(links, { files }), verify }, seed);
  });

  it.each([
    ['once', 1],
    ['and again while it is repaired', 2],
  ])('while internal snapshots come and go, %s', async (_what, depth) => {
    const files = new MemoryFiles();
    await createDisk(BASE, { format: 'qcow2', sizeBytes: SIZE, clusterBytes: 1024 }, files);
    await scribble(files, [link(BASE)], 5);
    const disk = await openQcow2(await files.open(BASE, { readOnly: false }));
    await createInternalSnapshot(disk, 'one', 0);
    await disk.close();
    const one = await read(files, [link(BASE)]);
    await scribble(files, [link(BASE)], 6);
    const now = await read(files, [link(BASE)]);
    const operations: readonly [string, (open: Awaited<ReturnType<typeof openQcow2>>) => Promise<void>][] = [
      ['create', (open) => createInternalSnapshot(open, 'two', 0)],
      ['apply', (open) => applyInternalSnapshot(open, 'one')],
      ['delete', (open) => deleteInternalSnapshot(open, 'one')],
    ];
    for (const [name, operation] of operations) {
      const verify = async (left: MemoryFiles): Promise<void> => {
        const found = await read(left, [link(BASE)]);
        must(same(found, now) || (name === 'apply' && same(found, one)), `${name}: data changed`);
        if (name === 'delete') return;
        const reopened = await openQcow2(await left.open(BASE, { readOnly: false }));
        await applyInternalSnapshot(reopened, 'one');
        await reopened.close();
        must(same(await read(left, [link(BASE)]), one), `${name}: the snapshot changed`);
      };
      await enumerate(
        {
          start: files,
          repairs: true,
          limit: depth === 1 ? Infinity : 12,
          work: async (recorded) => {
            const open = await openQcow2(await recorded.open(BASE, { readOnly: false }));
            await operation(open);
            await open.close();
          },
          verify: async (left, state) => {
            if (depth === 1) return verify(left);
            // What is left is opened, which repairs it, and the power goes again.
            await enumerate(
              {
                start: new MemoryFiles(state.files),
                repairs: true,
                limit: 6,
                work: async (recorded) => {
                  await (await openQcow2(await recorded.open(BASE, { readOnly: false }))).close();
                },
                verify,
              },
              9,
            );
          },
        },
        7,
      );
    }
  });

  it('were thousands', () => {
    expect(total).toBeGreaterThan(12_000);
  });
});
