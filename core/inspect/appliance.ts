// Whole machines in one file: OVA appliances of other products (a tar with an OVF description in front) and .nestbox files
// of our own (a tar with machine.json in front, made by `nestbox export`). Both become one proposal whose disks are copied
// out of the archive.

import { z } from 'zod';
import { NestboxError } from '../base/errors.ts';
import { EXPORT_DESCRIPTION, exportedMachineSchema } from '../protocol/exported-machine.ts';
import type { DriveSpec, Evidence, FileHandle, HardwareConfig, NewVmSpec, Notice } from '../protocol/library.ts';
import { MEMORY_MIB_MAX } from '../protocol/limits.ts';
import { type ByteSource, utf8 } from './byte-source.ts';
import { parseOvf } from './ovf.ts';
import { notice } from './notice.ts';
import { type HostLimits, firmwareFor, firmwareNotices } from './propose.ts';
import { knownSystems, type SystemEntry, UNKNOWN_SYSTEM } from './systems.ts';
import { type TarEntry, readTarEntries } from './tar.ts';

export interface FoundAppliance {
  readonly formatName: string;
  readonly system: SystemEntry;
  readonly proposal: NewVmSpec;
  readonly evidence: readonly Evidence[];
  readonly notices: readonly Notice[];
}

const DESCRIPTION_BYTES_MAX = 4 * 2 ** 20;
const IDE_PLACES = 4;

/** @returns undefined when the archive holds no machine. @throws NestboxError `bad-input` when it is damaged */
export async function readAppliance(source: ByteSource, handle: FileHandle, limits: HostLimits): Promise<FoundAppliance | undefined> {
  const entries = await readTarEntries(source);
  const first = entries[0];
  if (first?.name === EXPORT_DESCRIPTION) return ownMachine(await textOf(source, first), entries, handle, limits);
  const description = entries.find((entry) => /\.ovf$/i.test(entry.name));
  return description === undefined ? undefined : foreignMachine(await textOf(source, description), entries, handle, limits);
}

async function textOf(source: ByteSource, entry: TarEntry): Promise<string> {
  if (entry.sizeBytes > DESCRIPTION_BYTES_MAX) throw new NestboxError('bad-input', `${entry.name} in it is too large`, { op: 'read appliance' });
  return utf8(await source.read(entry.offset, entry.sizeBytes));
}

function requireMember(entries: readonly TarEntry[], member: string): void {
  if (!entries.some((entry) => entry.name === member)) throw new NestboxError('bad-input', `The disk ${member} is missing from it`, { op: 'read appliance' });
}

function foreignMachine(text: string, entries: readonly TarEntry[], handle: FileHandle, limits: HostLimits): FoundAppliance {
  const found = parseOvf(text);
  const system = systemNamed(found.systemText);
  const notices: Notice[] = [];
  if (found.otherSystems > 0) notices.push(notice('appliance-several', `It holds ${found.otherSystems + 1} machines; the first one is imported`, { count: found.otherSystems + 1 }));
  const compressed = found.disks.find((disk) => disk.compressed);
  if (compressed !== undefined) throw new NestboxError('bad-input', `The disk ${compressed.member} in it is packed as a whole, which is not supported`, { op: 'read appliance' });
  for (const disk of found.disks) requireMember(entries, disk.member);
  const places = found.disks.slice(0, IDE_PLACES);
  if (places.length < found.disks.length) notices.push(notice('appliance-disks', `It has ${found.disks.length} disks; a PC has room for ${IDE_PLACES}`, { have: found.disks.length, max: IDE_PLACES }));
  notices.push(...firmwareNotices(found.uefi, limits));
  const cds = Math.min(found.cdDrives, IDE_PLACES - places.length);
  return {
    formatName: 'OVA',
    system,
    evidence: [...(found.systemText === '' ? [] : [{ where: 'appliance', text: found.systemText } as const]), ...found.disks.map((disk) => ({ where: 'disk', text: disk.member }) as const)],
    notices,
    proposal: {
      name: found.name,
      osId: system.id,
      hardware: {
        memoryMib: Math.min(found.memoryMib || system.memoryMib, MEMORY_MIB_MAX, Math.max(system.minimumMemoryMib, Math.floor(limits.memoryMib / 2))),
        cpus: Math.max(1, Math.min(found.cpus, limits.cpus, limits.vmCpusMax)),
        mode: 'full',
        engine: 'auto',
        firmware: firmwareFor(found.uefi, limits),
        bootOrder: ['disk', 'cdrom', 'floppy'],
      },
      drives: [...places.map((disk): DriveSpec => ({ kind: 'disk', source: 'import', file: handle, member: disk.member })), ...Array.from({ length: cds }, (): DriveSpec => ({ kind: 'cdrom', source: 'empty' }))],
      ...(found.notes === '' ? {} : { notes: found.notes }),
    },
  };
}

function ownMachine(text: string, entries: readonly TarEntry[], handle: FileHandle, limits: HostLimits): FoundAppliance {
  let described: unknown;
  try {
    described = JSON.parse(text);
  } catch (cause) {
    throw new NestboxError('bad-input', `${EXPORT_DESCRIPTION} in it is damaged`, { op: 'read appliance', cause });
  }
  const version = z.object({ nestbox: z.int() }).safeParse(described);
  if (version.success && version.data.nestbox > 1) throw new NestboxError('bad-input', 'It was made by a newer Nestbox', { op: 'read appliance' });
  const parsed = exportedMachineSchema.safeParse(described);
  if (!parsed.success) throw new NestboxError('bad-input', `${EXPORT_DESCRIPTION} in it is damaged: ${parsed.error.issues[0]?.path.join('.') ?? ''} ${parsed.error.issues[0]?.message ?? ''}`, { op: 'read appliance' });
  const machine = parsed.data;
  for (const drive of machine.drives) if (drive.member !== undefined) requireMember(entries, drive.member);
  const { uefi, hardware } = machine;
  return {
    formatName: 'Nestbox',
    system: knownSystems().find((system) => system.id === machine.osId) ?? UNKNOWN_SYSTEM,
    evidence: [],
    notices: firmwareNotices(uefi, limits),
    proposal: {
      name: machine.name,
      osId: machine.osId,
      hardware: { ...(hardware as HardwareConfig), firmware: firmwareFor(uefi, limits) },
      drives: machine.drives.map((drive): DriveSpec => {
        if (drive.kind === 'disk') return { kind: 'disk', source: 'import', file: handle, ...(drive.member === undefined ? {} : { member: drive.member }) };
        return { kind: drive.kind, source: 'empty' };
      }),
      notes: machine.notes,
      tags: machine.tags,
    },
  };
}

const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/** The system of the data file that a maker's words mean; the longest name that is in them wins. */
export function systemNamed(text: string): SystemEntry {
  const words = plain(text);
  const found = knownSystems().filter((system) => words.includes(plain(system.id)) || words.includes(plain(system.name))).sort((a, b) => b.id.length - a.id.length);
  return found[0] ?? UNKNOWN_SYSTEM;
}
