// Images in the library: registered once by path, told apart by what the registry says (never by guessing at start), looked
// up when they have moved.

import { rename, stat, unlink } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { basename, dirname, extname, join, sep } from 'node:path';
import { NestboxError, isNestboxError } from '../base/errors.ts';
import { HEAD_BYTES, recognise } from '../block/medium-kinds.ts';
import { openMedium } from '../block/open-medium.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import type { MediumInfo } from '../protocol/library.ts';
import type { Registry } from '../registry/registry.ts';
import type { DriveRow, MediumRow } from '../registry/rows.ts';
import type { ManagerEventHub } from './events.ts';
import { freeFileName, safeFileName } from './file-names.ts';
import { importImage, probeImage } from './import-image.ts';
import type { LibraryFolder } from './library-folder.ts';
import { refusal } from './notices.ts';
import type { TaskContext } from './tasks.ts';

export type MediumKind = DriveRow['kind'];

const KIND_NAMES: Readonly<Record<MediumKind, string>> = { floppy: 'floppy disk', cdrom: 'CD', disk: 'disk' };

export class MediaLibrary {
  private readonly registry: Registry;
  private readonly folder: LibraryFolder;
  private readonly events: ManagerEventHub;
  /** Media whose files were not there when they were last looked for. */
  private missing = new Set<string>();

  constructor(registry: Registry, folder: LibraryFolder, events: ManagerEventHub) {
    this.registry = registry;
    this.folder = folder;
    this.events = events;
  }

  /** @throws NestboxError `not-found` */
  row(id: string): MediumRow {
    const row = this.registry.medium(id);
    if (row === undefined) throw refusal('not-found', 'medium-unknown');
    return row;
  }

  isMissing(id: string): boolean {
    return this.missing.has(id);
  }

  /** Looks whether a file can be used as that kind of medium. @throws NestboxError `bad-input` */
  async probe(path: string, kind: MediumKind, format: 'raw' | 'qcow2' | undefined): Promise<{ format: 'raw' | 'qcow2'; virtualBytes: number }> {
    const known = this.registry.mediumByPath(path);
    if (known !== undefined) {
      if (known.kind !== kind) throw refusal('bad-input', 'medium-kind', { have: KIND_NAMES[known.kind], want: KIND_NAMES[kind] });
      return known;
    }
    const stated = format ?? (kind === 'disk' ? await this.formatByContent(path) : undefined);
    const { device, format: found } = await openMedium(path, { kind, format: stated, readOnly: true });
    const virtualBytes = device.sizeBytes;
    await device.close();
    if (found !== 'raw' && found !== 'qcow2')
      throw new NestboxError('unsupported', `${path}: ${found.toUpperCase()} images can only be read; convert it with "nestbox disk convert --to qcow2" first`, { op: 'add medium', context: { path } });
    return { format: found, virtualBytes };
  }

  /** The one moment when content decides: the user has just chosen the file. From then on the registry knows. */
  private async formatByContent(path: string): Promise<'qcow2' | undefined> {
    const file = await nodeHostFiles.open(path, { readOnly: true }).catch((error: unknown) => {
      if (isNestboxError(error)) throw new NestboxError('bad-input', error.message, { op: error.op, context: error.context, cause: error });
      throw error;
    });
    try {
      const head = new Uint8Array(HEAD_BYTES);
      const length = await file.read(0, head);
      return recognise(head.subarray(0, length))?.format === 'qcow2' ? 'qcow2' : undefined;
    } finally {
      await file.close();
    }
  }

  /** Takes a file into the library; an upload moves out of the inbox and belongs to the library from then on. */
  async register(path: string, kind: MediumKind, format: 'raw' | 'qcow2' | undefined): Promise<MediumRow> {
    const known = this.registry.mediumByPath(path);
    const { format: found, virtualBytes } = await this.probe(path, kind, format);
    if (known !== undefined) return known;
    const uploaded = path.startsWith(this.folder.inbox + sep);
    const place = uploaded ? await freeFileName(this.folder.media, basename(path, extname(path)), extname(path)) : path;
    if (uploaded) await rename(path, place);
    const id = randomUUID();
    this.registry.addMedium({ id, kind, path: place, format: found, virtualBytes, backingId: null, managed: uploaded });
    this.events.emit('mediaChanged');
    return this.row(id);
  }

