// The VMs of a library: list and details, what is wrong with a form, create, change, delete.

import { randomUUID } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { NestboxError } from '../base/errors.ts';
import type { DriveInfo, FieldProblem, FirmwareChoice, HardwareConfig, NewVmSpec, Notice, VmChange, VmDetail, VmSummary } from '../protocol/library.ts';
import { FIRMWARE_BYTES_MAX, FIRMWARE_BYTES_MIN } from '../protocol/limits.ts';
import type { Registry } from '../registry/registry.ts';
import { type DriveRow, type StoredConfig, type VmRow, hardwareSchema } from '../registry/rows.ts';
import { cloneVm } from './clone-vm.ts';
import type { ManagerEventHub } from './events.ts';
import { exportVm } from './export-vm.ts';
import { firmwareChoices } from './firmwares.ts';
import { withIdentity } from './identity.ts';
import type { MediaLibrary } from './media.ts';
import { removeFile } from './media.ts';
import type { HostInfo } from '../protocol/host-info.ts';
import { type DriveParts, MadeFiles, driveProblems, prepareDrives } from './new-drives.ts';
import { notice, problem, refusal } from './notices.ts';
import type { Power } from './power.ts';
import type { SnapshotOperations } from './snapshots/snapshot-operations.ts';
import type { TaskContext } from './tasks.ts';
import type { Thumbnails } from './thumbnails.ts';
import { NAME_CHARACTERS_MAX, hardwareProblems, hostLimits, labelProblems, nameProblems, processorProblems, storedConfigOf } from './validate.ts';
import type { VmLogs } from './vm-logs.ts';

export interface LibraryParts extends DriveParts {
  readonly events: ManagerEventHub;
  readonly power: Power;
  readonly thumbnails: Thumbnails;
  readonly logs: VmLogs;
  readonly snapshots: () => SnapshotOperations | undefined;
  readonly hostInfo: (() => Promise<HostInfo>) | undefined;
}

export class Library {
  private readonly parts: LibraryParts;
  private readonly registry: Registry;
  private readonly media: MediaLibrary;

  constructor(parts: LibraryParts) {
    this.parts = parts;
    this.registry = parts.registry;
    this.media = parts.media;
  }

  /** @throws NestboxError `not-found` */
  row(id: string): VmRow {
    const row = this.registry.vm(id);
    if (row === undefined) throw refusal('not-found', 'vm-unknown', { id });
    return row;
  }

  list(): readonly VmSummary[] {
    return this.registry.vms().map((row) => this.summary(row));
  }

  /** Tells everybody that a VM is different now. */
  changed(id: string): void {
    const row = this.registry.vm(id);
    if (row !== undefined) this.parts.events.emit('vmChanged', this.summary(row));
  }

  summary(row: VmRow): VmSummary {
    const running = this.parts.power.find(row.id);
    const about = this.noticeOf(row);
    const startedMs = running?.startedMs ?? row.startedMs ?? undefined;
    return {
      id: row.id,
      name: row.name,
      state: this.parts.power.stateOf(row),
      groupPath: row.groupPath,
      tags: row.tags,
      osId: row.osId,
      memoryMib: row.config.memoryMib,
      cpus: row.config.cpus,
      thumbnailVersion: this.parts.thumbnails.version(row.id, row.hasThumbnail),
      createdMs: row.createdMs,
      changedMs: row.changedMs,
      ...(running === undefined ? {} : { pid: running.pid }),
      ...(running?.engine === undefined ? {} : { engine: running.engine }),
      ...(startedMs === undefined ? {} : { startedMs }),
      ...(about === undefined ? {} : { notice: about }),
      ...(row.lastExit === null || running !== undefined ? {} : { lastExit: row.lastExit }),
    };
  }

  private noticeOf(row: VmRow): Notice | undefined {
    const now = this.parts.power.noticeOf(row.id);
    if (now !== undefined) return now;
    if (this.parts.power.find(row.id) === undefined) {
      const drive = row.drives.find((entry) => entry.mediumId !== null && this.media.isMissing(entry.mediumId));
      const path = drive?.mediumId == null ? undefined : this.registry.medium(drive.mediumId)?.path;
      if (drive !== undefined && path !== undefined) return notice('medium-missing', { fileName: basename(path), folder: dirname(path), slot: drive.slot });
    }
    return row.notice ?? undefined;
  }

