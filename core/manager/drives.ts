// Drives of a VM: their slots on the board, and the media list that a VM process gets.

import type { DiskImage } from '../block/open-disk.ts';
import { BACKING_CHAIN_MAX, type VmConfigInput } from '../protocol/vm-config.ts';
import type { DriveRow, MediumRow } from '../registry/rows.ts';

type MediaConfig = NonNullable<VmConfigInput['media']>;

/** Order in which places are taken: disks from the first, CDs from the secondary master on. */
const PLACES: Readonly<Record<DriveRow['kind'], readonly string[]>> = {
  floppy: ['floppy0', 'floppy1'],
  disk: ['ide0', 'ide1', 'ide3', 'ide2'],
  cdrom: ['ide2', 'ide3', 'ide1', 'ide0'],
};

/** A slot for each drive, or undefined for those that find none. */
export function assignSlots(kinds: readonly DriveRow['kind'][]): (string | undefined)[] {
  const taken = new Set<string>();
  return kinds.map((kind) => {
    const slot = PLACES[kind].find((place) => !taken.has(place));
    if (slot !== undefined) taken.add(slot);
    return slot;
  });
}

/** The images below, nearest first. */
export function chainBelow(top: MediumRow, medium: (id: string) => MediumRow | undefined): { path: string; format: 'raw' | 'qcow2' }[] {
  const chain: { path: string; format: 'raw' | 'qcow2' }[] = [];
  for (let row = top; row.backingId !== null && chain.length < BACKING_CHAIN_MAX; ) {
    const below = medium(row.backingId);
    if (below === undefined) break;
    chain.push({ path: below.path, format: below.format });
    row = below;
  }
  return chain;
}

/** A disk of the library with the images below it, as openDisk takes it. */
export function imageOf(row: MediumRow, medium: (id: string) => MediumRow | undefined): DiskImage {
  return { path: row.path, format: row.format, backing: chainBelow(row, medium) };
}

export function mediaConfig(drives: readonly DriveRow[], medium: (id: string) => MediumRow | undefined): MediaConfig {
  return drives.map((drive) => {
    const row = drive.mediumId === null ? undefined : medium(drive.mediumId);
    return {
      kind: drive.kind,
      readOnly: drive.readOnly,
      slot: drive.slot,
      ...(row === undefined ? {} : { path: row.path, format: row.format, ...(row.backingId === null ? {} : { backing: chainBelow(row, medium) }) }),
    };
  });
}

/** Position of a removable drive among those of its kind, as the VM process counts. */
export function removableIndex(drives: readonly DriveRow[], slot: string): { kind: 'floppy' | 'cdrom'; index: number } | undefined {
  const drive = drives.find((entry) => entry.slot === slot);
  if (drive === undefined || drive.kind === 'disk') return undefined;
  const same = drives.filter((entry) => entry.kind === drive.kind).sort((a, b) => (a.slot < b.slot ? -1 : 1));
  return { kind: drive.kind, index: same.indexOf(drive) };
}