  async info(row: MediumRow): Promise<MediumInfo> {
    const status = await nodeHostFiles.status(row.path).catch(() => undefined);
    if (status === undefined) this.missing.add(row.id);
    else this.missing.delete(row.id);
    return {
      id: row.id,
      kind: row.kind,
      fileName: basename(row.path),
      folder: dirname(row.path),
      format: row.format,
      virtualBytes: row.virtualBytes,
      ...(status === undefined ? {} : { allocatedBytes: status.allocatedBytes }),
      missing: status === undefined,
      managed: row.managed,
      ...(row.backingId === null ? {} : { backingId: row.backingId }),
      usedBy: this.registry.usersOfMedium(row.id),
    };
  }

  async list(): Promise<readonly MediumInfo[]> {
    return Promise.all(this.registry.media().map((row) => this.info(row)));
  }

  /** Looks at all files again. @returns whether something has gone or come back */
  async lookForAll(): Promise<boolean> {
    const before = this.missing;
    const rows = this.registry.media();
    const gone = await Promise.all(rows.map(async (row) => ((await stat(row.path).catch(() => undefined)) === undefined ? row.id : undefined)));
    this.missing = new Set(gone.filter((id) => id !== undefined));
    return before.size !== this.missing.size || [...before].some((id) => !this.missing.has(id));
  }

  /** Missing files are looked for in the folders where other media are now: who moves one file moves its neighbours. */
  async findMissing(): Promise<readonly MediumInfo[]> {
    await this.lookForAll();
    const rows = this.registry.media();
    const folders = [...new Set(rows.filter((row) => !this.missing.has(row.id)).map((row) => dirname(row.path)))];
    for (const row of rows.filter(({ id }) => this.missing.has(id))) {
      for (const folder of folders) {
        const candidate = join(folder, basename(row.path));
        if (this.registry.mediumByPath(candidate) === undefined && (await this.fits(row, candidate))) {
          this.move(row, candidate);
          break;
        }
      }
    }
    this.events.emit('mediaChanged');
    return (await this.list()).filter((medium) => medium.missing);
  }

  private async fits(row: MediumRow, path: string): Promise<boolean> {
    try {
      const found = await this.probe(path, row.kind, row.format);
      return found.virtualBytes === row.virtualBytes;
    } catch {
      return false;
    }
  }

  private move(row: MediumRow, path: string): void {
    this.registry.updateMedium(row.id, { path });
    this.missing.delete(row.id);
  }

  async relocate(id: string, path: string): Promise<MediumInfo> {
    const row = this.row(id);
    const found = await this.probe(path, row.kind, row.format);
    this.move(row, path);
    if (found.virtualBytes !== row.virtualBytes) this.registry.updateMedium(id, { virtualBytes: found.virtualBytes });
    this.events.emit('mediaChanged');
    return this.info(this.row(id));
  }

  /** @throws NestboxError `busy` naming the users */
  async remove(id: string, deleteFile: boolean): Promise<void> {
    const row = this.row(id);
    const fileName = basename(row.path);
    const users = this.registry.usersOfMedium(id);
    if (users.length > 0) throw refusal('busy', 'medium-used', { fileName, users: users.join(', ') });
    if (deleteFile && !row.managed) throw refusal('usage', 'medium-not-managed', { fileName });
    const overlays = this.registry.media().filter((medium) => medium.backingId === id);
    if (overlays.length > 0) throw refusal('busy', 'medium-used', { fileName, users: overlays.map((medium) => basename(medium.path)).join(', ') });
    this.registry.removeMedium(id);
    this.missing.delete(id);
    if (deleteFile) await removeFile(row.path);
    this.events.emit('mediaChanged');
  }

  async importDisk(path: string, name: string, task: TaskContext): Promise<MediumInfo> {
    const { format } = await probeImage({ path });
    // A file that is no disk at all is told with its reason; other products' formats have been opened by now.
    if (format === 'raw' || format === 'qcow2') await this.probe(path, 'disk', undefined);
    const target = await freeFileName(this.folder.disks, safeFileName(name), '.qcow2');
    await importImage({ path }, target, { signal: task.signal, onProgress: (fraction) => task.progress(fraction) });
    return this.info(await this.adopt(target, 'qcow2'));
  }

  /** Registers a disk that Nestbox has made. */
  async adopt(path: string, format: 'raw' | 'qcow2', kind: MediumKind = 'disk'): Promise<MediumRow> {
    const { virtualBytes } = await this.probe(path, kind, format);
    const id = randomUUID();
    this.registry.addMedium({ id, kind, path, format, virtualBytes, backingId: null, managed: true });
    this.events.emit('mediaChanged');
    return this.row(id);
  }
}

export async function removeFile(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });
}
