// `nestbox vm create|list|show|set|clone|delete|logs`: the library, as the window shows it.

import type { Command } from 'commander';
import { NestboxError } from '../../base/errors.ts';
import type { LogLine, VmChange, VmDetail, VmSummary } from '../../protocol/library.ts';
import { EXIT_OK } from '../exit-codes.ts';
import { withLastingLibrary, withLibrary, type LibraryClient } from '../library-client.ts';
import { print, printJson, printTable, printable, size, time } from '../output.ts';
import { findVm } from './find-vm.ts';
import { type VmFlags, bad, drivesOf, hardwareOf, newVmOf, presentDrives } from './vm-flags.ts';
import { withTaskProgress } from './task-progress.ts';

const LOG_PAGE = 500;

function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

function addVmOptions(command: Command): Command {
  return command
    .option('--engine <auto|software|kvm>', 'CPU engine')
    .option('--jit <on|off>', 'translate hot guest code')
    .option('--memory <MIB>', 'guest memory in MiB, or with M or G')
    .option('--cpus <N>', 'number of virtual CPUs')
    .option('--mode <full|paravirt>', 'devices of a real PC only, or hypervisor interfaces too')
    .option('--firmware <bios>', 'built-in BIOS')
    .option('--boot <ORDER>', 'boot order: cdrom, disk, floppy, separated by commas')
    .option('--clock <host|instructions>', 'real time, or deterministic')
    .option('--disk <SIZE|PATH[,format=raw|qcow2][,readonly]|medium:ID>', 'a new disk of that size, an image, or a disk of the library (repeatable)', collect)
    .option('--cdrom <PATH|medium:ID|empty>', 'CD drive (repeatable)', collect)
    .option('--floppy <PATH|medium:ID|empty>', 'floppy drive (repeatable)', collect)
    .option('--notes <TEXT>', 'notes')
    .option('--group <PATH>', 'group, parts separated by "/"')
    .option('--tag <TAG>', 'tag (repeatable)', collect)
    .option('--os <ID>', 'operating system, as the app names it');
}

