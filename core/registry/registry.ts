// The registry: typed queries over VMs, media, snapshots, the journal and settings. Every method is one transaction.

import type { z } from 'zod';
import type { Disposable } from '../base/disposable.ts';
import { NestboxError, messageOf } from '../base/errors.ts';
import type { Notice } from '../protocol/library.ts';
import type { VmExit } from '../protocol/vm-messages.ts';
import { type Connection, openRegistryDatabase } from './open-registry.ts';
import { RegistryBackup } from './registry-backup.ts';
import { type DriveRow, type MediumRow, type OperationRow, type SnapshotKind, type SnapshotRow, type StoredConfig, type VmRow, mediumRowSchema, driveRowsSchema, exitSchema, noticeSchema, storedConfigSchema } from './rows.ts';

/** All but the picture, which may be large. */
const VM_COLUMNS = 'id, name, config, notes, group_path, current_snapshot_id, saved_state_id, os_id, started_ms, last_exit, notice, thumbnail IS NOT NULL AS has_thumbnail, created_ms, changed_ms';

type Row = Record<string, unknown>;

function parseConfig(vm: string, text: unknown): StoredConfig {
  const parsed = storedConfigSchema.safeParse(JSON.parse(String(text)));
  if (parsed.success) return parsed.data;
  throw new NestboxError('bad-input', `The registry's settings of ${vm} are damaged: ${parsed.error.issues[0]?.message ?? ''}`, { op: 'read registry' });
}

export interface NewVm {
  readonly id: string;
  readonly name: string;
  readonly config: StoredConfig;
  readonly osId?: string;
  readonly notes?: string;
  readonly groupPath?: string;
  readonly tags?: readonly string[];
  readonly drives: readonly DriveRow[];
}

export interface NewSnapshot {
  readonly id: string;
  readonly vmId: string;
  readonly parentId: string | null;
  readonly name: string;
  readonly notes: string;
  readonly kind: SnapshotKind;
  readonly config: StoredConfig;
  readonly stateFile: string | null;
  readonly sizeBytes: number;
  readonly thumbnail: Uint8Array | null;
  readonly media: Readonly<Record<string, string>>;
  readonly drives: readonly DriveRow[];
  readonly forked?: boolean;
}

export class Registry implements Disposable {
  private readonly database: Connection;
  private readonly backup: RegistryBackup;
  private readonly nowMs: () => number;

  /** @throws NestboxError, see openRegistryDatabase */
  constructor(path: string, nowMs: () => number = () => Date.now()) {
    this.database = openRegistryDatabase(path);
    this.backup = new RegistryBackup(this.database, path);
    this.nowMs = nowMs;
  }

  dispose(): void {
    this.backup.dispose();
    this.database.close();
  }

  /** Runs several calls as one transaction. */
  transaction<T>(work: () => T): T {
    try {
      return this.database.transaction(work).immediate();
    } catch (cause) {
      throw this.explain(cause);
    }
  }

  private all(sql: string, ...values: unknown[]): Row[] {
    return this.database.prepare(sql).all(...values) as Row[];
  }

  private get(sql: string, ...values: unknown[]): Row | undefined {
    try {
      return this.database.prepare(sql).get(...values) as Row | undefined;
    } catch (cause) {
      throw this.explain(cause);
    }
  }

  private run(sql: string, ...values: unknown[]): number {
    try {
      const { changes } = this.database.prepare(sql).run(...values);
      if (changes > 0) this.backup.changed();
      return changes;
    } catch (cause) {
      throw this.explain(cause);
    }
  }

  private explain(cause: unknown): unknown {
    const text = messageOf(cause);
    if (text.includes('database or disk is full')) return new NestboxError('no-space', 'The library cannot be written: no space left on the disk', { op: 'write registry', cause });
    if (text.includes('UNIQUE constraint failed: vms.name')) return new NestboxError('bad-input', 'There is a virtual machine of that name already', { op: 'write registry', cause });
    if (text.includes('UNIQUE constraint failed: media.path')) return new NestboxError('bad-input', 'That file is in the library already', { op: 'write registry', cause });
    if (text.includes('FOREIGN KEY constraint failed')) return new NestboxError('busy', 'Something else still uses it', { op: 'write registry', cause });
    return cause;
  }