  async detail(id: string): Promise<VmDetail> {
    const row = this.row(id);
    const drives = await Promise.all(row.drives.map((drive) => this.driveInfo(drive)));
    const snapshots = this.registry.snapshots(id);
    const { directBoot } = row.config;
    return {
      ...this.summary(row),
      notes: row.notes,
      hardware: this.hardwareForWindows(row.config),
      drives,
      hasSavedState: row.savedStateId !== null,
      snapshotCount: snapshots.filter((snapshot) => snapshot.kind !== 'saved').length,
      allocatedBytes: (await this.parts.snapshots()?.usedBytes(id)) ?? 0,
      ...(row.currentSnapshotId === null ? {} : { currentSnapshotId: row.currentSnapshotId }),
      ...(directBoot === undefined
        ? {}
        : { directBoot: { kernelName: basename(directBoot.kernel), commandLine: directBoot.commandLine, ...(directBoot.initrd === undefined ? {} : { initrdName: basename(directBoot.initrd) }) } }),
    };
  }

  private async driveInfo(drive: DriveRow): Promise<DriveInfo> {
    const row = drive.mediumId === null ? undefined : this.registry.medium(drive.mediumId);
    return { slot: drive.slot, kind: drive.kind, readOnly: drive.readOnly, ...(row === undefined ? {} : { medium: await this.media.info(row) }) };
  }

  /** Windows know the firmware's image by a handle. */
  private hardwareForWindows(config: StoredConfig): HardwareConfig {
    const hardware = hardwareOf(config);
    return hardware.firmware === undefined || hardware.firmware === 'bios' ? hardware : { ...hardware, firmware: this.parts.files.grant(hardware.firmware) };
  }

  /** The other way round; a handle that is not known any more stays, for the form to say so. */
  private hardwareFromWindows(hardware: HardwareConfig): HardwareConfig {
    const path = hardware.firmware === undefined || hardware.firmware === 'bios' ? undefined : this.parts.files.find(hardware.firmware);
    return path === undefined ? hardware : { ...hardware, firmware: path };
  }

  private async firmwareProblems(hardware: HardwareConfig): Promise<FieldProblem[]> {
    if (hardware.firmware === undefined || hardware.firmware === 'bios') return [];
    const path = this.parts.files.find(hardware.firmware);
    if (path === undefined) return [problem('firmware', 'file-gone')];
    const size = await stat(path).then((status) => (status.isFile() ? status.size : 0), () => undefined);
    if (size === undefined) return [problem('firmware', 'firmware-missing', { fileName: basename(path), folder: dirname(path) })];
    if (size < FIRMWARE_BYTES_MIN || size > FIRMWARE_BYTES_MAX || size % FIRMWARE_BYTES_MIN !== 0) return [problem('firmware', 'firmware-size', { fileName: basename(path) })];
    return [];
  }

  firmwares(): readonly FirmwareChoice[] {
    return firmwareChoices(this.parts.files, this.registry.vms().flatMap((row) => (row.config.firmware === 'bios' ? [] : [row.config.firmware])));
  }

  async export(id: string, target: string, task: TaskContext): Promise<void> {
    await this.parts.power.exclusive(id, async () => {
      const row = this.parts.power.requireOff(id);
      if (row.savedStateId !== null) throw refusal('busy', 'vm-not-off', { name: row.name, state: 'saved' });
      await exportVm(this.registry, row, target, task);
    });
  }

  private isTaken(exceptId: string | undefined): (name: string) => boolean {
    return (name) => {
      const other = this.registry.vmByName(name);
      return other !== undefined && other.id !== exceptId;
    };
  }

  nameProblems(name: string): FieldProblem[] {
    return nameProblems(name, this.isTaken(undefined));
  }

