// Whether a build step has to run: one hash over the names and contents of everything that it reads.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @param paths inside the project. @param settings what else the result depends on */
export function inputHash(root: string, paths: readonly string[], settings = ''): string {
  const hash = createHash('sha256').update(settings);
  for (const path of [...paths].sort()) hash.update(path).update('\0').update(readFileSync(join(root, path))).update('\0');
  return hash.digest('hex');
}
