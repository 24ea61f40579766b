// `nestbox disk`: makes, looks at, checks, converts, resizes and compacts disk images. Data goes to stdout, progress and
// messages to stderr; Ctrl-C ends a long operation with the old files as they were.

import type { Command } from 'commander';
import { NestboxError } from '../base/errors.ts';
import { commitDisk } from '../block/commit-disk.ts';
import type { CheckReport } from '../block/qcow2/check-qcow2.ts';
import type { CopyOptions } from '../block/copy-disk.ts';
import { type DiskFormat, type ImageFormat, isImageFormat } from '../block/disk-files.ts';
import {
  checkDisk,
  compactDisk,
  convertDisk,
  createDisk,
  type CreateDiskOptions,
  diskInfo,
  type DiskInfo,
  resizeDisk,
} from '../block/disk-tools.ts';
import { addCloneCommand, addDiskSnapshotCommand } from './disk-snapshot-command.ts';
import { EXIT_FAILED, EXIT_OK } from './exit-codes.ts';
import { print, printable } from './print.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** "64K", "10G", "1.5T" or bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text);
  const bytes = match === null ? NaN : Number(match[1]) * (UNITS[(match[2] ?? '').toUpperCase()] ?? NaN);
  if (!Number.isSafeInteger(bytes))
    throw new NestboxError('usage', `Size ${JSON.stringify(text)}: expected bytes, or a number with K, M, G or T`);
  return bytes;
}

export function formatSize(bytes: number): string {
  for (const [unit, size] of Object.entries(UNITS).reverse()) {
    if (unit !== '' && bytes >= size) return `${Number((bytes / size).toFixed(2))} ${unit}iB`;
  }
  return `${bytes} bytes`;
}

function parseImageFormat(option: string, text: string): ImageFormat {
  if (isImageFormat(text)) return text;
  throw new NestboxError('usage', `${option} ${text}: expected raw, qcow2, vmdk, vdi, vhd or vhdx`);
}

function parseFormat(option: string, text: string): DiskFormat {
  if (text === 'raw' || text === 'qcow2') return text;
  throw new NestboxError('usage', `${option} ${text}: expected raw or qcow2`);
}

interface ImageFlags {
  clusterSize?: string;
  refcountBits?: string;
  compat?: string;
  compressionType?: string;
  lazyRefcounts?: boolean;
}

type ImageOptions = Pick<
  CreateDiskOptions,
  'version' | 'clusterBytes' | 'refcountBits' | 'compressionType' | 'lazyRefcounts'
>;

function imageOptions(flags: ImageFlags): ImageOptions {
  const { compat, compressionType } = flags;
  if (compat !== undefined && compat !== '2' && compat !== '3')
    throw new NestboxError('usage', `--compat ${compat}: expected 2 or 3`);
  if (compressionType !== undefined && compressionType !== 'zlib' && compressionType !== 'zstd')
    throw new NestboxError('usage', `--compression-type ${compressionType}: expected zlib or zstd`);
  return {
    ...(compat === undefined ? {} : { version: compat === '2' ? 2 : 3 }),
    ...(flags.clusterSize === undefined ? {} : { clusterBytes: parseSize(flags.clusterSize) }),
    ...(flags.refcountBits === undefined ? {} : { refcountBits: Number(flags.refcountBits) }),
    ...(compressionType === undefined ? {} : { compressionType }),
    ...(flags.lazyRefcounts === true ? { lazyRefcounts: true } : {}),
  };
}

function addImageOptions(command: Command): Command {
  return command
    .option('--cluster-size <SIZE>', 'qcow2: 512 bytes to 2M (default 64K)')
    .option('--refcount-bits <N>', 'qcow2: 1, 2, 4, 8, 16, 32 or 64 (default 16)')
    .option('--compat <2|3>', 'qcow2: version of the format (default 3)')
    .option('--compression-type <zlib|zstd>', 'qcow2: how compressed clusters are stored (default zlib)')
    .option('--lazy-refcounts', 'qcow2: allow refcounts to be written late');
}

