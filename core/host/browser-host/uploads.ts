// Files that are dropped on a browser window: streamed into the library's inbox, with a limit, free space kept, and
// progress. A broken or cancelled upload leaves nothing.

import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, statfs } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { randomUUID } from 'node:crypto';
import { extname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { NestboxError, messageOf } from '../../base/errors.ts';
import { safeFileName } from '../../manager/file-names.ts';
import type { TaskContext } from '../../manager/tasks.ts';
import { DISK_RESERVE_BYTES, UPLOAD_BYTES_MAX, UPLOAD_NAME_CHARACTERS } from './limits.ts';

/** @returns a plain file name, or undefined when the header is missing or not readable */
export function uploadName(header: string | undefined): string | undefined {
  if (header === undefined || header.length > UPLOAD_NAME_CHARACTERS * 12) return undefined;
  let decoded: string;
  try {
    decoded = decodeURIComponent(header);
  } catch {
    return undefined;
  }
  if (decoded === '' || decoded.length > UPLOAD_NAME_CHARACTERS) return undefined;
  const last = decoded.split(/[/\\]/).at(-1) ?? '';
  const extension = extname(last);
  const suffix = /^\.[A-Za-z0-9]{1,10}$/.test(extension) ? extension : '';
  return `${safeFileName(last.slice(0, last.length - suffix.length))}${suffix}`;
}

/**
 * @param declaredBytes Content-Length; the body must have exactly as many
 * @returns the path of the complete file
 * @throws NestboxError `usage`, `no-space`, `cancelled`, `io`
 */
export async function receiveUpload(request: IncomingMessage, inbox: string, name: string, declaredBytes: number, task: TaskContext): Promise<string> {
  if (declaredBytes > UPLOAD_BYTES_MAX) throw new NestboxError('usage', `${name} is too large to be uploaded`, { op: 'upload' });
  const space = await statfs(inbox);
  if (space.bavail * space.bsize < declaredBytes + DISK_RESERVE_BYTES) {
    throw new NestboxError('no-space', `The host's disk has no room for ${name}`, { op: 'upload', context: { code: 'upload-space' } });
  }
  const folder = join(inbox, randomUUID());
  await mkdir(folder, { mode: 0o700 });
  const partial = join(folder, `${name}.partial`);
  const path = join(folder, name);
  let received = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      task.progress(declaredBytes === 0 ? 1 : received / declaredBytes, name);
      done(received > declaredBytes ? new NestboxError('usage', 'The upload is longer than it said', { op: 'upload' }) : null, chunk);
    },
  });
  try {
    await pipeline(request, count, createWriteStream(partial, { mode: 0o600, flags: 'wx' }), { signal: task.signal });
    if (received !== declaredBytes) throw new NestboxError('io', 'The upload was cut short', { op: 'upload' });
    await rename(partial, path);
    return path;
  } catch (error) {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    if (task.signal.aborted) throw new NestboxError('cancelled', 'The upload was cancelled', { op: 'upload', cause: error });
    if (error instanceof NestboxError) throw error;
    const full = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
    throw new NestboxError(full ? 'no-space' : 'io', full ? `The host's disk is full: ${name} was not uploaded` : `The upload failed: ${messageOf(error)}`, { op: 'upload', cause: error });
  }
}