export function addLibraryCommands(vm: Command, finish: (code: number) => void): void {
  addVmOptions(vm.command('create').description('make a virtual machine'))
    .argument('<name>')
    .option('--from <FILE>', 'look inside this ISO, floppy, disk image or kernel and take what suits it; other options override')
    .option('--kernel <PATH>', 'boot this kernel directly')
    .option('--initrd <PATH>', 'initial RAM disk for --kernel')
    .option('--append <TEXT>', 'command line for --kernel')
    .option('--start', 'start it at once')
    .option('--json', 'print it as JSON')
    .action(async (name: string, flags: VmFlags & { from?: string; start?: boolean; json?: boolean }) => {
      const run = flags.start === true ? withLastingLibrary : withLibrary;
      await run(async (library) => {
        const proposal = flags.from === undefined ? undefined : await proposalFor(library, flags.from);
        const made = await library.api.createVm(await newVmOf(library, name, flags, proposal));
        if (flags.start === true) await library.api.startVm(made.id);
        if (flags.json === true) printJson(await library.api.vm(made.id));
        else print(made.id);
      });
      finish(EXIT_OK);
    });

  vm.command('list')
    .description('show the virtual machines')
    .option('--group <PATH>', 'only those of this group')
    .option('--tag <TAG>', 'only those with this tag')
    .option('--running', 'only those that are running or paused')
    .option('--json', 'as JSON')
    .action(async (flags: { group?: string; tag?: string; running?: boolean; json?: boolean }) => {
      const vms = (await withLibrary((library) => library.api.listVms())).filter((entry) => matches(entry, flags));
      if (flags.json === true) printJson(vms);
      else printTable(['NAME', 'STATE', 'MEMORY', 'CPUS', 'OS', 'ID'], vms.map((entry) => [entry.name, entry.state, `${entry.memoryMib} MiB`, String(entry.cpus), entry.osId, entry.id]));
      finish(EXIT_OK);
    });

  vm.command('show')
    .description('show one virtual machine')
    .argument('<vm>')
    .option('--json', 'as JSON')
    .action(async (word: string, flags: { json?: boolean }) => {
      const detail = await withLibrary(async (library) => library.api.vm((await findVm(library, word)).id));
      if (flags.json === true) printJson(detail);
      else printDetail(detail);
      finish(EXIT_OK);
    });

  addVmOptions(vm.command('set').description('change a virtual machine; hardware and drives only while it is off'))
    .argument('<vm>')
    .option('--name <NAME>', 'new name')
    .option('--add-disk <SIZE|PATH|medium:ID>', 'one more disk (repeatable)', collect)
    .option('--remove <SLOT>', 'take this drive out, such as ide0; its image stays (repeatable)', collect)
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\n--disk, --cdrom and --floppy replace all drives.')
    .action(async (word: string, flags: VmFlags & { name?: string; addDisk?: string[]; remove?: string[]; json?: boolean }) => {
      const detail = await withLibrary(async (library) => {
        const { id } = await findVm(library, word);
        return library.api.changeVm(id, await changeOf(library, id, flags));
      });
      if (flags.json === true) printJson(detail);
      finish(EXIT_OK);
    });

  vm.command('clone')
    .description('make a copy with disks of its own')
    .argument('<vm>')
    .argument('<name>', 'name of the copy')
    .option('--linked', 'the disks are overlays: quick and small, both build on the present content')
    .option('--json', 'print the copy as JSON')
    .action(async (word: string, name: string, flags: { linked?: boolean; json?: boolean }) => {
      const copy = await withLibrary(async (library) => {
        const { id } = await findVm(library, word);
        return withTaskProgress(library, (taskId) => library.api.cloneVm(id, { name, linked: flags.linked === true, taskId }));
      });
      if (flags.json === true) printJson(copy);
      else print(copy.id);
      finish(EXIT_OK);
    });

  vm.command('delete')
    .description('remove a virtual machine with its snapshots and logs; disks stay unless said otherwise')
    .argument('<vm>')
    .option('--delete-disks', 'delete disks that Nestbox made and nothing else uses')
    .action(async (word: string, flags: { deleteDisks?: boolean }) => {
      await withLibrary(async (library) => library.api.deleteVm((await findVm(library, word)).id, { deleteDisks: flags.deleteDisks === true }));
      finish(EXIT_OK);
    });

  vm.command('logs')
    .description('show what happened to a virtual machine')
    .argument('<vm>')
    .option('--follow', 'go on with what happens from now, until Ctrl-C')
    .option('--json', 'one JSON object a line')
    .action(async (word: string, flags: { follow?: boolean; json?: boolean }) => {
      await withLibrary(async (library) => logsCommand(library, (await findVm(library, word)).id, flags));
      finish(EXIT_OK);
    });
}

async function proposalFor(library: LibraryClient, path: string): Promise<NonNullable<Awaited<ReturnType<LibraryClient['api']['inspectFile']>>['proposal']>> {
  const found = await library.api.inspectFile(await library.adoptPath(path));
  if (found.proposal !== undefined) return found.proposal;
  throw new NestboxError('bad-input', found.notices[0]?.text ?? `${path}: is nothing that a machine could start from`, { op: 'inspect file' });
}

function matches(vm: VmSummary, flags: { group?: string; tag?: string; running?: boolean }): boolean {
  if (flags.group !== undefined && vm.groupPath !== flags.group && !vm.groupPath.startsWith(`${flags.group}/`)) return false;
  if (flags.tag !== undefined && !vm.tags.some((tag) => tag.toLowerCase() === flags.tag?.toLowerCase())) return false;
  return flags.running !== true || vm.state === 'running' || vm.state === 'paused';
}

