import { describe, expect, it } from 'vitest';
import { MemoryHostFiles } from '../host/files/memory-host-files.ts';
import { FRAME_PAGES, PAGE_BYTES } from './format.ts';
import { PackReader } from './pack-reader.ts';
import { PackWriter, contentId } from './pack-writer.ts';
import { PageIndex } from './page-index.ts';
import { readStateFile, writeStateFile } from './state-file.ts';
import { StateStore } from './state-store.ts';
import { decodeValue, encodeValue } from './state-values.ts';

const A = 'a'.repeat(32);
const B = 'b'.repeat(32);
const C = 'c'.repeat(32);

function randomStream(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A page that compresses only in part. */
function page(seed: number): Uint8Array {
  const random = randomStream(seed + 1);
  return Uint8Array.from({ length: PAGE_BYTES }, (_, at) => (at < 3000 ? seed & 0xff : random(256)));
}

async function writePack(files: MemoryHostFiles, id: string, pages: readonly Uint8Array[], storage: 'packed' | 'plain' = 'packed'): Promise<{ id: string; entries: number; digest: string }> {
  const file = await files.create(`s/${id}.pages`);
  const writer = new PackWriter(file, id, storage);
  const hash = new Uint32Array(4);
  for (const bytes of pages) {
    contentId(bytes, hash);
    writer.add(bytes, hash);
    await writer.pressure();
  }
  const { entries, digest } = await writer.finish();
  await file.close();
  return { id, entries, digest };
}

async function writeState(files: MemoryHostFiles, id: string, packs: readonly { id: string; entries: number; digest: string }[], refs: readonly number[]): Promise<void> {
  const file = await files.create(`s/${id}.state`);
  await writeStateFile(file, { packs, regions: [{ name: 'ram', refs: Uint32Array.from(refs) }], machine: { version: 1, fields: { rip: 0xfff0n, bytes: Uint8Array.of(1, 2, 3) } } });
  await file.close();
}

describe('page files', () => {
  it.each(['packed', 'plain'] as const)('give back every page: %s', async (storage) => {
    const files = new MemoryHostFiles();
    const pages = Array.from({ length: FRAME_PAGES * 5 + 3 }, (_, n) => page(n));
    await writePack(files, A, pages, storage);
    const reader = await PackReader.open(await files.open(`s/${A}.pages`, { readOnly: true }), A);
    const random = randomStream(3);
    for (let i = 0; i < 200; i++) {
      const n = random(pages.length);
      expect(Buffer.compare(reader.page(n), pages[n] as Uint8Array)).toBe(0);
    }
    await reader.close();
    expect(files.openHandles).toBe(0);
    if (storage === 'packed') expect(files.usedBytes).toBeLessThan((pages.length * PAGE_BYTES) / 2);
  });

  it('are found by content', () => {
    const index = new PageIndex(4);
    const ids = new Uint32Array(4 * 5000);
    for (let n = 0; n < 5000; n++) contentId(page(n), ids.subarray(n * 4, n * 4 + 4));
    for (let n = 0; n < 5000; n++) index.add(ids, n * 4, n + 1);
    index.add(ids, 0, 77);
    for (let n = 0; n < 5000; n++) expect(index.find(ids, n * 4)).toBe(n + 1);
    const other = new Uint32Array(4);
    contentId(page(6000), other);
    expect(index.find(other, 0)).toBe(0);
    expect(index.size).toBe(5000);
  });
});

describe('values', () => {
  it('come back as they were', () => {
    const value = { a: [1, -2.5, null, true, 'x'], b: { big: -(2n ** 63n), zero: 0n, bytes: Uint8Array.of(0, 255) }, c: [Infinity, -Infinity, -0] };
    expect(decodeValue(JSON.parse(JSON.stringify(encodeValue(value))))).toEqual(value);
  });

  it('that would be lost are refused', () => {
    expect(() => encodeValue({ a: new Map() })).toThrow(RangeError);
    expect(() => encodeValue({ a: () => 1 })).toThrow(RangeError);
    expect(() => encodeValue({ $integer: '1' })).toThrow(RangeError);
  });
});

describe('what a state needs alone', () => {
  it('is what goes when only that one goes', async () => {
    // Whole frames that do not compress: every host frees them.
    const noise = (seed: number): Uint8Array => {
      const random = randomStream(seed + 1);
      return Uint8Array.from({ length: PAGE_BYTES }, () => random(256));
    };
    const build = async (): Promise<{ files: MemoryHostFiles; store: StateStore }> => {
      const files = new MemoryHostFiles();
      const first = await writePack(files, A, Array.from({ length: FRAME_PAGES * 6 }, (_, n) => noise(n)));
      const second = await writePack(files, B, Array.from({ length: FRAME_PAGES * 2 }, (_, n) => noise(500 + n)));
      const frames = (from: number, to: number): number[] => Array.from({ length: (to - from) * FRAME_PAGES }, (_, n) => 1 + from * FRAME_PAGES + n);
      await writeState(files, A, [first], [0, ...frames(0, 4)]);
      // Shares frames 2 and 3, has frame 4 and all of its own file alone.
      await writeState(files, B, [first, second], [...frames(2, 5), 0, ...frames(6, 8)]);
      await writeState(files, C, [first], frames(3, 4));
      return { files, store: new StateStore(files, 's') };
    };
    const all = [A, B, C];
    for (const gone of all) {
      const { files, store } = await build();
      // Frame 5 belongs to nobody.
      await store.sweep(new Set(all));
      const { own } = await store.usage(all);
      const stateBytes = files.content(`s/${gone}.state`).length;
      const { freedBytes } = await store.sweep(new Set(all.filter((id) => id !== gone)));
      // Sweeping says again what it had freed already: the frame of nobody.
      const already = (await build().then(({ store: fresh }) => fresh.sweep(new Set(all)))).freedBytes;
      expect(own.get(gone), gone).toBe(stateBytes + freedBytes - already);
    }
    const { store } = await build();
    expect(await store.usage([C, A, B])).toEqual(await store.usage(all));
    // Everything but the frame of nobody, whichever is asked for first.
    const { files: whole, store: swept } = await build();
    const { freedBytes: nobodys } = await swept.sweep(new Set(all));
    expect((await swept.usage([B, C, A])).totalBytes).toBe(whole.usedBytes - nobodys);
    // With one left, everything that is needed is its own.
    const { files, store: lonely } = await build();
    await lonely.sweep(new Set([C]));
    const { own: left, totalBytes } = await lonely.usage([C]);
    const own = left.get(C) ?? 0;
    expect(own).toBe(totalBytes);
    expect(own).toBeGreaterThan(PAGE_BYTES * FRAME_PAGES);
    expect(own).toBeLessThan(files.usedBytes);
  });
});

describe('sweeping', () => {
  it('keeps what kept states need, and nothing else', async () => {
    const files = new MemoryHostFiles();
    const store = new StateStore(files, 's');
    const first = await writePack(files, A, Array.from({ length: FRAME_PAGES * 8 }, (_, n) => page(n)));
    const second = await writePack(files, B, [page(900), page(901)]);
    await writeState(files, A, [first], [1, 2, 0, 60]);
    // B shares the pages of one frame of A.
    await writeState(files, B, [first, second], [FRAME_PAGES * 3 + 1, 0, FRAME_PAGES * 8 + 2]);
    const { freedBytes } = await store.sweep(new Set([B]));
    expect(freedBytes).toBeGreaterThan(0);
    expect([...files.names.keys()].sort()).toEqual([`s/${A}.pages`, `s/${B}.pages`, `s/${B}.state`]);
    const state = await store.open(B);
    const refs = state.region('ram') as Uint32Array;
    expect(Buffer.compare(state.page(refs[0] as number), page(FRAME_PAGES * 3))).toBe(0);
    expect(Buffer.compare(state.page(refs[2] as number), page(901))).toBe(0);
    expect(() => state.page(1)).toThrow(/damaged/);
    await state.close();
    await store.sweep(new Set());
    expect(files.names.size).toBe(0);
  });

  it('throws nothing away when a kept state cannot be read', async () => {
    const files = new MemoryHostFiles();
    const pack = await writePack(files, A, [page(1)]);
    await writeState(files, A, [pack], [1]);
    const bytes = files.content(`s/${A}.state`);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    files.put(`s/${A}.state`, bytes);
    await new StateStore(files, 's').sweep(new Set([A]));
    expect(files.names.size).toBe(2);
  });

  it('refuses a page file that is not the one the state was saved with', async () => {
    const files = new MemoryHostFiles();
    await writeState(files, A, [await writePack(files, A, [page(1)])], [1]);
    files.names.delete(`s/${A}.pages`);
    await writePack(files, A, [page(2)]);
    await expect(new StateStore(files, 's').open(A)).rejects.toMatchObject({ kind: 'bad-input' });
    expect(files.openHandles).toBe(0);
  });
});

describe('hostile files (I19)', () => {
  it('a newer version is told apart from damage', async () => {
    const files = new MemoryHostFiles();
    await writeState(files, A, [await writePack(files, A, [page(1)])], [1]);
    const bytes = files.content(`s/${A}.state`);
    bytes[8] = 2;
    files.put(`s/${A}.state`, bytes);
    await expect(new StateStore(files, 's').read(A)).rejects.toMatchObject({ kind: 'unsupported' });
  });

  it('are refused with a reason, whatever byte is damaged, and nothing else is thrown', { timeout: 60_000 }, async () => {
    const files = new MemoryHostFiles();
    await writeState(files, A, [await writePack(files, A, Array.from({ length: 40 }, (_, n) => page(n)))], Array.from({ length: 64 }, (_, n) => n % 41));
    const good = { state: files.content(`s/${A}.state`), pages: files.content(`s/${A}.pages`) };
    const random = randomStream(99);
    const store = new StateStore(files, 's');
    let refused = 0;
    for (let round = 0; round < 1200; round++) {
      const which = round % 2 === 0 ? 'state' : 'pages';
      const bytes = good[which].slice();
      // Headers, tables and trailers are hit more often than page contents.
      const place = (): number => (random(2) === 0 ? random(96) : random(2) === 0 ? bytes.length - 1 - random(Math.min(bytes.length, 900)) : random(bytes.length));
      for (let n = 1 + random(4); n > 0; n--) bytes[place()] = random(3) === 0 ? 0xff : random(256);
      files.put(`s/${A}.${which}`, random(20) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes);
      try {
        const state = await store.open(A);
        try {
          for (const ref of state.region('ram') as Uint32Array) if (ref > 0) state.page(ref);
        } finally {
          await state.close();
        }
      } catch (error) {
        refused++;
        expect(error).toMatchObject({ name: 'NestboxError' });
        expect(['bad-input', 'unsupported']).toContain((error as { kind: string }).kind);
      }
      files.put(`s/${A}.${which}`, good[which]);
    }
    expect(refused).toBeGreaterThan(950);
    expect(files.openHandles).toBe(0);
  });

  it('with valid check sums but impossible content are refused too', async () => {
    const files = new MemoryHostFiles();
    const pack = await writePack(files, A, [page(1)]);
    const write = async (content: Parameters<typeof writeStateFile>[1]): Promise<unknown> => {
      const file = await files.create('s/x');
      await writeStateFile(file, content);
      await file.close();
      const again = await files.open('s/x', { readOnly: true });
      try {
        return await readStateFile(again);
      } finally {
        await again.close();
        await files.unlink('s/x');
      }
    };
    const ram = (refs: readonly number[]): { name: string; refs: Uint32Array } => ({ name: 'ram', refs: Uint32Array.from(refs) });
    await write({ packs: [pack], regions: [ram([0, 1])], machine: {} });
    const refuse = (content: Parameters<typeof writeStateFile>[1]): Promise<void> => expect(write(content)).rejects.toMatchObject({ kind: 'bad-input' });
    await refuse({ packs: [pack], regions: [ram([2])], machine: {} });
    await refuse({ packs: [pack, pack], regions: [], machine: {} });
    await refuse({ packs: [pack], regions: [ram([1]), ram([1])], machine: {} });
    await refuse({ packs: [{ ...pack, id: '../../etc/passwd' }], regions: [], machine: {} });
    await refuse({ packs: [{ ...pack, entries: 2 ** 30 }], regions: [], machine: {} });
  });
});
