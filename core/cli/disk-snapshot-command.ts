// `nestbox disk snapshot` (internal snapshots of qcow2 images, as qemu-img has them) and `nestbox disk clone`.

import type { Command } from 'commander';
import { NestboxError } from '../base/errors.ts';
import type { CopyOptions } from '../block/copy-disk.ts';
import { openImage } from '../block/disk-files.ts';
import { convertDisk, createDisk, diskInfo } from '../block/disk-tools.ts';
import { folderBackingResolver } from '../block/backing-chain.ts';
import {
  applyInternalSnapshot,
  createInternalSnapshot,
  deleteInternalSnapshot,
} from '../block/qcow2/internal-snapshots.ts';
import { openQcow2 } from '../block/qcow2/open-qcow2.ts';
import type { Qcow2Disk } from '../block/qcow2/qcow2-disk.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import { EXIT_OK } from './exit-codes.ts';
import { print, printable } from './print.ts';

async function changeImage(path: string, work: (disk: Qcow2Disk) => Promise<void>): Promise<void> {
  const { file } = await openImage(nodeHostFiles, path, 'qcow2', false);
  let disk: Qcow2Disk;
  try {
    disk = await openQcow2(file, { resolveBacking: folderBackingResolver(nodeHostFiles, file) });
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  try {
    await work(disk);
  } finally {
    await disk.close();
  }
}

export function addDiskSnapshotCommand(disk: Command, finish: (code: number) => void): void {
  const snapshot = disk.command('snapshot').description('snapshots inside a qcow2 image that no VM is using');
  snapshot
    .command('list')
    .description('the snapshots of an image')
    .argument('<path>')
    .option('--json', 'as JSON')
    .action(async (path: string, flags: { json?: boolean }) => {
      const { qcow2 } = await diskInfo(path, 'qcow2');
      const snapshots = qcow2?.snapshots ?? [];
      if (flags.json === true) print(JSON.stringify(snapshots, undefined, 2));
      else
        for (const { id, name, dateSeconds } of snapshots)
          print(`${printable(id)}: ${printable(name)} (${new Date(dateSeconds * 1000).toISOString()})`);
      finish(EXIT_OK);
    });
  const change = (
    verb: string,
    text: string,
    operand: string,
    work: (disk: Qcow2Disk, name: string) => Promise<void>,
  ): void => {
    snapshot
      .command(verb)
      .description(text)
      .argument('<path>')
      .argument(operand)
      .action(async (path: string, name: string) => {
        await changeImage(path, (open) => work(open, name));
        finish(EXIT_OK);
      });
  };
  change('create', 'keep the disk as it is now under a name', '<name>', (open, name) =>
    createInternalSnapshot(open, name, Math.floor(Date.now() / 1000)),
  );
  change('apply', 'make the disk what it was; what it is now is lost', '<name-or-id>', applyInternalSnapshot);
  change('delete', 'forget a snapshot; the disk stays as it is', '<name-or-id>', deleteInternalSnapshot);
}

export function addCloneCommand(
  disk: Command,
  finish: (code: number) => void,
  withProgress: (work: (options: CopyOptions) => Promise<void>) => Promise<void>,
): void {
  disk
    .command('clone')
    .description('make a second disk: linked (an overlay; the source must not change any more) or a full copy')
    .argument('<source>')
    .argument('<target>')
    .requiredOption('--format <raw|qcow2>', 'format of the source')
    .option('--full', 'copy everything, backing files in the folder included')
    .action(async (source: string, target: string, flags: { format: string; full?: boolean }) => {
      const { format } = flags;
      if (format !== 'raw' && format !== 'qcow2')
        throw new NestboxError('usage', `--format ${format}: expected raw or qcow2`);
      if (flags.full === true)
        await withProgress((options) =>
          convertDisk(source, target, { ...options, from: format, to: 'qcow2', followBacking: true }),
        );
      else await createDisk(target, { format: 'qcow2', backing: { path: source, format } });
      finish(EXIT_OK);
    });
}