function printDetail(vm: VmDetail): void {
  const lines: [string, string][] = [
    ['Name', vm.name],
    ['Id', vm.id],
    ['State', `${vm.state}${vm.pid === undefined ? '' : ` (process ${vm.pid}, ${vm.engine ?? 'starting'})`}`],
    ['System', vm.osId],
    ['Memory', `${vm.memoryMib} MiB`],
    ['Processors', String(vm.cpus)],
    ['Engine', `${vm.hardware.engine ?? 'auto'}, JIT ${vm.hardware.jit === false ? 'off' : 'on'}`],
    ['Mode', vm.hardware.mode ?? 'paravirt'],
    ['Boot order', (vm.hardware.bootOrder ?? []).join(', ')],
    ['On disk', size(vm.allocatedBytes)],
    ['Created', time(vm.createdMs)],
    ['Last start', time(vm.startedMs)],
  ];
  if (vm.groupPath !== '') lines.push(['Group', vm.groupPath]);
  if (vm.tags.length > 0) lines.push(['Tags', vm.tags.join(', ')]);
  if (vm.directBoot !== undefined) lines.push(['Kernel', `${vm.directBoot.kernelName} ${vm.directBoot.commandLine}`]);
  if (vm.notice !== undefined) lines.push(['Notice', vm.notice.text]);
  for (const [label, text] of lines) print(`${label.padEnd(12)}${printable(text)}`);
  for (const drive of vm.drives) {
    const { medium } = drive;
    const what = medium === undefined ? 'empty' : `${medium.folder}/${medium.fileName} (${medium.format}, ${size(medium.virtualBytes)}${medium.missing ? ', MISSING' : ''})`;
    print(`${drive.slot.padEnd(12)}${drive.kind} ${printable(what)}${drive.readOnly ? ' read-only' : ''}`);
  }
  if (vm.notes !== '') print(`Notes\n${vm.notes.split('\n').map(printable).join('\n')}`);
}

async function changeOf(library: LibraryClient, id: string, flags: VmFlags & { name?: string; addDisk?: string[]; remove?: string[] }): Promise<VmChange> {
  const hardware = await hardwareOf(library, flags);
  let drives = await drivesOf(library, flags);
  if (flags.addDisk !== undefined || flags.remove !== undefined) {
    if (drives !== undefined) bad('--add-disk and --remove change the present drives; --disk, --cdrom and --floppy replace them all: use one or the other');
    const detail = await library.api.vm(id);
    for (const slot of flags.remove ?? []) if (!detail.drives.some((drive) => drive.slot === slot)) bad(`--remove ${slot}: ${detail.name} has no such drive`);
    const kept = { ...detail, drives: detail.drives.filter((drive) => flags.remove?.includes(drive.slot) !== true) };
    drives = [...presentDrives(kept), ...((await drivesOf(library, { disk: flags.addDisk ?? [] })) ?? [])];
  }
  const change: VmChange = {
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...(flags.notes === undefined ? {} : { notes: flags.notes }),
    ...(flags.group === undefined ? {} : { groupPath: flags.group }),
    ...(flags.tag === undefined ? {} : { tags: flags.tag.filter((tag) => tag !== '') }),
    ...(flags.os === undefined ? {} : { osId: flags.os }),
    ...(Object.keys(hardware).length === 0 ? {} : { hardware }),
    ...(drives === undefined ? {} : { drives }),
  };
  if (Object.keys(change).length === 0) bad('nothing to change: see "nestbox vm set --help"');
  return change;
}

async function logsCommand(library: LibraryClient, id: string, flags: { follow?: boolean; json?: boolean }): Promise<void> {
  const show = (line: LogLine): void => {
    if (flags.json === true) print(JSON.stringify(line));
    else print(`${new Date(line.atMs).toISOString()} ${line.level.padEnd(5)} ${printable(line.source)}: ${printable(line.message)}`);
  };
  let from = 0;
  for (;;) {
    const { lines, next } = await library.api.logs(id, { from, limit: LOG_PAGE });
    lines.forEach(show);
    from = next;
    if (lines.length === 0) break;
  }
  if (flags.follow !== true) return;
  library.on('logLine', (vmId, line) => {
    if (vmId === id) show(line);
  });
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
