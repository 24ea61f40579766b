// The form behind the sheets for new VMs and for settings: plain fields, and what the manager says is wrong with them.

import type { DriveInfo, DriveSpec, FieldProblem, HardwareConfig, MediumInspection, NewVmSpec, VmChange, VmDetail } from '../../../core/protocol/library.ts';
import { fileNames } from '../../app/drop.svelte.ts';
import { t } from '../../i18n/i18n.svelte.ts';
import { troublesOf, type Trouble } from '../../i18n/messages.ts';

const CHECK_AFTER_MS = 180;

export interface DriveDraft {
  readonly key: number;
  readonly spec: DriveSpec;
  /** File name for display; empty for new and empty drives. */
  readonly fileName: string;
}

let nextKey = 1;

export function draftOf(spec: DriveSpec, fileName = ''): DriveDraft {
  const known = spec.source === 'file' || spec.source === 'import' ? (fileNames.get(spec.file) ?? fileName) : fileName;
  return { key: nextKey++, spec, fileName: known };
}

function draftOfDrive(drive: DriveInfo): DriveDraft {
  if (drive.medium === undefined) return draftOf({ kind: drive.kind === 'disk' ? 'cdrom' : drive.kind, source: 'empty' });
  return draftOf({ kind: drive.kind, source: 'medium', mediumId: drive.medium.id, readOnly: drive.readOnly }, drive.medium.fileName);
}

export interface FormFields {
  readonly name: string;
  readonly osId: string;
  readonly hardware: HardwareConfig;
  readonly drives: readonly DriveDraft[];
  readonly notes: string;
  readonly groupPath: string;
  readonly tags: readonly string[];
  readonly directBoot?: NewVmSpec['directBoot'];
}

export class VmForm {
  name = $state('');
  osId = $state('unknown');
  hardware = $state.raw<HardwareConfig>({});
  drives = $state.raw<readonly DriveDraft[]>([]);
  notes = $state('');
  groupPath = $state('');
  tags = $state('');
  directBoot = $state.raw<NewVmSpec['directBoot']>(undefined);
  troubles = $state.raw<readonly Trouble[]>([]);
  checking = $state(false);

  constructor(fields: FormFields) {
    this.take(fields);
  }

  take(fields: FormFields): void {
    this.name = fields.name;
    this.osId = fields.osId;
    this.hardware = fields.hardware;
    this.drives = fields.drives;
    this.notes = fields.notes;
    this.groupPath = fields.groupPath;
    this.tags = fields.tags.join(', ');
    this.directBoot = fields.directBoot;
  }

  setHardware(change: Partial<HardwareConfig>): void {
    this.hardware = { ...this.hardware, ...change };
  }

  setDrive(key: number, spec: DriveSpec): void {
    this.drives = this.drives.map((drive) => (drive.key === key ? { ...drive, spec } : drive));
  }
  addDrive(spec: DriveSpec, fileName = ''): void {
    this.drives = [...this.drives, draftOf(spec, fileName)];
  }
  removeDrive(key: number): void {
    this.drives = this.drives.filter((drive) => drive.key !== key);
  }

  get tagList(): string[] {
    return [...new Set(this.tags.split(/[,，]/).map((tag) => tag.trim()).filter(Boolean))];
  }

  get spec(): NewVmSpec {
    return {
      name: this.name,
      osId: this.osId,
      hardware: this.hardware,
      drives: this.drives.map((drive) => drive.spec),
      notes: this.notes,
      groupPath: this.groupPath.trim(),
      tags: this.tagList,
      ...(this.directBoot === undefined ? {} : { directBoot: this.directBoot }),
    };
  }