/** Runs long work with progress on stderr; Ctrl-C cancels it. */
async function withProgress(work: (options: CopyOptions) => Promise<void>): Promise<void> {
  const abort = new AbortController();
  const cancel = (): void => abort.abort();
  process.on('SIGINT', cancel);
  process.on('SIGTERM', cancel);
  const isTerminal = process.stderr.isTTY;
  let told = -1;
  const onProgress = (done: number, total: number): void => {
    const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
    if (percent === told || (!isTerminal && percent !== 100 && percent < told + 10)) return;
    told = percent;
    process.stderr.write(isTerminal ? `\r${percent} %${percent === 100 ? '\n' : ''}` : `${percent} %\n`);
  };
  try {
    await work({ onProgress, signal: abort.signal });
  } finally {
    process.off('SIGINT', cancel);
    process.off('SIGTERM', cancel);
  }
}

export function addDiskCommand(program: Command, finish: (code: number) => void): void {
  const disk = program.command('disk').description('make, inspect, check and convert disk images');

  addImageOptions(disk.command('create').description('make an empty disk image, or an overlay on another one'))
    .argument('<path>')
    .argument('[size]', 'bytes, or with K, M, G, T; an overlay takes the size of its backing file')
    .option('--format <raw|qcow2>', 'format of the image', 'qcow2')
    .option('--backing <path>', 'make an overlay on this image, which is in the same folder')
    .option('--backing-format <raw|qcow2>', 'format of the backing file')
    .action(
      async (
        path: string,
        size: string | undefined,
        flags: ImageFlags & { format: string; backing?: string; backingFormat?: string },
      ) => {
        if (flags.backing !== undefined && flags.backingFormat === undefined)
          throw new NestboxError('usage', '--backing needs --backing-format raw or qcow2');
        await createDisk(path, {
          ...imageOptions(flags),
          format: parseFormat('--format', flags.format),
          sizeBytes: size === undefined ? undefined : parseSize(size),
          backing:
            flags.backing === undefined
              ? undefined
              : { path: flags.backing, format: parseFormat('--backing-format', flags.backingFormat ?? '') },
        });
        finish(EXIT_OK);
      },
    );

  disk
    .command('info')
    .description('show what an image is')
    .argument('<path>')
    .option('--format <FORMAT>', 'take it as raw, qcow2, vmdk, vdi, vhd or vhdx')
    .option('--json', 'as JSON')
    .action(async (path: string, flags: { format?: string; json?: boolean }) => {
      const format = flags.format === undefined ? undefined : parseImageFormat('--format', flags.format);
      const info = await diskInfo(path, format);
      if (flags.json === true) print(JSON.stringify(info, undefined, 2));
      else printInfo(info);
      finish(EXIT_OK);
    });

  disk
    .command('check')
    .description('check a qcow2 image (exit code 1 when something is wrong with it)')
    .argument('<path>')
    .option('--repair <leaks|all>', 'put right what is wrong')
    .option('--json', 'as JSON')
    .action(async (path: string, flags: { repair?: string; json?: boolean }) => {
      const { repair } = flags;
      if (repair !== undefined && repair !== 'leaks' && repair !== 'all')
        throw new NestboxError('usage', `--repair ${repair}: expected leaks or all`);
      let found: CheckReport | undefined;
      await withProgress(async (options) => {
        found = await checkDisk(path, { ...options, repair });
      });
      const report = found as unknown as CheckReport;
      if (flags.json === true) print(JSON.stringify(report, undefined, 2));
      else {
        for (const message of report.messages) print(printable(message));
        if (report.repairedCorruptions + report.repairedLeaks > 0)
          print(`repaired: ${report.repairedCorruptions} damaged, ${report.repairedLeaks} leaked`);
        print(`damaged: ${report.corruptions}, leaked clusters: ${report.leaks}`);
        print(
          `${report.allocatedClusters} of ${report.totalClusters} clusters in use, ${report.compressedClusters} compressed`,
        );
      }
      finish(report.corruptions + report.leaks > 0 ? EXIT_FAILED : EXIT_OK);
    });

  addImageOptions(disk.command('convert').description('copy an image into another format'))
    .argument('<source>')
    .argument('<target>')
    .requiredOption('--to <raw|qcow2>', 'format of the target')
    .option('--from <FORMAT>', 'format of the source: raw, qcow2, vmdk, vdi, vhd or vhdx')
    .option('-c, --compress', 'store clusters compressed')
    .option('--follow-backing', "open the source's backing files, which are in its folder")
    .option('--force', 'replace the target')
    .action(
      async (
        source: string,
        target: string,
        flags: ImageFlags & { to: string; from?: string; compress?: boolean; followBacking?: boolean; force?: boolean },
      ) => {
        await withProgress((options) =>
          convertDisk(source, target, {
            ...options,
            to: parseFormat('--to', flags.to),
            from: flags.from === undefined ? undefined : parseImageFormat('--from', flags.from),
            compress: flags.compress,
            followBacking: flags.followBacking,
            replace: flags.force,
            image: imageOptions(flags),
          }),
        );
        finish(EXIT_OK);
      },
    );

  disk
    .command('resize')
    .description('change the size of a disk')
    .argument('<path>')
    .argument('<size>')
    .requiredOption('--format <raw|qcow2>', 'format of the image')
    .option('--shrink', 'allow a smaller size: the end is thrown away')
    .action(async (path: string, size: string, flags: { format: string; shrink?: boolean }) => {
      await resizeDisk(path, parseSize(size), { format: parseFormat('--format', flags.format), shrink: flags.shrink });
      finish(EXIT_OK);
    });

  disk
    .command('compact')
    .description('rewrite an image without its unused parts')
    .argument('<path>')
    .requiredOption('--format <raw|qcow2>', 'format of the image')
    .option('-c, --compress', 'store clusters compressed')
    .action(async (path: string, flags: { format: string; compress?: boolean }) => {
      await withProgress((options) =>
        compactDisk(path, { ...options, compress: flags.compress, format: parseFormat('--format', flags.format) }),
      );
      finish(EXIT_OK);
    });

  addCommitCommand(disk, finish);
  addCloneCommand(disk, finish, withProgress);
  addDiskSnapshotCommand(disk, finish);
}

