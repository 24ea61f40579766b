// Copies of machines that are off. A full copy has disks of its own; a linked one, and its original from then on, are
// overlays on what the disks hold now. CDs, floppies and read-only disks are shared. Snapshots and saved states stay with
// the original.

import { randomUUID } from 'node:crypto';
import { copyDisk } from '../block/copy-disk.ts';
import { makeFile } from '../block/disk-files.ts';
import { createOverlay } from '../block/image-chain.ts';
import { openDisk } from '../block/open-disk.ts';
import { createQcow2 } from '../block/qcow2/create-qcow2.ts';
import { openQcow2 } from '../block/qcow2/open-qcow2.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import type { Registry } from '../registry/registry.ts';
import type { DriveRow, MediumRow, VmRow } from '../registry/rows.ts';
import { imageOf } from './drives.ts';
import { freeFileName } from './file-names.ts';
import { withNewIdentity } from './identity.ts';
import type { LibraryFolder } from './library-folder.ts';
import { MadeFiles } from './new-drives.ts';
import { refusal } from './notices.ts';
import type { TaskContext } from './tasks.ts';

export interface CloneParts {
  readonly registry: Registry;
  readonly folder: LibraryFolder;
}

type NewMedium = Omit<MediumRow, 'createdMs'>;

interface ClonePlan {
  readonly newMedia: NewMedium[];
  readonly cloneDrives: DriveRow[];
  readonly originalDrives: DriveRow[];
}

/** @returns the id of the copy; nothing has changed when it rejects */
export async function cloneVm(parts: CloneParts, row: VmRow, options: { readonly name: string; readonly linked: boolean }, task: TaskContext): Promise<string> {
  const { registry } = parts;
  const made = new MadeFiles();
  const id = randomUUID();
  try {
    const plan = options.linked ? await planLinked(parts, row, options.name, made) : await planFull(parts, row, options.name, made, task);
    registry.transaction(() => {
      for (const medium of plan.newMedia) registry.addMedium(medium);
      if (options.linked) registry.updateVm(row.id, { drives: plan.originalDrives });
      registry.addVm({ id, name: options.name, osId: row.osId, config: withNewIdentity(registry, row.config), notes: row.notes, groupPath: row.groupPath, tags: row.tags, drives: plan.cloneDrives });
    });
    return id;
  } catch (error) {
    await made.removeAll();
    throw error;
  }
}

/** Disks that a machine writes to; the others may be used by several. */
function ownDisk(registry: Registry, drive: DriveRow): MediumRow | undefined {
  if (drive.kind !== 'disk' || drive.readOnly || drive.mediumId === null) return undefined;
  const row = registry.medium(drive.mediumId);
  if (row === undefined) throw refusal('not-found', 'medium-unknown');
  return row;
}

async function planFull({ registry, folder }: CloneParts, row: VmRow, name: string, made: MadeFiles, task: TaskContext): Promise<ClonePlan> {
  const disks = row.drives.flatMap((drive) => ownDisk(registry, drive) ?? []);
  const totalBytes = disks.reduce((sum, disk) => sum + disk.virtualBytes, 0);
  const newMedia: NewMedium[] = [];
  const cloneDrives: DriveRow[] = [];
  let doneBytes = 0;
  for (const drive of row.drives) {
    const medium = ownDisk(registry, drive);
    if (medium === undefined) {
      cloneDrives.push(drive);
      continue;
    }
    const source = await openDisk(imageOf(medium, (id) => registry.medium(id)), { readOnly: true });
    try {
      const path = await freeFileName(folder.disks, name, '.qcow2');
      const before = doneBytes;
      await makeFile(nodeHostFiles, path, false, async (file) => {
        await createQcow2(file, { sizeBytes: source.sizeBytes });
        const target = await openQcow2(file, { durable: false });
        await copyDisk(source, target, { signal: task.signal, onProgress: (done) => task.progress(totalBytes === 0 ? 1 : (before + done) / totalBytes, name) });
        await target.close();
      });
      made.paths.push(path);
      doneBytes += source.sizeBytes;
      const id = randomUUID();
      newMedia.push({ id, kind: 'disk', path, format: 'qcow2', virtualBytes: source.sizeBytes, backingId: null, managed: true });
      cloneDrives.push({ ...drive, mediumId: id });
    } finally {
      await source.close();
    }
  }
  return { newMedia, cloneDrives, originalDrives: [...row.drives] };
}

async function planLinked({ registry, folder }: CloneParts, row: VmRow, name: string, made: MadeFiles): Promise<ClonePlan> {
  const newMedia: NewMedium[] = [];
  const cloneDrives: DriveRow[] = [];
  const originalDrives: DriveRow[] = [];
  const overlayOn = async (medium: MediumRow, owner: string): Promise<string> => {
    const path = await freeFileName(folder.disks, owner, '.qcow2');
    await createOverlay(path, { backing: { path: medium.path, format: medium.format }, sizeBytes: medium.virtualBytes });
    made.paths.push(path);
    const id = randomUUID();
    newMedia.push({ id, kind: 'disk', path, format: 'qcow2', virtualBytes: medium.virtualBytes, backingId: medium.id, managed: true });
    return id;
  };
  for (const drive of row.drives) {
    const medium = ownDisk(registry, drive);
    if (medium === undefined) {
      cloneDrives.push(drive);
      originalDrives.push(drive);
      continue;
    }
    // Nobody may write to what two overlays stand on: the original goes on in one of its own.
    originalDrives.push({ ...drive, mediumId: await overlayOn(medium, row.name) });
    cloneDrives.push({ ...drive, mediumId: await overlayOn(medium, name) });
  }
  return { newMedia, cloneDrives, originalDrives };
}
