// The disk part of `npm run bench`: sequential access through the block layer against fio on a file of the same size in
// the same folder, random reads against qemu-io on the same image. All of it fits into memory: what is compared is the
// way through the layers, not the host's disk, except that writes end with a flush.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlockDevice } from '../../core/block/block-device.ts';
import { createDisk } from '../../core/block/disk-tools.ts';
import { openChain } from '../../core/block/image-chain.ts';

const SIZE = 256 * 2 ** 20;
const PIECE = 2 ** 20;
const RANDOM_READS = 20_000;

const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

interface FioResult {
  readonly jobs: readonly {
    readonly read: { readonly bw_bytes: number };
    readonly write: { readonly bw_bytes: number };
  }[];
}

/** Bytes a second. */
function fio(path: string, rw: 'read' | 'write'): number {
  const result = spawnSync(
    'fio',
    [
      '--name=x',
      `--filename=${path}`,
      `--size=${SIZE}`,
      `--bs=${PIECE}`,
      `--rw=${rw}`,
      '--ioengine=sync',
      '--invalidate=0',
      '--end_fsync=1',
      '--output-format=json',
    ],
    { encoding: 'utf8' },
  );
  if (result.status !== 0) throw new Error(`fio: ${result.stderr}`);
  const job = (JSON.parse(result.stdout) as FioResult).jobs[0];
  return (rw === 'read' ? job?.read.bw_bytes : job?.write.bw_bytes) ?? NaN;
}

async function sequential(disk: BlockDevice, rw: 'read' | 'write'): Promise<number> {
  const piece = new Uint8Array(PIECE).fill(0x5a);
  const began = performance.now();
  for (let at = 0; at < SIZE; at += PIECE) await (rw === 'read' ? disk.read(at, piece) : disk.write(at, piece));
  if (rw === 'write') await disk.flush();
  return (SIZE / (performance.now() - began)) * 1000;
}

function offsets(): number[] {
  let state = 12_345;
  return Array.from({ length: RANDOM_READS }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state % (SIZE / 4096)) * 4096;
  });
}

/** Milliseconds; the start of the program is taken off. */
function qemuIo(path: string, places: readonly number[]): number {
  const run = (commands: string): number => {
    const began = performance.now();
    const result = spawnSync('qemu-io', ['-f', 'qcow2', '-r', path], { input: commands, encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`qemu-io: ${result.stderr}`);
    return performance.now() - began;
  };
  const empty = run('quit\n');
  return run(`${places.map((at) => `read -q ${at} 4096`).join('\n')}\nquit\n`) - empty;
}

async function randomReads(disk: BlockDevice, places: readonly number[]): Promise<number> {
  const target = new Uint8Array(4096);
  const began = performance.now();
  for (const at of places) await disk.read(at, target);
  return performance.now() - began;
}

export const canBenchDisk = (): boolean => has('fio') && has('qemu-io');

/** What was measured: lines for people, numbers for files. */
export interface DiskResults {
  print(): void;
  record(): object;
}

export async function benchDisk(runs: number): Promise<DiskResults> {
  const lines: string[] = [];
  const numbers: Record<string, number> = {};
  const folder = mkdtempSync(join(tmpdir(), 'nestbox-bench-disk-'));
  try {
    const flat = join(folder, 'flat');
    const images = { raw: join(folder, 'disk.raw'), qcow2: join(folder, 'disk.qcow2') };
    for (const format of ['raw', 'qcow2'] as const) {
      await createDisk(images[format], { format, sizeBytes: SIZE });
      const disk = await openChain([{ path: images[format], format }]);
      const first = await sequential(disk, 'write');
      lines.push(`${format.padEnd(5)} first sequential write, allocating: ${(first / 2 ** 20).toFixed(0)} MiB/s`);
      await disk.close();
    }
    fio(flat, 'write');
    for (const rw of ['write', 'read'] as const) {
      const samples = { fio: [] as number[], raw: [] as number[], qcow2: [] as number[] };
      for (let run = 0; run < runs; run++) {
        samples.fio.push(fio(flat, rw));
        for (const format of ['raw', 'qcow2'] as const) {
          const disk = await openChain([{ path: images[format], format }]);
          samples[format].push(await sequential(disk, rw));
          await disk.close();
        }
      }
      const peer = median(samples.fio);
      for (const format of ['raw', 'qcow2'] as const) {
        const ours = median(samples[format]);
        numbers[`${format} ${rw}, of fio`] = ours / peer;
        lines.push(
          `${format.padEnd(5)} sequential ${rw}: ${(ours / 2 ** 20).toFixed(0)} MiB/s, ${(ours / peer).toFixed(2)} of fio's ${(peer / 2 ** 20).toFixed(0)}`,
        );
      }
    }
    const places = offsets();
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let run = 0; run < runs; run++) {
      const disk = await openChain([{ path: images.qcow2, format: 'qcow2' }], { readOnly: true });
      ours.push(await randomReads(disk, places));
      await disk.close();
      theirs.push(qemuIo(images.qcow2, places));
    }
    numbers['random reads, time of qemu-io'] = median(ours) / median(theirs);
    const us = (ms: number): string => ((ms * 1000) / RANDOM_READS).toFixed(1);
    lines.push(
      `qcow2 random 4 KiB reads: ${us(median(ours))} us each, qemu-io ${us(median(theirs))} us, time ${(median(ours) / median(theirs)).toFixed(2)} of qemu-io's`,
    );
    return {
      print: () => console.log(`\ndisk images, ${SIZE / 2 ** 20} MiB\n${lines.join('\n')}`),
      record: () => ({ title: 'disk images', runs, ratios: numbers }),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
