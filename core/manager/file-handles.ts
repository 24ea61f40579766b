// Opaque names for files that a user has chosen. Windows only ever hold these; paths stay here.

import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import type { FileHandle } from '../protocol/library.ts';
import { refusal } from './notices.ts';

/** The oldest ones go when there are more. */
const HANDLES_MAX = 20_000;

export class FileHandles {
  private readonly byHandle = new Map<FileHandle, string>();
  private readonly byPath = new Map<string, FileHandle>();

  /** The handle of a path; the same one for the same path while it is remembered. */
  grant(path: string): FileHandle {
    const absolute = resolve(path);
    const known = this.byPath.get(absolute);
    if (known !== undefined) return known;
    const handle = `file-${randomUUID()}`;
    this.byHandle.set(handle, absolute);
    this.byPath.set(absolute, handle);
    if (this.byHandle.size > HANDLES_MAX) {
      const [oldest, path] = this.byHandle.entries().next().value ?? [];
      if (oldest !== undefined && path !== undefined) {
        this.byHandle.delete(oldest);
        this.byPath.delete(path);
      }
    }
    return handle;
  }

  find(handle: FileHandle): string | undefined {
    return this.byHandle.get(handle);
  }

  /** @throws NestboxError `not-found` */
  path(handle: FileHandle): string {
    const path = this.byHandle.get(handle);
    if (path === undefined) throw refusal('not-found', 'file-gone');
    return path;
  }
}
