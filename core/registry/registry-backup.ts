// Copies of the registry that are made by themselves, and the way back to one of them. A copy is a whole database of one
// instant. It is older than the files around it when it is used: it tells so, and files that it does not know are kept then.

import { copyFileSync, existsSync, linkSync, openSync, closeSync, fsyncSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';

/** Setting of a registry that does not know all files of its library. */
export const IS_OLDER_THAN_FILES = 'olderThanFiles';

/** A copy follows a change soon, so that little is missing in it, but not every change: it is the whole database each time. */
const DELAY_MS = 5000;
const INTERVAL_MS = 60_000;

const latestBackup = (path: string): string => `${path}.backup-latest`;

/**
 * A consistent copy, also while the database is in use; takes the place of an earlier one at once.
 * @param database may have any version of the schema
 */
export function copyRegistry(database: Database.Database, target: string): void {
  const partial = `${target}.partial`;
  rmSync(partial, { force: true });
  try {
    database.prepare('VACUUM INTO ?').run(partial);
    const copy = new Database(partial);
    try {
      // Operations that are under way now will have ended, in whatever way, when this copy is used.
      copy.exec('DELETE FROM operations');
      copy.prepare("INSERT INTO settings (name, value) VALUES (?, 'true') ON CONFLICT (name) DO UPDATE SET value = excluded.value").run(IS_OLDER_THAN_FILES);
    } finally {
      copy.close();
    }
    renameSync(partial, target);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

/** Keeps the newest copy beside the registry up to date. */
export class RegistryBackup {
  private readonly database: Database.Database;
  private readonly target: string;
  private timer: NodeJS.Timeout | undefined;
  private isChanged = false;
  private madeMs = -Infinity;

  constructor(database: Database.Database, path: string) {
    this.database = database;
    this.target = latestBackup(path);
    if (!existsSync(this.target)) this.changed();
  }

  changed(): void {
    this.isChanged = true;
    this.makeAfter(Math.max(DELAY_MS, this.madeMs + INTERVAL_MS - performance.now()));
  }

  /**
   * The library's files have become others (a snapshot, a copy, a deletion): a machine that is started with an older registry would
   * write to disks that newer layers stand on. The copy follows as soon as the running transaction has ended.
   */
  filesChanged(): void {
    this.isChanged = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.makeAfter(0);
  }

  private makeAfter(ms: number): void {
    this.timer ??= setTimeout(() => this.make(), ms).unref();
  }

  /** A copy that cannot be made (no space, a damaged page) leaves the earlier one; the next change tries again. */
  private make(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.isChanged) return;
    this.isChanged = false;
    this.madeMs = performance.now();
    try {
      copyRegistry(this.database, this.target);
    } catch {
      this.isChanged = true;
    }
  }

  /** Before the database is closed. */
  dispose(): void {
    this.make();
    clearTimeout(this.timer);
  }
}

export interface FoundBackup {
  readonly path: string;
  /** When it was made, milliseconds since 1970. */
  readonly madeMs: number;
  readonly vms: number;
}

/** The newest whole copy beside the registry that this version can read. @param versionMax of the schema */
export function newestBackup(path: string, versionMax: number): FoundBackup | undefined {
  const name = `${basename(path)}.backup-`;
  const found = readdirSync(dirname(path))
    .filter((entry) => entry.startsWith(name) && !/-(wal|shm|journal)$|\.partial$/.test(entry))
    .map((entry) => join(dirname(path), entry))
    .map((entry) => ({ path: entry, madeMs: Math.round(statSync(entry).mtimeMs) }))
    .sort((a, b) => b.madeMs - a.madeMs);
  for (const backup of found) {
    try {
      const database = new Database(backup.path, { readonly: true });
      try {
        if (database.pragma('quick_check(1)', { simple: true }) !== 'ok' || Number(database.pragma('user_version', { simple: true })) > versionMax) continue;
        const { count } = database.prepare('SELECT count(*) AS count FROM vms').get() as { count: number };
        return { ...backup, vms: count };
      } finally {
        database.close();
      }
    } catch {
      // Not a database, or damaged too: an older one may do.
    }
  }
  return undefined;
}

/**
 * Puts the registry aside under a name of its own (with its write-ahead log) and a copy in its place, or nothing. A crash at
 * any point leaves the damaged registry or the copy in its place, and nothing is deleted.
 * @returns name of the file that the damaged registry has now
 */
export function replaceRegistry(path: string, backup: string | undefined, now: Date): string {
  const aside = `${path}.damaged-${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
  const coming = `${path}.restoring`;
  rmSync(coming, { force: true });
  if (backup !== undefined) {
    copyFileSync(backup, coming);
    sync(coming);
  }
  // A log that stayed would be played into the copy.
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`);
  rmSync(`${path}-shm`, { force: true });
  if (backup === undefined) renameSync(path, aside);
  else {
    keepUnder(path, aside);
    renameSync(coming, path);
  }
  return basename(aside);
}

/** A second name for it, where the file system has such; without, the registry is missing for a moment. */
function keepUnder(path: string, aside: string): void {
  try {
    linkSync(path, aside);
  } catch {
    renameSync(path, aside);
  }
}

function sync(path: string): void {
  const file = openSync(path, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
