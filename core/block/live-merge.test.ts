import { describe, expect, it } from 'vitest';
import { NestboxError } from '../base/errors.ts';
import type { HostFile, HostFiles } from '../host/files/host-file.ts';
import { MemoryHostFiles } from '../host/files/memory-host-files.ts';
import { createDisk } from './disk-tools.ts';
import { type ChainLink, createOverlay, openChain } from './image-chain.ts';
import { LiveDisk, switchToOverlay } from './live-disk.ts';
import { commitLive, pullLive } from './live-merge.ts';
import { MirrorDisk } from './mirror-disk.ts';
import { checkQcow2 } from './qcow2/check-qcow2.ts';
import type { Qcow2Disk } from './qcow2/qcow2-disk.ts';

const SIZE = 512 * 1024;

function randomStream(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Reads and changes take turns of the event loop, as with real files: others come in between. */
class SlowFiles extends MemoryHostFiles {
  constructor() {
    super();
    this.onChange = turn;
  }

  override async open(path: string, options: { readOnly: boolean }): Promise<HostFile> {
    const file = await super.open(path, options);
    const read = file.read.bind(file);
    file.read = async (offset, target) => {
      await turn();
      return read(offset, target);
    };
    return file;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface Guest {
  readonly disk: LiveDisk;
  readonly model: Buffer;
  readonly random: (below: number) => number;
}

/** One request of the guest, and what it must have changed. */
async function act({ disk, model, random }: Guest): Promise<void> {
  const offset = random(SIZE / 512) * 512;
  const length = Math.min(SIZE - offset, (1 + random(60)) * 512);
  const kind = random(8);
  if (kind === 0) await disk.flush();
  else if (kind === 1) {
    await disk.writeZeroes(offset, length);
    model.fill(0, offset, offset + length);
  } else if (kind === 2) {
    await disk.discard(offset, length);
    await disk.read(offset, model.subarray(offset, offset + length));
  } else if (kind === 3) {
    const found = Buffer.alloc(length);
    await disk.read(offset, found);
    expect(Buffer.compare(found, model.subarray(offset, offset + length))).toBe(0);
  } else {
    const value = 1 + random(255);
    await disk.write(offset, new Uint8Array(length).fill(value));
    model.fill(value, offset, offset + length);
  }
}

const link = (name: string, format: ChainLink['format'] = 'qcow2'): ChainLink => ({ path: `/d/${name}`, format });

/**
 * A guest on three images. @param fresh whether they were made while it ran, and so are open for writing, or were there when it started
 * @param raw the format of the base
 */
async function guestOn(files: MemoryHostFiles, links: readonly ChainLink[], fresh: boolean, seed: number): Promise<Guest> {
  const base = links.at(-1) as ChainLink;
  await createDisk(base.path, { format: base.format, sizeBytes: SIZE, ...(base.format === 'raw' ? {} : { clusterBytes: 4096 }) }, files);
  const guest = { disk: new LiveDisk(await openChain([base], { files })), model: Buffer.alloc(SIZE), random: randomStream(seed) };
  for (let step = 0; step < 12; step++) await act(guest);
  for (let index = links.length - 2; index >= 0; index--) {
    const { path } = links[index] as ChainLink;
    await createOverlay(path, { backing: links[index + 1] as ChainLink, sizeBytes: SIZE, image: { clusterBytes: index === 0 ? 2048 : 8192 } }, files);
    await switchToOverlay(guest.disk, path, files);
    for (let step = 0; step < 12; step++) await act(guest);
  }
  if (fresh) return guest;
  await guest.disk.close();
  return { ...guest, disk: new LiveDisk(await openChain(links, { files })) };
}

/** The guest goes on until the work is done. */
async function during(guest: Guest, work: Promise<unknown>): Promise<void> {
  let done = false;
  const ended = work.finally(() => (done = true));
  const acting = (async () => {
    while (!done) {
      await act(guest);
      await turn();
    }
  })();
  await Promise.all([ended, acting]);
}

/** @param leaks may be there: an image was not closed, or a write failed */
async function expectContent(files: HostFiles, links: readonly ChainLink[], model: Buffer, leaks = false): Promise<void> {
  const disk = await openChain(links, { files, readOnly: true });
  const bytes = Buffer.alloc(disk.sizeBytes);
  await disk.read(0, bytes);
  await disk.close();
  expect(Buffer.compare(bytes, model)).toBe(0);
  for (const { path, format } of links) {
    if (format === 'raw') continue;
    const file = await files.open(path, { readOnly: true });
    const report = await checkQcow2(file);
    await file.close();
    expect(report.messages.filter((message) => !leaks || !message.startsWith('leak'))).toEqual([]);
  }
}

const THREE = [link('top'), link('middle'), link('base')];
const TWO = [link('top'), link('base')];
const RAW = [link('top'), link('base', 'raw')];

const CASES = [THREE, TWO, RAW].flatMap((links) => [true, false].flatMap((fresh) => [1, 2, 3].map((seed) => ({ what: `${links.length} images, base ${links.at(-1)?.format ?? ''}, fresh ${String(fresh)}, ${seed}`, links, fresh, seed }))));

describe('merging under a guest', () => {
  it.each(CASES)('the top image takes over: $what', async ({ links, fresh, seed }) => {
    const files = new SlowFiles();
    const guest = await guestOn(files, links, fresh, seed);
    await during(guest, pullLive(guest.disk, links));
    for (let step = 0; step < 20; step++) await act(guest);
    await guest.disk.close();
    expect(files.openHandles).toBe(0);
    await files.unlink((links[1] as ChainLink).path);
    await expectContent(files, [links[0] as ChainLink, ...links.slice(2)], guest.model);
  });

  it.each(CASES)('the image below takes over: $what', async ({ links, fresh, seed }) => {
    const files = new SlowFiles();
    const guest = await guestOn(files, links, fresh, seed);
    const committed = commitLive(guest.disk, links, { files });
    await during(guest, committed);
    // Now both chains hold it, and whatever the guest still does.
    for (let step = 0; step < 20; step++) await act(guest);
    await guest.disk.flush();
    const copy = new MemoryHostFiles();
    for (const [path, inode] of files.names) copy.put(path, inode.content());
    await expectContent(copy, links, guest.model, true);
    await expectContent(copy, links.slice(1), guest.model, true);
    await during(guest, (await committed).finish());
    await files.unlink((links[0] as ChainLink).path);
    for (let step = 0; step < 20; step++) await act(guest);
    await guest.disk.close();
    expect(files.openHandles).toBe(0);
    await expectContent(files, links.slice(1), guest.model);
  });

  it.each([
    ['cancelled', pullLive],
    ['cancelled', commitLive],
    ['no-space', pullLive],
    ['no-space', commitLive],
  ] as const)('%s: the disk is what it was, and it can be done again (%o)', async (kind, merge) => {
    let stopped = 0;
    for (let point = 0; point < 60; point += 3) {
      const files = new MemoryHostFiles();
      const guest = await guestOn(files, THREE, point % 2 === 0, 7);
      const abort = new AbortController();
      let count = 0;
      files.onChange = (change) => {
        if (change.op !== 'write' || count++ !== point) return;
        if (kind === 'cancelled') abort.abort();
        else throw new NestboxError('no-space', 'no space left on the disk');
      };
      const error: unknown = await merge(guest.disk, THREE, { files, signal: abort.signal }).then((done) => done?.abandon(), (reason: unknown) => reason);
      files.onChange = undefined;
      if (error !== undefined) {
        stopped++;
        expect(error).toMatchObject({ kind });
      }
      for (let step = 0; step < 20; step++) await act(guest);
      if (error !== undefined) {
        const done = await merge(guest.disk, THREE, { files });
        if (done !== undefined) await done.finish();
        await guest.disk.close();
        await expectContent(files, merge === pullLive ? [THREE[0] as ChainLink, THREE[2] as ChainLink] : THREE.slice(1), guest.model, true);
      } else await guest.disk.close();
      expect(files.openHandles).toBe(0);
    }
    expect(stopped).toBeGreaterThan(3);
  });

  it('is refused while somebody else reads the image below, and the guest notices nothing', async () => {
    for (const fresh of [true, false]) {
      const files = new MemoryHostFiles();
      const guest = await guestOn(files, TWO, fresh, 9);
      const other = await files.open('/d/base', { readOnly: true });
      await other.lock('shared');
      await expect(commitLive(guest.disk, TWO, { files })).rejects.toMatchObject({ kind: 'busy' });
      for (let step = 0; step < 20; step++) await act(guest);
      await other.close();
      await guest.disk.close();
      await expectContent(files, TWO, guest.model);
    }
  });

  it('holds a write back while a step of the copy looks and writes', async () => {
    const files = new MemoryHostFiles();
    const guest = await guestOn(files, TWO, true, 3);
    const top = guest.disk.current as Qcow2Disk;
    const base = top.backing as Qcow2Disk;
    await base.thaw();
    const mirror = new MirrorDisk(top, base);
    const order: string[] = [];
    let release = (): void => undefined;
    const step = mirror.copyStep(async () => {
      await new Promise<void>((resolve) => (release = resolve));
      order.push('step');
    });
    const write = mirror.write(0, new Uint8Array(512)).then(() => order.push('write'));
    for (let turns = 0; turns < 20; turns++) await turn();
    release();
    await Promise.all([step, write]);
    expect(order).toEqual(['step', 'write']);
    await mirror.close();
  });

  it('is refused when the chain is another one', async () => {
    const files = new MemoryHostFiles();
    const guest = await guestOn(files, THREE, false, 9);
    await expect(pullLive(guest.disk, TWO)).rejects.toMatchObject({ kind: 'usage' });
    await expect(commitLive(guest.disk, TWO, { files })).rejects.toMatchObject({ kind: 'usage' });
    await guest.disk.close();
  });
});
