// Ids of snapshots, their state files and disk layers: 32 hexadecimal digits, so that they can be file names.

import { randomBytes } from 'node:crypto';

export function newId(): string {
  return randomBytes(16).toString('hex');
}
