// `nestbox snapshot`: the tree of a machine's snapshots, and forks. Progress goes to stderr, data to stdout.

import type { Command } from 'commander';
import { NestboxError } from '../base/errors.ts';
import type { SnapshotDifference, SnapshotNode } from '../protocol/snapshots.ts';
import { EXIT_OK } from './exit-codes.ts';
import { type LibraryClient, withLastingLibrary, withLibrary } from './library-client.ts';
import { print, printJson, printTable, printable, size, time } from './output.ts';
import { findVm } from './vm/find-vm.ts';
import { withTaskProgress } from './vm/task-progress.ts';

const LISTED_MAX = 20;

interface JsonFlag {
  readonly json?: boolean;
}

export function addSnapshotCommand(program: Command, finish: (code: number) => void): void {
  const group = program.command('snapshot').description('snapshots of machines: memory, devices and disks of one instant');
  addMaking(group, finish);
  addLooking(group, finish);
}

function addMaking(group: Command, finish: (code: number) => void): void {
  group
    .command('take')
    .description('take a snapshot; a running machine goes on meanwhile')
    .argument('<vm>')
    .argument('<name>')
    .option('--notes <TEXT>')
    .option('--json', 'print the snapshot as JSON')
    .action(async (vm: string, name: string, flags: JsonFlag & { notes?: string }) => {
      const node = await withLibrary(async (library) => {
        const { id } = await findVm(library, vm);
        return withTaskProgress(library, (taskId) => library.api.takeSnapshot(id, { name, taskId, ...(flags.notes === undefined ? {} : { notes: flags.notes }) }));
      });
      if (flags.json === true) printJson(node);
      else print(node.id);
      finish(EXIT_OK);
    });
  group
    .command('restore')
    .description('go back to a snapshot; a running machine goes on from there, another one at its next start')
    .argument('<vm>')
    .argument('<snapshot>', 'name or id')
    .option('--keep <NAME>', 'take a snapshot of the present state first')
    .action(async (vm: string, word: string, flags: { keep?: string }) => {
      await withLibrary(async (library) => {
        const { id } = await findVm(library, vm);
        const node = await findSnapshot(library, id, word);
        await withTaskProgress(library, (taskId) => library.api.restoreSnapshot(id, node.id, { taskId, ...(flags.keep === undefined ? {} : { keepPresent: flags.keep }) }));
      });
      finish(EXIT_OK);
    });
  group
    .command('delete')
    .description('delete a snapshot; those that stand on it stay whole')
    .argument('<vm>')
    .argument('<snapshot>', 'name or id')
    .action(async (vm: string, word: string) => {
      await withLibrary(async (library) => {
        const node = await findSnapshot(library, (await findVm(library, vm)).id, word);
        await withTaskProgress(library, (taskId) => library.api.deleteSnapshot(node.id, { taskId }));
      });
      finish(EXIT_OK);
    });
  group
    .command('rename')
    .description('change the name or the notes of a snapshot')
    .argument('<vm>')
    .argument('<snapshot>', 'name or id')
    .argument('<name>', 'the new name')
    .option('--notes <TEXT>')
    .action(async (vm: string, word: string, name: string, flags: { notes?: string }) => {
      await withLibrary(async (library) => {
        const node = await findSnapshot(library, (await findVm(library, vm)).id, word);
        await library.api.changeSnapshot(node.id, { name, ...(flags.notes === undefined ? {} : { notes: flags.notes }) });
      });
      finish(EXIT_OK);
    });
  group
    .command('fork')
    .description('let a second machine go on from the present state, or from a snapshot, with disks of its own')
    .argument('<vm>')
    .argument('<name>', 'of the new machine')
    .option('--from <SNAPSHOT>', 'name or id')
    .option('--json', 'print the new machine as JSON')
    .action(async (vm: string, name: string, flags: JsonFlag & { from?: string }) => {
      const made = await withLastingLibrary(async (library) => {
        const { id } = await findVm(library, vm);
        const from = flags.from === undefined ? {} : { snapshotId: (await findSnapshot(library, id, flags.from)).id };
        return withTaskProgress(library, (taskId) => library.api.forkVm(id, { name, taskId, ...from }));
      });
      if (flags.json === true) printJson(made);
      else print(made.id);
      finish(EXIT_OK);
    });
}

function addLooking(group: Command, finish: (code: number) => void): void {
  group
    .command('list')
    .description('show the snapshots of a machine as a tree')
    .argument('<vm>')
    .option('--json', 'as JSON')
    .action(async (vm: string, flags: JsonFlag) => {
      const nodes = await withLibrary(async (library) => library.api.snapshots((await findVm(library, vm)).id));
      if (flags.json === true) printJson(nodes);
      else printTable(['NAME', 'KIND', 'TAKEN', 'SIZE', 'ID'], treeRows(nodes));
      finish(EXIT_OK);
    });
  group
    .command('diff')
    .description('what changed between two snapshots, or between one and the present state')
    .argument('<vm>')
    .argument('<from>', 'name or id')
    .argument('[to]', 'name or id; the present state when left out')
    .option('--json', 'all of it as JSON')
    .action(async (vm: string, from: string, to: string | undefined, flags: JsonFlag) => {
      const difference = await withLibrary(async (library) => {
        const { id } = await findVm(library, vm);
        const first = await findSnapshot(library, id, from);
        const second = to === undefined ? undefined : await findSnapshot(library, id, to);
        return withTaskProgress(library, (taskId) => library.api.diffSnapshots(id, first.id, second?.id, { taskId }));
      });
      if (flags.json === true) printJson(difference);
      else printDifference(difference);
      finish(EXIT_OK);
    });
}

/** Children below their parents, two spaces in. */
function treeRows(nodes: readonly SnapshotNode[], parentId?: string, depth = 0): string[][] {
  return nodes
    .filter((node) => node.parentId === parentId)
    .flatMap((node) => [[`${'  '.repeat(depth)}${node.current ? '* ' : ''}${node.name}`, node.kind, time(node.createdMs), size(node.ownBytes), node.id], ...treeRows(nodes, node.id, depth + 1)]);
}

function printDifference(difference: SnapshotDifference): void {
  for (const disk of difference.disks) {
    print(`${disk.slot}: ${size(disk.changedBytes)} in ${disk.extents.length}${disk.truncated ? ' or more' : ''} places`);
    for (const { offset, length } of disk.extents.slice(0, LISTED_MAX)) print(`  ${offset} + ${length}`);
  }
  if (difference.memory !== undefined) print(`memory: ${difference.memory.changedPages} of ${difference.memory.totalPages} pages`);
  for (const { device, field, before, after } of difference.devices) print(printable(`${device} ${field}: ${before} -> ${after}`));
  for (const { cpu, register, before, after } of difference.registers) print(printable(`cpu ${cpu} ${register}: ${before} -> ${after}`));
}

async function findSnapshot(library: LibraryClient, vmId: string, word: string): Promise<SnapshotNode> {
  const found = (await library.api.snapshots(vmId)).filter((node) => node.id === word || node.name === word);
  const [only] = found;
  if (only === undefined) throw new NestboxError('not-found', `There is no snapshot ${JSON.stringify(word)}; "nestbox snapshot list" shows those that are there`, { op: 'find snapshot' });
  if (found.length > 1) throw new NestboxError('usage', `Several snapshots are called ${JSON.stringify(word)}; name one by its id`, { op: 'find snapshot' });
  return only;
}