  // --- VMs -------------------------------------------------------------------------------------------------------

  /** All VMs in order of name. */
  vms(): VmRow[] {
    const tags = groupBy(this.all('SELECT vm_id, tag FROM vm_tags ORDER BY tag'), 'vm_id');
    const drives = groupBy(this.all('SELECT * FROM vm_media ORDER BY slot'), 'vm_id');
    return this.all(`SELECT ${VM_COLUMNS} FROM vms ORDER BY name COLLATE NOCASE`).map((row) => vmOf(row, tags.get(String(row.id)) ?? [], drives.get(String(row.id)) ?? []));
  }

  vm(id: string): VmRow | undefined {
    const row = this.get(`SELECT ${VM_COLUMNS} FROM vms WHERE id = ?`, id);
    if (row === undefined) return undefined;
    return vmOf(row, this.all('SELECT tag FROM vm_tags WHERE vm_id = ? ORDER BY tag', id), this.all('SELECT * FROM vm_media WHERE vm_id = ? ORDER BY slot', id));
  }

  vmByName(name: string): VmRow | undefined {
    const row = this.get('SELECT id FROM vms WHERE name = ?', name);
    return row === undefined ? undefined : this.vm(String(row.id));
  }

  /** @throws NestboxError `bad-input` when the name is taken */
  addVm(vm: NewVm): void {
    this.transaction(() => {
      const now = this.nowMs();
      this.run('INSERT INTO vms (id, name, config, notes, group_path, os_id, created_ms, changed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)', vm.id, vm.name, JSON.stringify(vm.config), vm.notes ?? '', vm.groupPath ?? '', vm.osId ?? 'unknown', now, now);
      this.setTags(vm.id, vm.tags ?? []);
      this.setDrives(vm.id, vm.drives);
    });
  }

  updateVm(id: string, change: Partial<Omit<NewVm, 'id'>>): void {
    this.transaction(() => {
      if (change.name !== undefined) this.run('UPDATE vms SET name = ? WHERE id = ?', change.name, id);
      if (change.config !== undefined) this.run('UPDATE vms SET config = ? WHERE id = ?', JSON.stringify(change.config), id);
      if (change.notes !== undefined) this.run('UPDATE vms SET notes = ? WHERE id = ?', change.notes, id);
      if (change.osId !== undefined) this.run('UPDATE vms SET os_id = ? WHERE id = ?', change.osId, id);
      if (change.groupPath !== undefined) this.run('UPDATE vms SET group_path = ? WHERE id = ?', change.groupPath, id);
      if (change.tags !== undefined) this.setTags(id, change.tags);
      if (change.drives !== undefined) this.setDrives(id, change.drives);
      if (this.run('UPDATE vms SET changed_ms = ? WHERE id = ?', this.nowMs(), id) === 0) throw new NestboxError('not-found', 'The virtual machine is not in the library', { op: 'write registry' });
    });
  }

  private setTags(id: string, tags: readonly string[]): void {
    this.run('DELETE FROM vm_tags WHERE vm_id = ?', id);
    for (const tag of tags) this.run('INSERT OR IGNORE INTO vm_tags (vm_id, tag) VALUES (?, ?)', id, tag);
  }

  private setDrives(id: string, drives: readonly DriveRow[]): void {
    this.run('DELETE FROM vm_media WHERE vm_id = ?', id);
    for (const drive of drives) {
      this.run('INSERT INTO vm_media (vm_id, slot, kind, medium_id, read_only) VALUES (?, ?, ?, ?, ?)', id, drive.slot, drive.kind, drive.mediumId, drive.readOnly ? 1 : 0);
    }
  }

