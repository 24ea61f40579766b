// Power cuts at every point of what a guest does to qcow2 images (writes, zeroes, discards, flushes): no damage (leaks are
// allowed), everything that was flushed is there, and what was not is old or new in every sector, never anything else.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryDisk } from '../../core/block/memory-disk.ts';
import { checkQcow2 } from '../../core/block/qcow2/check-qcow2.ts';
import { createQcow2, type Qcow2CreateOptions } from '../../core/block/qcow2/create-qcow2.ts';
import { openQcow2 } from '../../core/block/qcow2/open-qcow2.ts';
import { MemoryHostFile } from '../../core/host/files/memory-host-file.ts';
import { randomStream } from './contents.ts';
import { crashStates, RecordingFile } from './crash-recorder.ts';
import { hasQemuImg, qemuCheck } from './qemu-img.ts';

const SECTORS = 192;
const SECTOR = 512;
const STEPS = 40;
/** One state in so many is shown to qemu-img too. */
const QEMU_STRIDE = 500;
const ROUNDS = 8;

let folder = '';
let total = 0;
let discards = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestbox-crash-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A sector whose every 16-bit word is `tag`. */
function tagged(sectors: number, tag: (sector: number) => number): Uint8Array {
  const words = new Uint16Array((sectors * SECTOR) / 2);
  for (let sector = 0; sector < sectors; sector++) words.fill(tag(sector), sector * 256, sector * 256 + 256);
  return new Uint8Array(words.buffer);
}

interface GuestOperation {
  readonly position: number;
  readonly first: number;
  readonly count: number;
  /** What the sectors hold afterwards. */
  readonly tags: readonly number[];
}

const CASES: readonly (Omit<Qcow2CreateOptions, 'sizeBytes'> & { withBacking: boolean })[] = [
  { clusterBytes: 512, refcountBits: 64, withBacking: false },
  { clusterBytes: 512, refcountBits: 1, withBacking: true },
  { clusterBytes: 1024, version: 2, withBacking: true },
  { clusterBytes: 4096, withBacking: false },
  { clusterBytes: 4096, withBacking: true },
];

describe('power cuts while a guest writes, zeroes and discards', () => {
  const rounds = CASES.flatMap((shape) => Array.from({ length: ROUNDS }, (_, round) => ({ ...shape, round })));
  it.each(rounds)('leave a whole image: %o', async ({ withBacking, round, ...options }) => {
    const sizeBytes = SECTORS * SECTOR;
    const blank = new MemoryHostFile(new Uint8Array(0));
    await createQcow2(blank, {
      ...options,
      sizeBytes,
      ...(withBacking ? { backing: { name: 'b', format: 'raw' } } : {}),
    });
    const start = blank.content();
    const base = tagged(SECTORS, (sector) => 60_000 + sector);
    const resolveBacking = async (): Promise<MemoryDisk> => new MemoryDisk(base.slice(), { readOnly: true });
    const random = randomStream(4711 + (options.clusterBytes ?? 0) + round * 7919);
    const file = new RecordingFile(start);
    const disk = await openQcow2(file, { resolveBacking });
    const operations: GuestOperation[] = [];
    const present = Array.from({ length: SECTORS }, (_, sector) => (withBacking ? 60_000 + sector : 0));
    const flushes: { position: number; done: number }[] = [];
    for (let step = 1; step <= STEPS; step++) {
      const first = random(SECTORS);
      const kind = random(8);
      // Only whole clusters can be given back.
      const count = Math.min(SECTORS - first, 1 + random(kind === 2 || random(3) === 0 ? 60 : 6));
      if (kind === 0) {
        await disk.flush();
        flushes.push({ position: file.log.length, done: operations.length });
        continue;
      }
      const { length: position } = file.log;
      if (kind === 1) await disk.writeZeroes(first * SECTOR, count * SECTOR);
      else if (kind === 2) await disk.discard(first * SECTOR, count * SECTOR);
      else
        await disk.write(
          first * SECTOR,
          tagged(count, () => step),
        );
      // A discard may leave what was there: the guest sees which, and must see the same after a power cut.
      const after = new Uint8Array(count * SECTOR);
      await disk.read(first * SECTOR, after);
      const words = new Uint16Array(after.buffer);
      const tags = Array.from({ length: count }, (_, sector) => words[sector * 256] ?? -1);
      const before = present.splice(first, count, ...tags);
      if (kind === 2) {
        expect(tags.filter((tag, sector) => tag !== 0 && tag !== before[sector])).toEqual([]);
        if (tags.some((tag, sector) => tag !== before[sector])) discards++;
      } else expect(tags).toEqual(Array.from(tags, () => (kind === 1 ? 0 : step)));
      operations.push({ position, first, count, tags });
    }
    await disk.close();
    flushes.push({ position: file.log.length, done: operations.length });

    let states = 0;
    for (const state of crashStates(start, file.log, random)) {
      states++;
      const left = new MemoryHostFile(state.content, { readOnly: true });
      const report = await checkQcow2(left);
      if (report.corruptions > 0)
        throw new Error(`after ${state.position} changes, ${state.what}: ${report.messages.join('; ')}`);
      if (hasQemuImg && states % QEMU_STRIDE === 0) {
        const path = join(folder, 'state.qcow2');
        writeFileSync(path, state.content);
        if (!withBacking) expect(qemuCheck(path).corruptions ?? 0).toBe(0);
      }
      const view = await openQcow2(left, { resolveBacking });
      const all = new Uint8Array(sizeBytes);
      await view.read(0, all);
      await view.close();
      const words = new Uint16Array(all.buffer);
      const done = flushes.findLast((flush) => flush.position <= state.position)?.done ?? 0;
      for (let sector = 0; sector < SECTORS; sector++) {
        let durable = withBacking ? 60_000 + sector : 0;
        const later: number[] = [];
        for (const [index, operation] of operations.entries()) {
          if (sector < operation.first || sector >= operation.first + operation.count) continue;
          const tag = operation.tags[sector - operation.first] ?? -1;
          if (index < done) durable = tag;
          else if (operation.position <= state.position) later.push(tag);
        }
        const found = words[sector * 256] ?? -1;
        if (found !== durable && !later.includes(found))
          throw new Error(
            `sector ${sector} after ${state.position} changes, ${state.what}: is ${found}, was ${durable}, may be ${later.join()}`,
          );
      }
    }
    total += states;
    expect(states).toBeGreaterThan(150);
  });

  it('were thousands', () => {
    expect(total).toBeGreaterThan(10_000);
    expect(discards).toBeGreaterThan(100);
  });
});
