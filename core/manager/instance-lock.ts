// One manager a library: a lock on a file in its folder, held while the manager lives and freed by the host when it dies.
// Where the host offers no such locks, the process number in the file decides.

import { readFileSync, writeFileSync } from 'node:fs';
import { NestboxError, isNestboxError } from '../base/errors.ts';
import type { HostFile } from '../host/files/host-file.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';

function busy(path: string, pid: string): NestboxError {
  const who = pid === '' ? '' : ` (process ${pid})`;
  return new NestboxError('busy', `Another Nestbox${who} has this library open`, { op: 'open library', context: { path, code: 'library-in-use', pid } });
}

function ownerIn(path: string): string {
  try {
    return /^\d{1,10}$/.exec(readFileSync(path, 'utf8').trim())?.[0] ?? '';
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export interface LibraryLock {
  release(): Promise<void>;
}

/** @throws NestboxError `busy` (code library-in-use) when another process has it */
export async function lockLibrary(path: string): Promise<LibraryLock> {
  const before = ownerIn(path);
  writeFileSync(path, '', { flag: 'a', mode: 0o600 });
  const file = await nodeHostFiles.open(path, { readOnly: false });
  try {
    if (!(await file.lock('exclusive')) && before !== '' && Number(before) !== process.pid && isAlive(Number(before))) throw busy(path, before);
    await writeOwner(file);
  } catch (error) {
    await file.close().catch(() => undefined);
    throw isNestboxError(error) && error.kind === 'busy' ? busy(path, ownerIn(path)) : error;
  }
  return { release: () => release(file) };
}

async function writeOwner(file: HostFile): Promise<void> {
  const text = new TextEncoder().encode(`${process.pid}\n`);
  await file.truncate(0);
  await file.write(0, text);
}

async function release(file: HostFile): Promise<void> {
  await file.truncate(0).catch(() => undefined);
  await file.close().catch(() => undefined);
}
