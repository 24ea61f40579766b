// Insert and eject, for the library and for a VM's window.

import Disc3 from '@lucide/svelte/icons/disc-3';
import FolderOpen from '@lucide/svelte/icons/folder-open';
import LogOut from '@lucide/svelte/icons/log-out';
import type { DriveInfo, MediumInfo, VmSummary } from '../../../core/protocol/library.ts';
import type { AppState } from '../../app/app-state.svelte.ts';
import { t } from '../../i18n/i18n.svelte.ts';
import { menuOf, type MenuEntry } from '../../ui/menu.ts';
import { toasts } from '../../ui/toasts.svelte.ts';

export const FLOPPY_FILES = ['img', 'ima', 'flp', 'vfd', 'dsk'];
export const CD_FILES = ['iso', 'cdr', 'img'];
export const DISK_FILES = ['qcow2', 'img', 'raw', 'qcow', 'vmdk', 'vdi', 'vhd', 'vhdx'];

export const FIRMWARE_FILES = ['bin', 'fd', 'rom'];
/** Formats that can only be read: machines get a copy. */
export const COPIED_FILES = /\.(vmdk|vdi|vhd|vhdx)$/i;

/** "Floppy drive 1", "CD drive 1", "Disk 2". */
export function driveName(drive: DriveInfo): string {
  const number = Number(/\d+$/.exec(drive.slot)?.[0] ?? '0') + 1;
  return t(`drives.${drive.kind}`, { number });
}

/** @param media media of the library that may go in */
export function driveEntries(app: AppState, vm: VmSummary, drive: DriveInfo, media: readonly MediumInfo[] = []): MenuEntry[] {
  const accept = drive.kind === 'floppy' ? FLOPPY_FILES : CD_FILES;
  const insert = (medium: Parameters<AppState['api']['insertMedium']>[2], name: string): void => {
    void app.attempt(async () => {
      await app.api.insertMedium(vm.id, drive.slot, medium);
      toasts.show({ tone: 'ok', text: t('drives.inserted', { name }) });
    });
  };
  return menuOf(
    { label: t('drives.choose'), icon: FolderOpen, select: () => app.pickFile(t('drives.chooseFor', { drive: driveName(drive) }), accept, (file, name) => insert({ file }, name)) },
    ...media
      .filter((medium) => medium.kind === drive.kind && !medium.missing && medium.id !== drive.medium?.id)
      .slice(0, 8)
      .map((medium) => ({ label: medium.fileName, icon: Disc3, select: () => insert({ mediumId: medium.id }, medium.fileName) })),
    'separator',
    { label: t('drives.eject'), icon: LogOut, disabled: drive.medium === undefined, select: () => void app.attempt(() => app.api.ejectMedium(vm.id, drive.slot)) },
  );
}
