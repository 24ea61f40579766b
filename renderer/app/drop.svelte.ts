// Files that come in by drop or choice: taken over (with progress where they must be sent), looked into, and handed to the
// sheet for a new VM or to a running VM's drive.

import type { DriveSpec, FileHandle, MediumInspection, NewVmSpec } from '../../core/protocol/library.ts';
import { t } from '../i18n/i18n.svelte.ts';
import { errorText, isCancelled } from '../i18n/messages.ts';
import type { AppState } from './app-state.svelte.ts';

export const SYSTEM_FILES = ['iso', 'img', 'ima', 'flp', 'vfd', 'qcow2', 'raw', 'vmdk', 'vdi', 'vhd', 'vhdx', 'bin', 'efi', 'elf', 'ova', 'nestbox'];

export interface Arriving {
  readonly fileName: string;
  readonly phase: 'sending' | 'looking';
  readonly fraction: number | undefined;
}

class Drop {
  /** Something is held over the window. */
  hovering = $state(false);
  arriving = $state.raw<Arriving | undefined>(undefined);
  error = $state.raw<{ readonly title: string; readonly text: string } | undefined>(undefined);
  private abort: AbortController | undefined;

  cancel(): void {
    this.abort?.abort();
  }

  /** @returns what was found; undefined when it failed or was cancelled, which the overlay then says */
  async take(app: AppState, files: readonly File[]): Promise<MediumInspection[] | undefined> {
    const abort = new AbortController();
    this.abort = abort;
    this.error = undefined;
    const found: MediumInspection[] = [];
    for (const file of files) {
      try {
        this.arriving = { fileName: file.name, phase: 'sending', fraction: 0 };
        const progress = (sent: number, total: number): void => {
          this.arriving = { fileName: file.name, phase: 'sending', fraction: total === 0 ? undefined : sent / total };
        };
        const handle = await app.shell.adoptFile(file, { progress, signal: abort.signal });
        found.push(await this.look(app, handle, file.name));
      } catch (thrown) {
        this.arriving = undefined;
        if (!isCancelled(thrown)) this.error = { title: t('drop.failedTitle', { name: file.name }), text: errorText(thrown) };
        return undefined;
      }
    }
    this.arriving = undefined;
    return found;
  }

  async look(app: AppState, handle: FileHandle, fileName: string): Promise<MediumInspection> {
    this.arriving = { fileName, phase: 'looking', fraction: undefined };
    try {
      return await app.api.inspectFile(handle);
    } finally {
      this.arriving = undefined;
    }
  }
}

export const drop = new Drop();

/** Files of one drop belong together: a kernel with its initial RAM disk, a CD with a driver floppy. */
export function combine(found: readonly MediumInspection[]): MediumInspection | undefined {
  const main = found.find((entry) => entry.kind === 'kernel' && entry.proposal !== undefined) ?? found.find((entry) => entry.proposal !== undefined) ?? found[0];
  if (main?.proposal === undefined) return main;
  let proposal: NewVmSpec = main.proposal;
  for (const extra of found) {
    if (extra === main) continue;
    if (extra.kind === 'initrd' && proposal.directBoot !== undefined) proposal = { ...proposal, directBoot: { ...proposal.directBoot, initrd: extra.file } };
    else if (extra.kind === 'iso' || extra.kind === 'floppy' || extra.kind === 'disk') {
      const drive: DriveSpec = { kind: extra.kind === 'iso' ? 'cdrom' : extra.kind, source: 'file', file: extra.file };
      const empty = proposal.drives.findIndex((known) => known.kind === drive.kind && known.source === 'empty');
      proposal = { ...proposal, drives: empty < 0 ? [...proposal.drives, drive] : proposal.drives.map((known, index) => (index === empty ? drive : known)) };
    }
  }
  return { ...main, proposal };
}

export async function dropToCreate(app: AppState, files: readonly File[]): Promise<void> {
  const found = await drop.take(app, files);
  const inspection = found === undefined ? undefined : combine(found);
  if (inspection !== undefined) offer(app, inspection, found ?? []);
}

export function offer(app: AppState, inspection: MediumInspection, all: readonly MediumInspection[]): void {
  for (const entry of all) fileNames.set(entry.file, entry.fileName);
  fileNames.set(inspection.file, inspection.fileName);
  app.open({ kind: 'new', inspection });
}

/** Names of handles seen so far, for display: a handle itself says nothing. */
export const fileNames = new Map<FileHandle, string>();

export function chooseSystemFile(app: AppState, replace?: () => void): void {
  app.pickFile(t('library.chooseFile'), SYSTEM_FILES, (handle, name) => {
    void app.attempt(async () => {
      const inspection = await drop.look(app, handle, name);
      replace?.();
      offer(app, inspection, []);
    });
  });
}
