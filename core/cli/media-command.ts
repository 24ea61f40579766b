// `nestbox media`: disks and ISOs of the library; `nestbox import`: takes a disk image in.

import type { Command } from 'commander';
import { NestboxError } from '../base/errors.ts';
import type { MediumInfo, NewVmSpec } from '../protocol/library.ts';
import { EXIT_FAILED, EXIT_OK } from './exit-codes.ts';
import { type LibraryClient, withLibrary } from './library-client.ts';
import { print, printJson, printTable, size } from './output.ts';
import { findVm } from './vm/find-vm.ts';
import { withTaskProgress } from './vm/task-progress.ts';

export function addMediaCommand(program: Command, finish: (code: number) => void): void {
  const media = program.command('media').description('disks, CDs and floppies of the library');
  media
    .command('list')
    .description('show the media, who uses them and whether their files are there')
    .option('--json', 'as JSON')
    .action(async (flags: { json?: boolean }) => {
      const list = await withLibrary((library) => library.api.listMedia());
      if (flags.json === true) printJson(list);
      else printTable(['FILE', 'KIND', 'FORMAT', 'SIZE', 'ON DISK', 'USED BY', 'ID'], list.map(rowOf));
      finish(EXIT_OK);
    });
  media
    .command('find')
    .description('look for missing files beside those that are there; exit code 1 when some stay missing')
    .option('--json', 'the missing ones as JSON')
    .action(async (flags: { json?: boolean }) => {
      const missing = await withLibrary((library) => library.api.findMissingMedia());
      if (flags.json === true) printJson(missing);
      else for (const medium of missing) print(`${medium.folder}/${medium.fileName}: missing`);
      finish(missing.length === 0 ? EXIT_OK : EXIT_FAILED);
    });
  media
    .command('relocate')
    .description('say where the file of a medium is now')
    .argument('<medium>', 'id or file name')
    .argument('<path>')
    .action(async (word: string, path: string) => {
      await withLibrary(async (library) => library.api.relocateMedium((await findMedium(library, word)).id, await library.adoptPath(path)));
      finish(EXIT_OK);
    });
  media
    .command('remove')
    .description('take a medium that nothing uses out of the library')
    .argument('<medium>', 'id or file name')
    .option('--delete-file', 'delete the file too; only for files that Nestbox made')
    .action(async (word: string, flags: { deleteFile?: boolean }) => {
      await withLibrary(async (library) => library.api.removeMedium((await findMedium(library, word)).id, { deleteFile: flags.deleteFile === true }));
      finish(EXIT_OK);
    });

  program
    .command('import')
    .description('copy a disk image into the library as qcow2 and make a machine for it; or import a whole machine')
    .argument('<path>', 'disk image (raw, qcow2, VMDK, VDI, VHD, VHDX), appliance (.ova) or exported machine (.nestbox)')
    .option('--name <NAME>', 'name of the machine; the file name when left out')
    .option('--disk-only', 'only the disk, no machine')
    .option('--json', 'print what was made as JSON')
    .action(async (path: string, flags: { name?: string; diskOnly?: boolean; json?: boolean }) => {
      const made = await withLibrary((library) => importImage(library, path, flags));
      if (flags.json === true) printJson(made);
      else print(made.id);
      finish(EXIT_OK);
    });

  program
    .command('export')
    .description('write a machine that is off into a .nestbox file, which "nestbox import" and the window take')
    .argument('<vm>')
    .argument('<path>', 'file to write; one that is there is replaced')
    .action(async (word: string, path: string) => {
      await withLibrary(async (library) => {
        const { id } = await findVm(library, word);
        await withTaskProgress(library, (taskId) => library.exportVm(id, path, taskId));
      });
      finish(EXIT_OK);
    });
}

async function importImage(library: LibraryClient, path: string, flags: { name?: string; diskOnly?: boolean }): Promise<{ readonly id: string }> {
  const file = await library.adoptPath(path);
  const found = await library.api.inspectFile(file);
  if (found.kind === 'appliance' && found.proposal !== undefined) return importMachine(library, path, found.proposal, flags);
  if (found.kind !== 'disk') throw new NestboxError('bad-input', found.notices[0]?.text ?? `${path}: is no disk image (${found.formatName})`, { op: 'import' });
  const name = flags.name ?? (await library.api.freeName(found.proposal?.name ?? found.fileName.replace(/\.[^.]+$/, '')));
  const spec = { name, osId: found.proposal?.osId ?? 'unknown', hardware: found.proposal?.hardware ?? {} };
  if (flags.diskOnly !== true) {
    // What is wrong with the machine is said before gigabytes are copied.
    const problem = (await library.api.checkNewVm({ ...spec, drives: [] })).find((entry) => entry.severity === 'error');
    if (problem !== undefined) throw new NestboxError('usage', problem.text, { op: 'import' });
  }
  const medium = await withTaskProgress(library, (taskId) => library.api.importDisk(file, { name, taskId }));
  if (flags.diskOnly === true) return medium;
  return library.api.createVm({ ...spec, drives: [{ kind: 'disk', source: 'medium', mediumId: medium.id }] });
}

/** A whole machine: an appliance of another product, or what `nestbox export` wrote. */
async function importMachine(library: LibraryClient, path: string, proposal: NewVmSpec, flags: { name?: string; diskOnly?: boolean }): Promise<{ readonly id: string }> {
  if (flags.diskOnly === true) throw new NestboxError('usage', `${path}: holds a whole machine; --disk-only is for disk images`, { op: 'import' });
  const name = flags.name ?? (await library.api.freeName(proposal.name));
  return withTaskProgress(library, (taskId) => library.api.createVm({ ...proposal, name }, { taskId }));
}

function rowOf(medium: MediumInfo): string[] {
  return [`${medium.folder}/${medium.fileName}`, medium.kind, medium.format, size(medium.virtualBytes), medium.missing ? 'MISSING' : size(medium.allocatedBytes), medium.usedBy.join(', '), medium.id];
}

async function findMedium(library: LibraryClient, word: string): Promise<MediumInfo> {
  const list = await library.api.listMedia();
  const found = list.filter((medium) => medium.id === word || medium.fileName === word || `${medium.folder}/${medium.fileName}` === word);
  const [only] = found;
  if (only === undefined) throw new NestboxError('not-found', `There is no medium ${JSON.stringify(word)}; "nestbox media list" shows those that are there`, { op: 'find medium' });
  if (found.length > 1) throw new NestboxError('usage', `Several media are called ${JSON.stringify(word)}; name one by its id`, { op: 'find medium' });
  return only;
}
