// Drives that a form asks for: what is wrong with them, and the files that have to be made or taken in for them.

import { randomUUID } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { isNestboxError, messageOf } from '../base/errors.ts';
import { createDisk } from '../block/disk-tools.ts';
import type { DriveSpec, FieldProblem } from '../protocol/library.ts';
import type { Registry } from '../registry/registry.ts';
import type { DriveRow, MediumRow } from '../registry/rows.ts';
import { assignSlots } from './drives.ts';
import type { FileHandles } from './file-handles.ts';
import { freeFileName } from './file-names.ts';
import { importImage, probeImage } from './import-image.ts';
import type { LibraryFolder } from './library-folder.ts';
import { type MediaLibrary, removeFile } from './media.ts';
import { problem, sizeText } from './notices.ts';
import type { TaskContext } from './tasks.ts';

export const DISK_BYTES_MIN = 2 ** 20;
export const DISK_BYTES_MAX = 16 * 2 ** 40;

export interface DriveParts {
  readonly registry: Registry;
  readonly folder: LibraryFolder;
  readonly media: MediaLibrary;
  readonly files: FileHandles;
}

/** @param vmId the VM that has these drives, if it exists already */
export async function driveProblems(parts: DriveParts, specs: readonly DriveSpec[], vmId: string | undefined): Promise<FieldProblem[]> {
  const problems: FieldProblem[] = [];
  const slots = assignSlots(specs.map((spec) => spec.kind));
  for (const [index, spec] of specs.entries()) {
    const field = `drives.${index}`;
    if (slots[index] === undefined) problems.push(problem(field, spec.kind === 'floppy' ? 'too-many-floppies' : 'too-many-ide'));
    problems.push(...(await oneDriveProblems(parts, spec, field, vmId)));
  }
  return problems;
}

async function oneDriveProblems(parts: DriveParts, spec: DriveSpec, field: string, vmId: string | undefined): Promise<FieldProblem[]> {
  switch (spec.source) {
    case 'empty':
      return [];
    case 'new':
      return newDiskProblems(parts, spec.sizeBytes, field);
    case 'medium': {
      const row = parts.registry.medium(spec.mediumId);
      if (row === undefined) return [problem(field, 'medium-unknown')];
      if (row.kind !== spec.kind) return [problem(field, 'medium-kind', { have: row.kind, want: spec.kind })];
      return sharingProblems(parts, row, spec.readOnly === true, field, vmId);
    }
    case 'import': {
      const path = parts.files.find(spec.file);
      if (path === undefined) return [problem(field, 'file-gone')];
      try {
        const { virtualBytes } = await probeImage({ path, member: spec.member });
        return await spaceProblems(parts, virtualBytes, field);
      } catch (error) {
        return [problem(field, 'file-unusable', { message: messageOf(error) })];
      }
    }
    case 'file': {
      const path = parts.files.find(spec.file);
      if (path === undefined) return [problem(field, 'file-gone')];
      try {
        await parts.media.probe(path, spec.kind, spec.format);
      } catch (error) {
        return [problem(field, isNestboxError(error) && error.context.code === 'medium-kind' ? 'medium-kind' : 'file-unusable', { message: messageOf(error), ...(isNestboxError(error) ? textParams(error.context) : {}) })];
      }
      const row = parts.registry.mediumByPath(path);
      return row === undefined ? [] : sharingProblems(parts, row, spec.readOnly === true, field, vmId);
    }
  }
}

function textParams(context: Readonly<Record<string, string | number | boolean>>): Record<string, string | number> {
  return Object.fromEntries(Object.entries(context).map(([name, value]) => [name, typeof value === 'boolean' ? String(value) : value]));
}

