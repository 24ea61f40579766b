import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import type { BlockDevice } from './block-device.ts';
import { diffExtents } from './diff-disks.ts';
import { createDisk } from './disk-tools.ts';
import { type ChainLink, createOverlay, openChain } from './image-chain.ts';
import { LiveDisk, switchToOverlay } from './live-disk.ts';
import { dropBacking, mergeIntoChild, mergeIntoParent, pullFromBacking } from './merge-disks.ts';
import { Qcow2Disk } from './qcow2/qcow2-disk.ts';

const hasQemuImg = spawnSync('qemu-img', ['--version']).status === 0;
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestbox-chain-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function randomStream(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

async function scribble(disk: BlockDevice, model: Uint8Array, random: (below: number) => number): Promise<void> {
  for (let step = 0; step < 12; step++) {
    const offset = random(disk.sizeBytes / 512) * 512;
    const length = Math.min(disk.sizeBytes - offset, (1 + random(80)) * 512);
    if (random(4) === 0) {
      await disk.writeZeroes(offset, length);
      model.fill(0, offset, offset + length);
    } else {
      const data = new Uint8Array(length).map(() => random(256));
      await disk.write(offset, data);
      model.set(data, offset);
    }
  }
}

async function content(links: readonly ChainLink[]): Promise<Uint8Array> {
  const disk = await openChain(links, { readOnly: true });
  const bytes = new Uint8Array(disk.sizeBytes);
  await disk.read(0, bytes);
  await disk.close();
  return bytes;
}

function qemuAgrees(path: string): void {
  if (!hasQemuImg) return;
  const check = spawnSync('qemu-img', ['check', '-f', 'qcow2', path], { encoding: 'utf8' });
  expect(check.stdout + check.stderr).toContain('No errors were found');
}

interface Chain {
  readonly links: ChainLink[];
  /** What each disk reads as, top first like the links. */
  readonly models: Uint8Array[];
}

async function makeChain(seed: number): Promise<Chain> {
  const random = randomStream(seed);
  const name = (index: number): string => join(folder, `chain-${seed}-${index}`);
  const baseFormat = random(2) === 0 ? 'raw' : 'qcow2';
  const links: ChainLink[] = [{ path: name(0), format: baseFormat }];
  let size = (300 + random(500)) * 512;
  let model = new Uint8Array(size);
  await createDisk(name(0), {
    format: baseFormat,
    sizeBytes: size,
    ...(baseFormat === 'qcow2' ? { clusterBytes: 4096 } : {}),
  });
  const models: Uint8Array[] = [];
  for (let layer = 0; layer < 4; layer++) {
    if (layer > 0) {
      size = Math.max(256, 200 + random(900)) * 512;
      const version = random(3) === 0 ? 2 : 3;
      const clusterBytes = [512, 4096, 16_384][random(3)] ?? 4096;
      const backing = links[0] as ChainLink;
      await createOverlay(name(layer), { backing, sizeBytes: size, image: { version, clusterBytes } });
      links.unshift({ path: name(layer), format: 'qcow2' });
      const next = new Uint8Array(size);
      next.set(model.subarray(0, size));
      model = next;
    }
    const disk = await openChain(links);
    await scribble(disk, model, random);
    await disk.close();
    models.unshift(model.slice());
  }
  return { links, models };
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

describe('chains of images', () => {
  it.each(Array.from({ length: 12 }, (_, index) => index + 1))(
    'lose a member without changing the disk: seed %i',
    async (seed) => {
      const { links, models } = await makeChain(seed);
      const [top, second, third, base] = links as [ChainLink, ChainLink, ChainLink, ChainLink];
      expect(same(await content(links), models[0] as Uint8Array)).toBe(true);
      // The third goes into the second, while the top stays as it is.
      await mergeIntoChild([second, third, base]);
      expect(same(await content([second, base]), models[1] as Uint8Array)).toBe(true);
      expect(same(await content([top, second, base]), models[0] as Uint8Array)).toBe(true);
      await expect(content(links)).rejects.toMatchObject({ kind: 'bad-input' });
      qemuAgrees(second.path);
      // What the top says goes down where it may; the disk below then is the disk.
      await mergeIntoParent([top, second, base]);
      const grown = await content([second, base]);
      expect(same(grown.subarray(0, models[0]?.length), models[0] as Uint8Array)).toBe(true);
      expect(same(await content([top, second, base]), models[0] as Uint8Array)).toBe(true);
      qemuAgrees(second.path);
      // At last one image without any other.
      await mergeIntoChild([second, base]);
      rmSync(base.path);
      expect(same(await content([second]), grown)).toBe(true);
      qemuAgrees(second.path);
    },
  );

  it.each([21, 22, 23, 24])('say where two disks differ: seed %i', async (seed) => {
    const { links, models } = await makeChain(seed);
    const a = models[0] as Uint8Array;
    const b = models[2] as Uint8Array;
    const [stored, exact] = [
      await diffExtents(links, links.slice(2)),
      await diffExtents(links, links.slice(2), { exact: true }),
    ];
    const inside = (list: typeof stored, at: number): boolean =>
      list.some(({ offset, length }) => at >= offset && at < offset + length);
    for (let at = 0; at < Math.max(a.length, b.length); at += 512) {
      const equal = at < a.length && at < b.length && same(a.subarray(at, at + 512), b.subarray(at, at + 512));
      if (!equal) expect([inside(stored, at), inside(exact, at)]).toEqual([true, true]);
    }
    for (const { offset, length } of exact) {
      const one = a.subarray(offset, offset + length);
      expect(same(one, b.subarray(offset, offset + length))).toBe(false);
    }
    expect(await diffExtents(links, links)).toEqual([]);
  });

  it('are refused when an image names another file, appears twice, or needs more than it was given', async () => {
    const { links } = await makeChain(31);
    const [top, second, third, base] = links as [ChainLink, ChainLink, ChainLink, ChainLink];
    await expect(openChain([top, third, base])).rejects.toThrow('expected');
    await expect(openChain([top])).rejects.toThrow('not part of its chain');
    await expect(
      openChain([top, second, third, { ...base, format: base.format === 'raw' ? 'qcow2' : 'raw' }]),
    ).rejects.toMatchObject({ kind: 'bad-input' });
    await createOverlay(join(folder, 'loop'), {
      backing: { path: join(folder, 'loop'), format: 'qcow2' },
      sizeBytes: 512,
    });
    const loop: ChainLink = { path: join(folder, 'loop'), format: 'qcow2' };
    await expect(openChain([loop, loop, loop], { readOnly: true })).rejects.toThrow('twice');
    // Nothing stayed open or locked.
    await (await openChain(links)).close();
  });
});

describe('a disk in use', () => {
  it.each(['raw', 'qcow2'] as const)('goes on in an overlay between two requests: %s', async (format) => {
    const base: ChainLink = { path: join(folder, `live-${format}`), format };
    await createDisk(base.path, { format, sizeBytes: 2 ** 20 });
    const live = new LiveDisk(await openChain([base]));
    const model = new Uint8Array(2 ** 20);
    let running = true;
    let writes = 0;
    const guest = (async (): Promise<void> => {
      const random = randomStream(7);
      while (running) {
        const offset = random(2000) * 512;
        const data = new Uint8Array(2048).fill(++writes);
        await live.write(offset, data);
        model.set(data, offset);
      }
    })();
    const until = async (count: number): Promise<void> => {
      while (writes < count) await new Promise((resolve) => setImmediate(resolve));
    };
    const taken: Uint8Array[] = [];
    const links: ChainLink[] = [base];
    for (let round = 1; round <= 3; round++) {
      await until(round * 40);
      const overlay: ChainLink = { path: join(folder, `live-${format}-${round}`), format: 'qcow2' };
      await createOverlay(overlay.path, { backing: links[0] as ChainLink, sizeBytes: live.sizeBytes });
      await switchToOverlay(live, overlay.path);
      taken.push(await content(links));
      links.unshift(overlay);
    }
    // Two images are taken out while the guest goes on.
    for (let round = 0; round < 2; round++) {
      await until(writes + 20);
      const disk = live.current as Qcow2Disk;
      await pullFromBacking(disk);
      await dropBacking(disk, links);
      links.splice(1, 1);
      await until(writes + 20);
    }
    running = false;
    await guest;
    const now = new Uint8Array(2 ** 20);
    await live.read(0, now);
    expect(same(now, model)).toBe(true);
    await live.close();
    expect(links.length).toBe(2);
    expect(same(await content(links), model)).toBe(true);
    expect(taken.length).toBe(3);
    expect(same(await content([base]), taken[0] as Uint8Array)).toBe(true);
    qemuAgrees(links[0]?.path ?? '');
  });

  it.skipIf(process.platform !== 'linux')(
    'lets others read what is frozen, and takes it back when nobody does',
    async () => {
      const base: ChainLink = { path: join(folder, 'frozen'), format: 'qcow2' };
      await createDisk(base.path, { format: 'qcow2', sizeBytes: 2 ** 20 });
      const disk = await openChain([base]);
      if (!(disk instanceof Qcow2Disk)) throw new Error('not qcow2');
      await expect(openChain([base], { readOnly: true })).rejects.toMatchObject({ kind: 'busy' });
      await disk.write(0, new Uint8Array(512).fill(5));
      await disk.freeze();
      await expect(disk.write(0, new Uint8Array(512))).rejects.toMatchObject({ kind: 'permission' });
      const other = await openChain([base], { readOnly: true });
      await expect(disk.thaw()).rejects.toMatchObject({ kind: 'busy' });
      // The refused lock took nothing away: nobody can write to what we read.
      await expect(openChain([base])).rejects.toMatchObject({ kind: 'busy' });
      await other.close();
      await disk.thaw();
      await disk.write(512, new Uint8Array(512).fill(6));
      await disk.close();
      expect((await content([base])).subarray(510, 514)).toEqual(Uint8Array.of(5, 5, 6, 6));
    },
  );

  it('goes on in its present image when the overlay will not do', async () => {
    const base: ChainLink = { path: join(folder, 'stay'), format: 'qcow2' };
    await createDisk(base.path, { format: 'qcow2', sizeBytes: 2 ** 20 });
    await createDisk(join(folder, 'stranger'), { format: 'qcow2', sizeBytes: 2 ** 20 });
    const live = new LiveDisk(await openChain([base]));
    await expect(switchToOverlay(live, join(folder, 'stranger'))).rejects.toThrow('not an overlay');
    await expect(switchToOverlay(live, join(folder, 'missing'))).rejects.toMatchObject({ kind: 'not-found' });
    await live.write(0, new Uint8Array(512).fill(1));
    await live.close();
    await (await nodeHostFiles.open(join(folder, 'stranger'), { readOnly: false })).close();
  });
});