  removeVm(id: string): void {
    this.transaction(() => {
      // Children refer to parents: take them all at once.
      this.run('UPDATE snapshots SET parent_id = NULL WHERE vm_id = ?', id);
      this.run('DELETE FROM vms WHERE id = ?', id);
    });
  }

  /** What a run left behind. `null` clears, a field that is left out stays. */
  noteRun(id: string, note: { startedMs?: number; lastExit?: VmExit | null; notice?: Notice | null }): void {
    const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));
    this.transaction(() => {
      if (note.startedMs !== undefined) this.run('UPDATE vms SET started_ms = ? WHERE id = ?', note.startedMs, id);
      if (note.lastExit !== undefined) this.run('UPDATE vms SET last_exit = ? WHERE id = ?', json(note.lastExit), id);
      if (note.notice !== undefined) this.run('UPDATE vms SET notice = ? WHERE id = ?', json(note.notice), id);
    });
  }

  setThumbnail(id: string, png: Uint8Array | null): void {
    this.run('UPDATE vms SET thumbnail = ? WHERE id = ?', png, id);
  }

  thumbnail(id: string): Uint8Array | undefined {
    const bytes = this.get('SELECT thumbnail FROM vms WHERE id = ?', id)?.thumbnail;
    return bytes instanceof Uint8Array ? bytes : undefined;
  }

  setCurrentSnapshot(id: string, snapshotId: string | null): void {
    this.run('UPDATE vms SET current_snapshot_id = ? WHERE id = ?', snapshotId, id);
  }

  setSavedState(id: string, snapshotId: string | null): void {
    this.run('UPDATE vms SET saved_state_id = ? WHERE id = ?', snapshotId, id);
  }

  // --- media -----------------------------------------------------------------------------------------------------

  media(): MediumRow[] {
    return this.all('SELECT * FROM media ORDER BY path').map(mediumOf);
  }

  medium(id: string): MediumRow | undefined {
    const row = this.get('SELECT * FROM media WHERE id = ?', id);
    return row === undefined ? undefined : mediumOf(row);
  }

  mediumByPath(path: string): MediumRow | undefined {
    const row = this.get('SELECT * FROM media WHERE path = ?', path);
    return row === undefined ? undefined : mediumOf(row);
  }

  addMedium(medium: Omit<MediumRow, 'createdMs'>): void {
    this.run('INSERT INTO media (id, kind, path, format, virtual_bytes, backing_id, managed, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      medium.id, medium.kind, medium.path, medium.format, medium.virtualBytes, medium.backingId, medium.managed ? 1 : 0, this.nowMs());
  }

  updateMedium(id: string, change: { path?: string; format?: MediumRow['format']; virtualBytes?: number; backingId?: string | null }): void {
    this.transaction(() => {
      if (change.path !== undefined) this.run('UPDATE media SET path = ? WHERE id = ?', change.path, id);
      if (change.format !== undefined) this.run('UPDATE media SET format = ? WHERE id = ?', change.format, id);
      if (change.virtualBytes !== undefined) this.run('UPDATE media SET virtual_bytes = ? WHERE id = ?', change.virtualBytes, id);
      if (change.backingId !== undefined) this.run('UPDATE media SET backing_id = ? WHERE id = ?', change.backingId, id);
    });
  }

  /** Everything that referred to one medium refers to another one from then on. */
  replaceMedium(id: string, by: string): void {
    this.transaction(() => {
      this.run('UPDATE vm_media SET medium_id = ? WHERE medium_id = ?', by, id);
      this.run('UPDATE snapshot_media SET medium_id = ? WHERE medium_id = ?', by, id);
      this.run('UPDATE snapshots SET drives = replace(drives, ?, ?)', id, by);
      this.run('UPDATE media SET backing_id = ? WHERE backing_id = ?', by, id);
    });
  }

  /** @throws NestboxError `busy` while a VM, a snapshot or an overlay uses it */
  removeMedium(id: string): void {
    this.run('DELETE FROM media WHERE id = ?', id);
  }

  /** Names of the VMs that have the medium in a drive or in a snapshot. */
  usersOfMedium(id: string): string[] {
    return this.all(
      `SELECT name FROM vms WHERE id IN (SELECT vm_id FROM vm_media WHERE medium_id = ?)
       OR id IN (SELECT vm_id FROM snapshots JOIN snapshot_media ON snapshot_id = snapshots.id WHERE medium_id = ?) ORDER BY name`,
      id,
      id,
    ).map((row) => String(row.name));
  }

  // --- snapshots -------------------------------------------------------------------------------------------------

  /** Files of states that some snapshot or saved state needs, of all VMs. */
  stateFiles(): string[] {
    return this.all('SELECT DISTINCT state_file FROM snapshots WHERE state_file IS NOT NULL').map((row) => String(row.state_file));
  }

  snapshots(vmId: string): SnapshotRow[] {
    const media = groupBy(this.all('SELECT snapshot_media.* FROM snapshot_media JOIN snapshots ON snapshots.id = snapshot_id WHERE vm_id = ?', vmId), 'snapshot_id');
    return this.all('SELECT * FROM snapshots WHERE vm_id = ? ORDER BY created_ms, id', vmId).map((row) => snapshotOf(row, media.get(String(row.id)) ?? []));
  }

  snapshot(id: string): SnapshotRow | undefined {
    const row = this.get('SELECT * FROM snapshots WHERE id = ?', id);
    return row === undefined ? undefined : snapshotOf(row, this.all('SELECT * FROM snapshot_media WHERE snapshot_id = ?', id));
  }

  addSnapshot(snapshot: NewSnapshot): void {
    this.transaction(() => {
      this.run('INSERT INTO snapshots (id, vm_id, parent_id, name, notes, kind, config, state_file, thumbnail, size_bytes, drives, forked, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        snapshot.id, snapshot.vmId, snapshot.parentId, snapshot.name, snapshot.notes, snapshot.kind, JSON.stringify(snapshot.config), snapshot.stateFile, snapshot.thumbnail, snapshot.sizeBytes, JSON.stringify(snapshot.drives), snapshot.forked === true ? 1 : 0, this.nowMs());
      for (const [slot, medium] of Object.entries(snapshot.media)) this.run('INSERT INTO snapshot_media (snapshot_id, slot, medium_id) VALUES (?, ?, ?)', snapshot.id, slot, medium);
    });
  }

  updateSnapshot(id: string, change: { name?: string; notes?: string; sizeBytes?: number }): void {
    this.transaction(() => {
      if (change.name !== undefined) this.run('UPDATE snapshots SET name = ? WHERE id = ?', change.name, id);
      if (change.notes !== undefined) this.run('UPDATE snapshots SET notes = ? WHERE id = ?', change.notes, id);
      if (change.sizeBytes !== undefined) this.run('UPDATE snapshots SET size_bytes = ? WHERE id = ?', change.sizeBytes, id);
    });
  }

  /** Removes a node; its children, and a present state that continued it, move to its parent. */
  removeSnapshot(id: string): void {
    this.transaction(() => {
      const parent = this.get('SELECT parent_id FROM snapshots WHERE id = ?', id)?.parent_id ?? null;
      this.run('UPDATE snapshots SET parent_id = ? WHERE parent_id = ?', parent, id);
      this.run('UPDATE vms SET current_snapshot_id = ? WHERE current_snapshot_id = ?', parent, id);
      this.run('DELETE FROM snapshots WHERE id = ?', id);
    });
  }

  snapshotThumbnail(id: string): Uint8Array | undefined {
    const bytes = this.get('SELECT thumbnail FROM snapshots WHERE id = ?', id)?.thumbnail;
    return bytes instanceof Uint8Array ? bytes : undefined;
  }

  // --- journal and settings --------------------------------------------------------------------------------------

  /** Writes an operation down before its first file is touched. @returns its number */
  beginOperation(kind: string, vmId: string | null, step: string, data: unknown): number {
    return Number(this.get('INSERT INTO operations (kind, vm_id, step, data, started_ms) VALUES (?, ?, ?, ?, ?) RETURNING id', kind, vmId, step, JSON.stringify(data), this.nowMs())?.id);
  }

  advanceOperation(id: number, step: string, data?: unknown): void {
    this.run('UPDATE operations SET step = ?, data = coalesce(?, data) WHERE id = ?', step, data === undefined ? null : JSON.stringify(data), id);
  }

  endOperation(id: number): void {
    this.run('DELETE FROM operations WHERE id = ?', id);
    this.backup.filesChanged();
  }

  /** What a crash left unfinished, oldest first. */
  operations(): OperationRow[] {
    return this.all('SELECT * FROM operations ORDER BY id').map((row) => ({
      id: Number(row.id),
      kind: String(row.kind),
      vmId: textOrNull(row.vm_id),
      step: String(row.step),
      data: JSON.parse(String(row.data)) as unknown,
      startedMs: Number(row.started_ms),
    }));
  }

  setting(name: string): unknown {
    const value = this.get('SELECT value FROM settings WHERE name = ?', name)?.value;
    return typeof value === 'string' ? (JSON.parse(value) as unknown) : undefined;
  }

  setSetting(name: string, value: unknown): void {
    this.run('INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value', name, JSON.stringify(value));
  }
}

function groupBy(rows: readonly Row[], column: string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = String(row[column]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** Remarks about the past: one that cannot be read is no reason to refuse the VM. */
function jsonOrNull<T>(text: unknown, schema: z.ZodType<T>): T | null {
  if (typeof text !== 'string') return null;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function vmOf(row: Row, tags: readonly Row[], drives: readonly Row[]): VmRow {
  return {
    id: String(row.id),
    name: String(row.name),
    config: parseConfig(String(row.name), row.config),
    notes: String(row.notes),
    groupPath: String(row.group_path),
    tags: tags.map((entry) => String(entry.tag)),
    drives: drives.map((entry) => ({
      slot: String(entry.slot),
      kind: entry.kind as DriveRow['kind'],
      mediumId: textOrNull(entry.medium_id),
      readOnly: entry.read_only === 1,
    })),
    currentSnapshotId: textOrNull(row.current_snapshot_id),
    savedStateId: textOrNull(row.saved_state_id),
    osId: String(row.os_id),
    startedMs: row.started_ms === null ? null : Number(row.started_ms),
    lastExit: jsonOrNull(row.last_exit, exitSchema),
    notice: jsonOrNull(row.notice, noticeSchema),
    hasThumbnail: row.has_thumbnail === 1,
    createdMs: Number(row.created_ms),
    changedMs: Number(row.changed_ms),
  };
}

function mediumOf(row: Row): MediumRow {
  return mediumRowSchema.parse({
    id: row.id,
    kind: row.kind,
    path: row.path,
    format: row.format,
    virtualBytes: row.virtual_bytes,
    backingId: row.backing_id,
    managed: row.managed === 1,
    createdMs: row.created_ms,
  });
}

function snapshotOf(row: Row, media: readonly Row[]): SnapshotRow {
  return {
    id: String(row.id),
    vmId: String(row.vm_id),
    parentId: textOrNull(row.parent_id),
    name: String(row.name),
    notes: String(row.notes),
    kind: row.kind as SnapshotKind,
    config: parseConfig(`snapshot ${String(row.name)}`, row.config),
    stateFile: textOrNull(row.state_file),
    drives: driveRowsSchema.parse(JSON.parse(String(row.drives))),
    forked: row.forked === 1,
    hasThumbnail: row.thumbnail !== null,
    sizeBytes: Number(row.size_bytes),
    createdMs: Number(row.created_ms),
    media: Object.fromEntries(media.map((entry) => [String(entry.slot), String(entry.medium_id)])),
  };
}