function addCommitCommand(disk: Command, finish: (code: number) => void): void {
  disk
    .command('commit')
    .description('write what an overlay holds into its backing file, and empty the overlay')
    .argument('<path>')
    .action(async (path: string) => {
      await withProgress((options) => commitDisk(path, options));
      finish(EXIT_OK);
    });
}

function printInfo(info: DiskInfo): void {
  print(`image: ${printable(info.path)}`);
  print(`format: ${info.format}`);
  print(`virtual size: ${formatSize(info.virtualBytes)} (${info.virtualBytes} bytes)`);
  print(`file size: ${formatSize(info.fileBytes)}, on disk ${formatSize(info.allocatedBytes)}`);
  const { qcow2 } = info;
  if (qcow2 === undefined) return;
  print(`version: ${qcow2.version}`);
  print(`cluster size: ${formatSize(qcow2.clusterBytes)}`);
  print(`refcounts: ${qcow2.refcountBits} bits${qcow2.lazyRefcounts ? ', lazy' : ''}`);
  print(`compression: ${qcow2.compressionType}`);
  if (qcow2.dirty) print('marked as not closed cleanly');
  if (qcow2.corrupt) print('marked as damaged');
  if (qcow2.backingName !== undefined)
    print(`backing file: ${printable(qcow2.backingName)} (${printable(qcow2.backingFormat ?? 'no format stated')})`);
  for (const snapshot of qcow2.snapshots) {
    const date = new Date(snapshot.dateSeconds * 1000).toISOString();
    print(`snapshot ${printable(snapshot.id)}: ${printable(snapshot.name)} (${date})`);
  }
}