  /** Only what differs from `before`, so that a running VM's name can change without touching its hardware. */
  changeFrom(before: VmDetail): VmChange {
    const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
    const drives = this.drives.map((drive) => drive.spec);
    const oldDrives = before.drives.map((drive) => draftOfDrive(drive).spec);
    return {
      ...(this.name === before.name ? {} : { name: this.name }),
      ...(this.notes === before.notes ? {} : { notes: this.notes }),
      ...(this.groupPath.trim() === before.groupPath ? {} : { groupPath: this.groupPath.trim() }),
      ...(same(this.tagList, before.tags) ? {} : { tags: this.tagList }),
      ...(same(this.hardware, before.hardware) ? {} : { hardware: this.hardware }),
      ...(same(drives, oldDrives) ? {} : { drives }),
    };
  }

  get blocked(): boolean {
    return this.troubles.some((trouble) => trouble.severity === 'error');
  }

  /** Asks what is wrong a moment after the last change; call inside an effect that reads the form. @returns cancels */
  checkSoon(ask: () => Promise<readonly FieldProblem[]>): () => void {
    this.checking = true;
    let dropped = false;
    const timer = setTimeout(() => {
      ask().then(
        (problems) => {
          if (dropped) return;
          this.troubles = troublesOf(problems);
          this.checking = false;
        },
        () => {
          if (!dropped) this.checking = false;
        },
      );
    }, CHECK_AFTER_MS);
    return () => {
      dropped = true;
      clearTimeout(timer);
    };
  }
}

export function fieldsOfSpec(spec: NewVmSpec): FormFields {
  return {
    name: spec.name,
    osId: spec.osId,
    hardware: spec.hardware,
    drives: spec.drives.map((drive) => draftOf(drive)),
    notes: spec.notes ?? '',
    groupPath: spec.groupPath ?? '',
    tags: spec.tags ?? [],
    directBoot: spec.directBoot,
  };
}

export function fieldsOfDetail(detail: VmDetail): FormFields {
  return { name: detail.name, osId: detail.osId, hardware: detail.hardware, drives: detail.drives.map(draftOfDrive), notes: detail.notes, groupPath: detail.groupPath, tags: detail.tags };
}

/** What stands in the form when nothing was dropped. */
export interface Preset {
  readonly id: 'linux' | 'linux32' | 'windows' | 'bsd' | 'dos' | 'other';
  readonly osId: string;
  readonly memoryMib: number;
  readonly diskGib: number;
  readonly mode: 'full' | 'paravirt';
}

export const PRESETS: readonly Preset[] = [
  { id: 'linux', osId: 'linux', memoryMib: 1024, diskGib: 20, mode: 'paravirt' },
  { id: 'linux32', osId: 'linux', memoryMib: 512, diskGib: 8, mode: 'paravirt' },
  { id: 'windows', osId: 'windows', memoryMib: 1024, diskGib: 32, mode: 'full' },
  { id: 'bsd', osId: 'freebsd', memoryMib: 1024, diskGib: 20, mode: 'paravirt' },
  { id: 'dos', osId: 'freedos', memoryMib: 32, diskGib: 1, mode: 'full' },
  { id: 'other', osId: 'unknown', memoryMib: 256, diskGib: 8, mode: 'full' },
];

export const GIB = 1024 ** 3;

export function fieldsOfPreset(preset: Preset, name: string): FormFields {
  return {
    name,
    osId: preset.osId,
    hardware: { memoryMib: preset.memoryMib, cpus: 1, mode: preset.mode, bootOrder: preset.id === 'dos' ? ['floppy', 'cdrom', 'disk'] : ['cdrom', 'disk', 'floppy'] },
    drives: [draftOf({ kind: 'cdrom', source: 'empty' }), draftOf({ kind: 'disk', source: 'new', sizeBytes: preset.diskGib * GIB })],
    notes: '',
    groupPath: '',
    tags: [],
  };
}

export function inspectionTitle(inspection: MediumInspection): string {
  const { os } = inspection;
  if (os.id === 'unknown' || os.name === '') return inspection.bootable ? t('newVm.unknownSystem') : inspection.fileName;
  return [os.name, os.version].filter(Boolean).join(' ');
}
