// Which VM a command means: its name, its id, or the beginning of its id.

import { NestboxError } from '../../base/errors.ts';
import type { VmSummary } from '../../protocol/library.ts';
import type { LibraryClient } from '../library-client.ts';

const ID_PREFIX_MIN = 4;

/** @throws NestboxError `not-found`, `usage` when several fit */
export async function findVm(library: LibraryClient, word: string): Promise<VmSummary> {
  const vms = await library.api.listVms();
  const exact = vms.find((vm) => vm.name === word || vm.id === word) ?? vms.find((vm) => vm.name.toLowerCase() === word.toLowerCase());
  if (exact !== undefined) return exact;
  const close = word.length >= ID_PREFIX_MIN ? vms.filter((vm) => vm.id.startsWith(word.toLowerCase())) : [];
  const [only] = close;
  if (only !== undefined && close.length === 1) return only;
  if (close.length > 1) throw new NestboxError('usage', `${JSON.stringify(word)} is the beginning of several ids: ${close.map((vm) => vm.id).join(', ')}`, { op: 'find VM' });
  throw new NestboxError('not-found', `There is no virtual machine ${JSON.stringify(word)}; "nestbox vm list" shows those that are there`, { op: 'find VM' });
}