  /** A name like the wish that is free and allowed. */
  freeName(wish: string): string {
    const clean = wish.replaceAll(/["\\/<>|:*?`\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, ' ').replaceAll(/\s+/g, ' ').trim().replace(/\.+$/, '');
    const base = [...(clean === '' ? 'Virtual machine' : clean)].slice(0, NAME_CHARACTERS_MAX - 6).join('').trim();
    const taken = this.isTaken(undefined);
    for (let number = 1; ; number++) {
      const name = number === 1 ? base : `${base} ${number}`;
      if (!taken(name)) return name;
    }
  }

  async checkNew(spec: NewVmSpec): Promise<FieldProblem[]> {
    const problems = [
      ...nameProblems(spec.name, this.isTaken(undefined)),
      ...labelProblems(spec),
      ...hardwareProblems(spec.hardware, hostLimits()),
      ...(await processorProblems(spec.hardware, this.parts.hostInfo)),
      ...(await this.firmwareProblems(spec.hardware)),
      ...(await driveProblems(this.parts, spec.drives, undefined)),
    ];
    for (const [field, handle] of [['directBoot.kernel', spec.directBoot?.kernel], ['directBoot.initrd', spec.directBoot?.initrd]] as const) {
      if (handle !== undefined && this.parts.files.find(handle) === undefined) problems.push(problem(field, 'file-gone'));
    }
    return problems;
  }

  async create(spec: NewVmSpec, task?: TaskContext): Promise<VmDetail> {
    requireNoErrors(await this.checkNew(spec));
    const id = randomUUID();
    const config = this.configOf(spec);
    const made = new MadeFiles();
    const operation = this.registry.beginOperation('create-vm', null, 'files', { name: spec.name });
    try {
      const { drives, newMedia } = await prepareDrives(this.parts, spec.drives, spec.name, made, task);
      this.registry.transaction(() => {
        for (const medium of newMedia) this.registry.addMedium(medium);
        this.registry.addVm({ id, name: spec.name, osId: spec.osId, config, drives, notes: spec.notes ?? '', groupPath: spec.groupPath ?? '', tags: spec.tags ?? [] });
      });
    } catch (error) {
      await made.removeAll();
      throw error;
    } finally {
      this.registry.endOperation(operation);
    }
    this.parts.logs.add(id, 'info', 'manager', `Created ${spec.name}`);
    this.changed(id);
    if (spec.drives.length > 0) this.parts.events.emit('mediaChanged');
    return this.detail(id);
  }

  private configOf(spec: NewVmSpec): StoredConfig {
    const config = withIdentity(this.registry, storedConfigOf(this.hardwareFromWindows(spec.hardware)));
    if (spec.directBoot === undefined) return config;
    const { kernel, initrd, commandLine } = spec.directBoot;
    const { files } = this.parts;
    return { ...config, directBoot: { kernel: files.path(kernel), commandLine, ...(initrd === undefined ? {} : { initrd: files.path(initrd) }) } };
  }

  async clone(id: string, options: { readonly name: string; readonly linked: boolean }, task: TaskContext): Promise<VmDetail> {
    requireNoErrors(this.nameProblems(options.name));
    const copy = await this.parts.power.exclusive(id, () => {
      const row = this.parts.power.requireOff(id);
      // The memory of a saved state belongs to these disks; a fork takes both.
      if (row.savedStateId !== null) throw refusal('busy', 'vm-not-off', { name: row.name, state: 'saved' });
      return cloneVm(this.parts, row, options, task);
    });
    this.parts.logs.add(copy, 'info', 'manager', `Copied from ${this.row(id).name}`);
    this.changed(id);
    this.changed(copy);
    this.parts.events.emit('mediaChanged');
    return this.detail(copy);
  }

  async checkChange(id: string, change: VmChange): Promise<FieldProblem[]> {
    this.row(id);
    return [
      ...(change.name === undefined ? [] : nameProblems(change.name, this.isTaken(id))),
      ...labelProblems(change),
      ...(change.hardware === undefined ? [] : [...hardwareProblems(change.hardware, hostLimits()), ...(await processorProblems(change.hardware, this.parts.hostInfo)), ...(await this.firmwareProblems(change.hardware))]),
      ...(change.drives === undefined ? [] : await driveProblems(this.parts, change.drives, id)),
    ];
  }

  async change(id: string, change: VmChange): Promise<VmDetail> {
    const row = this.row(id);
    const isHardware = change.hardware !== undefined || change.drives !== undefined;
    if (isHardware && this.parts.power.find(id) !== undefined) throw refusal('busy', 'vm-changed-hardware', { name: row.name });
    if (isHardware && row.savedStateId !== null) throw refusal('busy', 'saved-state-hardware', { name: row.name });
    requireNoErrors(await this.checkChange(id, change));
    await this.parts.power.exclusive(id, () => this.apply(row, change));
    this.changed(id);
    return this.detail(id);
  }

  private async apply(row: VmRow, change: VmChange): Promise<void> {
    const made = new MadeFiles();
    const { drives, ...labels } = change;
    const hardware = change.hardware === undefined ? undefined : this.hardwareFromWindows(change.hardware);
    const defined = Object.fromEntries(Object.entries(labels).filter(([name, value]) => name !== 'hardware' && value !== undefined)) as Omit<VmChange, 'hardware' | 'drives'>;
    try {
      const prepared = drives === undefined ? undefined : await prepareDrives(this.parts, drives, change.name ?? row.name, made);
      this.registry.transaction(() => {
        for (const medium of prepared?.newMedia ?? []) this.registry.addMedium(medium);
        this.registry.updateVm(row.id, {
          ...defined,
          ...(hardware === undefined ? {} : { config: { ...storedConfigOf({ ...hardwareOf(row.config), ...hardware }), ...(row.config.directBoot === undefined ? {} : { directBoot: row.config.directBoot }), ...(row.config.generationId === undefined ? {} : { generationId: row.config.generationId }) } }),
          ...(prepared === undefined ? {} : { drives: prepared.drives }),
        });
        // What was wrong with the old drives need not be wrong with the new ones.
        if (isAboutMedia(row.notice)) this.registry.noteRun(row.id, { notice: null });
      });
    } catch (error) {
      await made.removeAll();
      throw error;
    }
    if (drives !== undefined) this.parts.events.emit('mediaChanged');
  }

  /** @param deleteDisks managed disks that no other VM uses go too */
  async delete(id: string, deleteDisks: boolean): Promise<void> {
    this.parts.power.requireOff(id);
    await this.parts.power.exclusive(id, async () => {
      const row = this.parts.power.requireOff(id);
      const ids = new Set([...row.drives.map((drive) => drive.mediumId), ...this.registry.snapshots(id).flatMap((snapshot) => Object.values(snapshot.media))]);
      await this.parts.snapshots()?.removeVm(id, { deleteDisks });
      this.registry.removeVm(id);
      this.parts.logs.forget(id);
      this.parts.thumbnails.forget(id);
      if (deleteDisks) await this.deleteMedia([...ids].filter((mediumId) => mediumId !== null));
      await rm(this.parts.folder.vm(id), { recursive: true, force: true });
    });
    this.parts.events.emit('vmRemoved', id);
    this.parts.events.emit('mediaChanged');
  }

  /** Overlays before what they stand on; what something else uses stays. */
  private async deleteMedia(ids: readonly string[]): Promise<void> {
    const waiting = [...ids];
    while (waiting.length > 0) {
      const id = waiting.shift();
      const row = id === undefined ? undefined : this.registry.medium(id);
      if (id === undefined || row === undefined || !row.managed || this.registry.usersOfMedium(id).length > 0) continue;
      if (this.registry.media().some((other) => other.backingId === id)) continue;
      this.registry.removeMedium(id);
      await removeFile(row.path);
      if (row.backingId !== null) waiting.push(row.backingId);
    }
  }
}

function isAboutMedia(about: Notice | null): boolean {
  return about !== null && ['disk-full', 'medium-error', 'medium-missing'].includes(about.code);
}

export function hardwareOf(config: StoredConfig): HardwareConfig {
  return hardwareSchema.parse(config);
}

/** The first error as what a call rejects with. */
export function requireNoErrors(problems: readonly FieldProblem[]): void {
  const first = problems.find((entry) => entry.severity === 'error');
  if (first !== undefined) throw new NestboxError('usage', first.text, { op: 'check form', context: { ...first.params, code: first.code, field: first.field } });
}