/** Two machines must not write to one disk; locks keep them from running at once, the form says so before. */
function sharingProblems(parts: DriveParts, row: MediumRow, readOnly: boolean, field: string, vmId: string | undefined): FieldProblem[] {
  if (row.kind === 'cdrom' || readOnly) return [];
  const own = vmId === undefined ? undefined : parts.registry.vm(vmId)?.name;
  const users = parts.registry.usersOfMedium(row.id).filter((name) => name !== own);
  if (users.length === 0) return [];
  return [problem(field, 'medium-in-use', { fileName: row.path.split(/[/\\]/).at(-1) ?? '', users: users.join(', ') }, 'warning')];
}

async function newDiskProblems(parts: DriveParts, sizeBytes: number, field: string): Promise<FieldProblem[]> {
  const sizeField = `${field}.sizeBytes`;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < DISK_BYTES_MIN || sizeBytes > DISK_BYTES_MAX) {
    return [problem(sizeField, 'drive-size', { min: sizeText(DISK_BYTES_MIN), max: sizeText(DISK_BYTES_MAX) })];
  }
  if (sizeBytes % 512 !== 0) return [problem(sizeField, 'drive-size-multiple')];
  return spaceProblems(parts, sizeBytes, sizeField);
}

async function spaceProblems(parts: DriveParts, sizeBytes: number, sizeField: string): Promise<FieldProblem[]> {
  const space = await statfs(parts.folder.disks).catch(() => undefined);
  if (space === undefined) return [];
  const free = space.bavail * space.bsize;
  return free < sizeBytes ? [problem(sizeField, 'drive-space', { size: sizeText(sizeBytes), free: sizeText(free) }, 'warning')] : [];
}

/** Files made so far, so that a failure leaves none behind. */
export class MadeFiles {
  readonly paths: string[] = [];

  async removeAll(): Promise<void> {
    for (const path of this.paths) await removeFile(path).catch(() => undefined);
  }
}

/**
 * Makes new disks and takes chosen files in; the rows of new disks are the caller's to add with the VM's, in one transaction.
 * @throws NestboxError; `made` then tells what to remove
 */
export async function prepareDrives(parts: DriveParts, specs: readonly DriveSpec[], vmName: string, made: MadeFiles, task?: TaskContext): Promise<{ drives: DriveRow[]; newMedia: Omit<MediumRow, 'createdMs'>[] }> {
  const slots = assignSlots(specs.map((spec) => spec.kind));
  const drives: DriveRow[] = [];
  const newMedia: Omit<MediumRow, 'createdMs'>[] = [];
  for (const [index, spec] of specs.entries()) {
    const slot = slots[index] ?? '';
    let mediumId: string | null = null;
    if (spec.source === 'medium') mediumId = spec.mediumId;
    else if (spec.source === 'file') mediumId = (await parts.media.register(parts.files.path(spec.file), spec.kind, spec.format)).id;
    else if (spec.source === 'new') {
      const path = await freeFileName(parts.folder.disks, vmName, '.qcow2');
      await createDisk(path, { format: 'qcow2', sizeBytes: spec.sizeBytes });
      made.paths.push(path);
      mediumId = randomUUID();
      newMedia.push({ id: mediumId, kind: 'disk', path, format: 'qcow2', virtualBytes: spec.sizeBytes, backingId: null, managed: true });
    }
    else if (spec.source === 'import') {
      const target = await freeFileName(parts.folder.disks, vmName, '.qcow2');
      const copies = specs.filter((other) => other.source === 'import').length;
      const before = newMedia.length;
      const virtualBytes = await importImage({ path: parts.files.path(spec.file), member: spec.member }, target, { signal: task?.signal, onProgress: (fraction) => task?.progress((before + fraction) / Math.max(copies, before + 1)) });
      made.paths.push(target);
      mediumId = randomUUID();
      newMedia.push({ id: mediumId, kind: 'disk', path: target, format: 'qcow2', virtualBytes, backingId: null, managed: true });
    }
    const readOnly = spec.kind === 'cdrom' || ('readOnly' in spec && spec.readOnly === true);
    drives.push({ slot, kind: spec.kind, mediumId, readOnly });
  }
  return { drives, newMedia };
}
