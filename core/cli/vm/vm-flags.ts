// Options of `nestbox vm create` and `vm set`: from words to the forms that the manager checks.

import { NestboxError } from '../../base/errors.ts';
import type { DriveSpec, HardwareConfig, NewVmSpec, VmDetail } from '../../protocol/library.ts';
import { parseSize } from '../disk-command.ts';
import type { LibraryClient } from '../library-client.ts';
import { parseDisk } from '../run-options.ts';

/** As commander hands them over; everything is optional, lists are repeatable. */
export interface VmFlags {
  engine?: string;
  jit?: string;
  memory?: string;
  cpus?: string;
  mode?: string;
  firmware?: string;
  boot?: string;
  clock?: string;
  disk?: string[];
  cdrom?: string[];
  floppy?: string[];
  kernel?: string;
  initrd?: string;
  append?: string;
  notes?: string;
  group?: string;
  tag?: string[];
  os?: string;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

export function bad(message: string): never {
  throw new NestboxError('usage', message, { op: 'read options' });
}

export function choice<const T extends string>(option: string, value: string, allowed: readonly T[]): T {
  return allowed.find((entry) => entry === value) ?? bad(`--${option} ${value}: expected one of ${allowed.join(', ')}`);
}

function whole(option: string, value: string): number {
  if (!/^\d{1,9}$/.test(value)) bad(`--${option} ${value}: expected a whole number`);
  return Number(value);
}

/** "2G" and "512M" or MiB. */
function memoryOf(value: string): number {
  if (/^\d+$/.test(value)) return Number(value);
  const bytes = parseSize(value);
  if (bytes % 1048576 !== 0) bad(`--memory ${value}: must be whole MiB`);
  return bytes / 1048576;
}

const BOOT = ['floppy', 'cdrom', 'disk'] as const;

export async function hardwareOf(library: LibraryClient, flags: VmFlags): Promise<HardwareConfig> {
  const hardware: Mutable<HardwareConfig> = {};
  if (flags.engine !== undefined) hardware.engine = choice('engine', flags.engine, ['auto', 'software', 'kvm']);
  if (flags.jit !== undefined) hardware.jit = choice('jit', flags.jit, ['on', 'off']) === 'on';
  if (flags.memory !== undefined) hardware.memoryMib = memoryOf(flags.memory);
  if (flags.cpus !== undefined) hardware.cpus = whole('cpus', flags.cpus);
  if (flags.mode !== undefined) hardware.mode = choice('mode', flags.mode, ['full', 'paravirt']);
  if (flags.clock !== undefined) hardware.clock = choice('clock', flags.clock, ['host', 'instructions']);
  if (flags.firmware !== undefined) hardware.firmware = flags.firmware === 'bios' ? 'bios' : await library.adoptPath(flags.firmware);
  if (flags.boot !== undefined) {
    const order = flags.boot.split(',').map((word) => choice('boot', word, BOOT));
    hardware.bootOrder = [...order, ...BOOT.filter((entry) => !order.includes(entry))];
  }
  return hardware;
}

/** Disks: a size makes a new one, a path takes a file, "medium:ID" one of the library. */
async function diskOf(library: LibraryClient, text: string): Promise<DriveSpec> {
  if (/^\d+(?:\.\d+)?[KMGT](?:i?B)?$/i.test(text)) return { kind: 'disk', source: 'new', sizeBytes: parseSize(text) };
  if (text.startsWith('medium:')) return { kind: 'disk', source: 'medium', mediumId: text.slice(7) };
  const medium = parseDisk(text);
  if (medium.snapshot === true) bad(`--disk ${text}: "snapshot" is for "nestbox run"; take a snapshot of the machine instead`);
  if (medium.interface === 'virtio') throw new NestboxError('unsupported', `--disk ${text}: virtio disks have not landed yet in the library`, { op: 'read options' });
  return {
    kind: 'disk',
    source: 'file',
    file: await library.adoptPath(medium.path ?? ''),
    ...(medium.format === undefined ? {} : { format: medium.format }),
    ...(medium.readOnly === true ? { readOnly: true } : {}),
  };
}

async function removableOf(library: LibraryClient, kind: 'floppy' | 'cdrom', text: string): Promise<DriveSpec> {
  if (text === 'empty') return { kind, source: 'empty' };
  if (text.startsWith('medium:')) return { kind, source: 'medium', mediumId: text.slice(7) };
  return { kind, source: 'file', file: await library.adoptPath(text) };
}

/** All drives that the options name, or undefined when they name none. */
export async function drivesOf(library: LibraryClient, flags: VmFlags): Promise<DriveSpec[] | undefined> {
  if (flags.disk === undefined && flags.cdrom === undefined && flags.floppy === undefined) return undefined;
  const drives: DriveSpec[] = [];
  for (const text of flags.floppy ?? []) drives.push(await removableOf(library, 'floppy', text));
  for (const text of flags.disk ?? []) drives.push(await diskOf(library, text));
  for (const text of flags.cdrom ?? []) drives.push(await removableOf(library, 'cdrom', text));
  return drives;
}

/** Drives that a VM has, as a form that keeps them. */
export function presentDrives(detail: VmDetail): DriveSpec[] {
  return detail.drives.map(({ kind, medium, readOnly }) => {
    if (medium !== undefined) return { kind, source: 'medium', mediumId: medium.id, ...(readOnly && kind !== 'cdrom' ? { readOnly } : {}) };
    return { kind: kind === 'floppy' ? 'floppy' : 'cdrom', source: 'empty' };
  });
}

export async function newVmOf(library: LibraryClient, name: string, flags: VmFlags, from: NewVmSpec | undefined): Promise<NewVmSpec> {
  if (flags.kernel === undefined && (flags.initrd !== undefined || flags.append !== undefined)) bad('--initrd and --append need --kernel');
  const drives = await drivesOf(library, flags);
  return {
    ...(from ?? {}),
    name,
    osId: flags.os ?? from?.osId ?? 'unknown',
    hardware: { ...from?.hardware, ...(await hardwareOf(library, flags)) },
    drives: drives ?? from?.drives ?? [],
    ...(flags.notes === undefined ? {} : { notes: flags.notes }),
    ...(flags.group === undefined ? {} : { groupPath: flags.group }),
    ...(flags.tag === undefined ? {} : { tags: flags.tag }),
    ...(flags.kernel === undefined
      ? {}
      : { directBoot: { kernel: await library.adoptPath(flags.kernel), commandLine: flags.append ?? '', ...(flags.initrd === undefined ? {} : { initrd: await library.adoptPath(flags.initrd) }) } }),
  };
}
