// A library whose registry is damaged, brought back from the copy that is made by itself, or begun anew. The damaged file
// stays beside it, and so do all files that the new registry does not know.

import { NestboxError } from '../base/errors.ts';
import type { Notice } from '../protocol/library.ts';
import { MIGRATIONS } from '../registry/migrations.ts';
import { newestBackup, replaceRegistry } from '../registry/registry-backup.ts';
import { lockLibrary } from './instance-lock.ts';
import { libraryFolder } from './library-folder.ts';
import { notice } from './notices.ts';

/** @throws NestboxError `busy`, `not-found` (no copy can be used); nothing has been changed then */
export async function recoverLibrary(root: string, from: 'backup' | 'nothing'): Promise<Notice> {
  const folder = libraryFolder(root);
  const lock = await lockLibrary(folder.lock);
  try {
    const backup = from === 'backup' ? newestBackup(folder.registry, MIGRATIONS.length) : undefined;
    if (from === 'backup' && backup === undefined) throw new NestboxError('not-found', 'There is no copy of the registry that can be read', { op: 'restore registry', context: { code: 'no-registry-backup' } });
    const damaged = replaceRegistry(folder.registry, backup?.path, new Date());
    return notice(backup === undefined ? 'registry-new' : 'registry-restored', { damaged, folder: root });
  } finally {
    await lock.release();
  }
}
