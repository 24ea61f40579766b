// Opens the registry database: checks it, keeps a copy before changing its schema, and brings the schema up to date in
// one transaction. A file that is damaged or from a newer version is refused and left untouched.

import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { NestboxError, messageOf } from '../base/errors.ts';
import { MIGRATIONS } from './migrations.ts';
import { copyRegistry, newestBackup } from './registry-backup.ts';

export type Connection = Database.Database;

const OP = 'open registry';
const BUSY_TIMEOUT_MS = 3000;

type RefusalCode = 'registry-damaged' | 'registry-newer' | 'registry-busy' | 'registry-unwritable';

/** `code` names the sentence that a window has for it. */
function refuse(kind: 'bad-input' | 'unsupported' | 'busy' | 'permission', code: RefusalCode, path: string, message: string, cause?: unknown, more: Readonly<Record<string, number>> = {}): NestboxError {
  return new NestboxError(kind, message, { op: OP, context: { path, code, message: messageOf(cause ?? '').replaceAll('\n', ' '), ...more }, cause });
}

/**
 * @param path database file; made when missing
 * @throws NestboxError `bad-input` (damaged or not a registry), `unsupported` (newer version), `busy`, `permission`
 */
export function openRegistryDatabase(path: string): Connection {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const existed = existsSync(path);
  let database: Connection;
  try {
    database = new Database(path, { timeout: BUSY_TIMEOUT_MS });
    // For its owner only; SQLite gives the files beside it the same permissions.
    if (!existed) chmodSync(path, 0o600);
  } catch (cause) {
    throw refuse('permission', 'registry-unwritable', path, `The registry ${path} cannot be opened: ${messageOf(cause)}`, cause);
  }
  try {
    check(database, path, existed);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    migrate(database, path, existed);
    return database;
  } catch (error) {
    database.close();
    throw error instanceof NestboxError ? error : sqliteError(error, path);
  }
}

function sqliteError(error: unknown, path: string): NestboxError {
  const code = error instanceof Database.SqliteError ? error.code : '';
  if (code === 'SQLITE_BUSY' || code === 'SQLITE_LOCKED') return refuse('busy', 'registry-busy', path, `The registry ${path} is in use by another program`, error);
  if (code === 'SQLITE_READONLY' || code === 'SQLITE_CANTOPEN') {
    return refuse('permission', 'registry-unwritable', path, `The registry ${path} cannot be written: ${messageOf(error)}`, error);
  }
  return refuse('bad-input', 'registry-damaged', path, `The registry ${path} is damaged: ${messageOf(error).replaceAll('\n', ' ')}. Restore the newest copy beside it (${path}.backup-*), or move it away to start with an empty one`, error, backupOf(path));
}

/** What a window can offer. */
function backupOf(path: string): Readonly<Record<string, number>> {
  const backup = newestBackup(path, MIGRATIONS.length);
  return backup === undefined ? {} : { backupMs: backup.madeMs, backupVms: backup.vms };
}

/** Refuses before anything is written. */
function check(database: Connection, path: string, existed: boolean): void {
  if (!existed) return;
  const result = database.pragma('quick_check(1)', { simple: true });
  if (result !== 'ok') throw sqliteError(new Error(String(result)), path);
  const violations = database.pragma('foreign_key_check') as unknown[];
  if (violations.length > 0) throw sqliteError(new Error(`${violations.length} references lead nowhere`), path);
  const version = userVersion(database);
  if (version > MIGRATIONS.length) {
    throw refuse('unsupported', 'registry-newer', path, `The registry ${path} was written by a newer Nestbox (version ${version}, this one knows ${MIGRATIONS.length}). Update Nestbox; the file was not changed`);
  }
}

function userVersion(database: Connection): number {
  return Number(database.pragma('user_version', { simple: true }));
}

function migrate(database: Connection, path: string, existed: boolean): void {
  const from = userVersion(database);
  if (from === MIGRATIONS.length) return;
  if (existed && from > 0) copyRegistry(database, `${path}.backup-v${from}`);
  database.transaction(() => {
    for (const step of MIGRATIONS.slice(from)) database.exec(step);
    database.pragma(`user_version = ${MIGRATIONS.length}`);
  })();
}
