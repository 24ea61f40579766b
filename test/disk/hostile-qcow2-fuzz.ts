// The fuzzer of qcow2 images: opened, read, checked, repaired and written to with declared errors only, in bounded time,
// and never a write into the image's own header.

import { MemoryDisk } from '../../core/block/memory-disk.ts';
import { checkQcow2 } from '../../core/block/qcow2/check-qcow2.ts';
import { createQcow2 } from '../../core/block/qcow2/create-qcow2.ts';
import { openQcow2 } from '../../core/block/qcow2/open-qcow2.ts';
import { MemoryHostFile } from '../../core/host/files/memory-host-file.ts';
import { randomStream } from './contents.ts';
import { declared, mutateWord } from './mutations.ts';

const LIMIT_MS = 5000;
const SIZE = 2 ** 18;

/** A file that can be looked at when it was closed. */
export class KeptFile extends MemoryHostFile {
  override async close(): Promise<void> {
    // Looked at afterwards.
  }
}

const resolveBacking = async (): Promise<MemoryDisk> =>
  new MemoryDisk(new Uint8Array(SIZE).fill(3), { readOnly: true });

async function sample(clusterBytes: number, refcountBits: number, version: 2 | 3, zstd: boolean): Promise<Uint8Array> {
  const file = new KeptFile(new Uint8Array(0));
  await createQcow2(file, {
    sizeBytes: SIZE,
    clusterBytes,
    refcountBits,
    version,
    ...(zstd ? { compressionType: 'zstd' } : {}),
    backing: { name: 'b', format: 'raw' },
  });
  const disk = await openQcow2(file, { resolveBacking });
  for (let at = 0; at < 8; at++) await disk.writeCompressed(at * clusterBytes, new Uint8Array(clusterBytes).fill(at));
  await disk.write(SIZE / 2, new Uint8Array(20_000).fill(7));
  await disk.writeZeroes(SIZE / 4, 9000);
  await disk.close();
  return file.content();
}

export async function fuzzQcow2(images: number, seed: number): Promise<void> {
  const samples = [
    await sample(512, 16, 2, false),
    await sample(1024, 64, 3, false),
    await sample(4096, 1, 3, true),
    await sample(16_384, 16, 3, false),
  ];
  const random = randomStream(seed);
  for (let index = 0; index < images; index++) {
    let bytes = (samples[index % samples.length] as Uint8Array).slice();
    for (let change = 1 + random(4); change > 0; change--) {
      // Header fields half of the time, else any word of the file, which is mostly tables.
      const at = random(2) === 0 ? 4 * (1 + random(29)) : 4 * random(bytes.length / 4);
      mutateWord(bytes, at, random, false);
    }
    if (random(10) === 0) bytes = bytes.slice(0, random(bytes.length));
    const began = performance.now();
    const target = new Uint8Array(SIZE);
    await declared(async () => {
      const disk = await openQcow2(new KeptFile(bytes, { readOnly: true }), { resolveBacking });
      await disk.read(0, target.subarray(0, Math.min(SIZE, disk.sizeBytes)));
    }, `reading image ${index}`);
    await declared(async () => {
      await checkQcow2(new KeptFile(bytes, { readOnly: true }));
    }, `checking image ${index}`);
    const file = new KeptFile(bytes);
    await declared(async () => {
      const disk = await openQcow2(file, { resolveBacking });
      try {
        if (disk.sizeBytes >= 32_768) await disk.write(512, new Uint8Array(30_000).fill(9));
        if (disk.sizeBytes >= SIZE) await disk.writeZeroes(SIZE / 2, 4096);
      } finally {
        await disk.close();
      }
    }, `writing image ${index}`);
    // The magic number is the first thing that a write into the header would hit.
    if (bytes.length >= 72) {
      if (Buffer.compare(file.content().subarray(0, 4), bytes.subarray(0, 4)) !== 0)
        throw new Error(`image ${index}: the header was overwritten`);
    }
    await declared(async () => {
      await checkQcow2(new KeptFile(bytes), { repair: 'all' });
    }, `repairing image ${index}`);
    const tookMs = performance.now() - began;
    if (tookMs > LIMIT_MS) throw new Error(`image ${index} took ${tookMs} ms`);
  }
}
