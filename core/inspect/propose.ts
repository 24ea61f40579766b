// Proposes a virtual machine for what was found on a medium.

import type { DriveSpec, FileHandle, InspectedKind, NewVmSpec, Notice } from '../protocol/library.ts';
import { MEMORY_MIB_MAX } from '../protocol/vm-config.ts';
import { notice } from './notice.ts';
import { type SystemEntry } from './systems.ts';

/** What the proposal must fit to. */
export interface HostLimits {
  readonly memoryMib: number;
  readonly cpus: number;
  /** Most CPUs of a VM. */
  readonly vmCpusMax: number;
  /** Handle of a UEFI firmware image on this host, if there is one. */
  readonly uefiFirmware?: string;
}

export interface ProposalInput {
  readonly file: FileHandle;
  readonly fileName: string;
  readonly kind: InspectedKind;
  readonly system: SystemEntry;
  /** "Debian 12.5"; empty when unknown. */
  readonly title: string;
  readonly uefiOnly: boolean;
  /** `import`: Nestbox can only read it. */
  readonly diskFormat: 'raw' | 'qcow2' | 'import';
  readonly limits: HostLimits;
}

const GIB = 1024 ** 3;
/** A VM gets at most this share of the host's memory unless the user says so. */
const MEMORY_SHARE = 0.5;
const NAME_MAX = 60;

/** The built-in BIOS, unless the system starts by UEFI only and the host has such firmware. */
export function firmwareFor(uefiOnly: boolean, limits: HostLimits): string {
  return uefiOnly ? (limits.uefiFirmware ?? 'bios') : 'bios';
}

/** What to say when the firmware that is needed is not there. */
export function firmwareNotices(uefiOnly: boolean, limits: HostLimits): Notice[] {
  if (!uefiOnly || limits.uefiFirmware !== undefined) return [];
  return [notice('needs-uefi', 'It starts by UEFI only, and no UEFI firmware was found on this computer (Debian and Ubuntu have it in the package ovmf)')];
}

export function propose(input: ProposalInput): NewVmSpec {
  const { system, limits, kind } = input;
  const most = Math.max(system.minimumMemoryMib, Math.min(MEMORY_MIB_MAX, Math.floor(limits.memoryMib * MEMORY_SHARE)));
  return {
    name: proposedName(input),
    osId: system.id,
    hardware: {
      memoryMib: Math.min(system.memoryMib, most),
      cpus: Math.max(1, Math.min(system.cpus, limits.cpus, limits.vmCpusMax)),
      mode: system.mode,
      firmware: firmwareFor(input.uefiOnly, limits),
      engine: 'auto',
      bootOrder:
        kind === 'disk'
          ? ['disk', 'cdrom', 'floppy']
          : kind === 'floppy'
            ? ['floppy', 'disk', 'cdrom']
            : ['disk', 'cdrom', 'floppy'],
    },
    drives: drivesFor(input),
    ...(kind === 'kernel'
      ? {
          directBoot: {
            kernel: input.file,
            commandLine: system.family === 'linux' || system.id === 'unknown' ? 'console=tty0 console=ttyS0' : '',
          },
        }
      : {}),
  };
}

/** An empty disk comes first in the boot order: it is passed over until an installer has made it bootable. */
function drivesFor(input: ProposalInput): DriveSpec[] {
  const { kind, file, system } = input;
  const disk: DriveSpec[] =
    system.diskGib > 0 ? [{ kind: 'disk', source: 'new', sizeBytes: Math.round(system.diskGib * GIB) }] : [];
  switch (kind) {
    case 'iso':
      return [...disk, { kind: 'cdrom', source: 'file', file, readOnly: true }];
    case 'floppy':
      return [{ kind: 'floppy', source: 'file', file }, ...disk];
    case 'disk':
      return [
        input.diskFormat === 'import' ? { kind: 'disk', source: 'import', file } : { kind: 'disk', source: 'file', file, format: input.diskFormat },
        { kind: 'cdrom', source: 'empty' },
      ];
    case 'kernel':
      return disk;
    default:
      return [];
  }
}

function proposedName(input: ProposalInput): string {
  const base = input.title !== '' ? input.title : input.fileName.replace(/\.[^.]{1,6}$/, '').replace(/[_]+/g, ' ');
  return cleanName(base);
}

/** As a file's or an appliance's maker wrote it, without what a name may not have. */
export function cleanName(text: string): string {
  const clean = text
    .replace(/[/\\:*?"<>|\p{Cc}]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return (clean === '' ? 'VM' : clean).slice(0, NAME_MAX).trim();
}
