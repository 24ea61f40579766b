// The part of ManagerApi that is about saved states and snapshots: each call has its VM for itself, runs as a task, and is
// handed to SnapshotOperations.

import type { FieldProblem } from '../protocol/library.ts';
import type { ManagerApi } from '../protocol/manager-api.ts';
import type { Registry } from '../registry/registry.ts';
import type { Library } from './library.ts';
import { requireNoErrors } from './library.ts';
import { problem, refusal } from './notices.ts';
import type { Power } from './power.ts';
import type { SnapshotOperations, WorkOptions } from './snapshots/snapshot-operations.ts';
import type { TaskContext, Tasks } from './tasks.ts';
import { NOTES_CHARACTERS_MAX } from './validate.ts';

export type SnapshotCalls =
  | 'saveVmState' | 'discardSavedState' | 'snapshots' | 'snapshotThumbnail' | 'takeSnapshot' | 'changeSnapshot'
  | 'restoreSnapshot' | 'deleteSnapshot' | 'forkVm' | 'diffSnapshots';

/** Asked for at each call: the manager makes its parts one after the other. */
export interface SnapshotApiParts {
  operations(): SnapshotOperations | undefined;
  registry(): Registry;
  tasks(): Tasks;
  power(): Power;
  library(): Library;
}

const NAME_CHARACTERS_MAX = 200;

function checkLabels(labels: { readonly name?: string | undefined; readonly notes?: string | undefined }): void {
  const problems: FieldProblem[] = [];
  const { name, notes } = labels;
  if (name !== undefined && name.trim() === '') problems.push(problem('name', 'snapshot-name-empty'));
  if (name !== undefined && [...name].length > NAME_CHARACTERS_MAX) problems.push(problem('name', 'name-too-long', { length: [...name].length, max: NAME_CHARACTERS_MAX }));
  if (notes !== undefined && notes.length > NOTES_CHARACTERS_MAX) problems.push(problem('notes', 'notes-too-long', { max: NOTES_CHARACTERS_MAX }));
  requireNoErrors(problems);
}

function work(task: TaskContext): WorkOptions {
  return { signal: task.signal, onProgress: (fraction) => task.progress(fraction) };
}

export function snapshotApi(parts: SnapshotApiParts): Pick<ManagerApi, SnapshotCalls> {
  const present = (what: string): SnapshotOperations => {
    const operations = parts.operations();
    if (operations === undefined) throw refusal('unsupported', 'not-landed', { what });
    return operations;
  };
  const vmOf = (snapshotId: string): string => {
    const row = parts.registry().snapshot(snapshotId);
    if (row === undefined) throw refusal('not-found', 'snapshot-unknown');
    return row.vmId;
  };
  /** A task that has the VM for itself. */
  const onVm = <T>(kind: string, vmId: string, options: { readonly taskId?: string } | undefined, run: (task: TaskContext) => Promise<T>): Promise<T> =>
    parts.power().exclusive(vmId, () => parts.tasks().run(kind, { taskId: options?.taskId, vmId }, run));

  return {
    saveVmState: async (id, options) => {
      const operations = present('Saving the state');
      await onVm('save-state', id, options, async (task) => {
        const vm = parts.power().requireRunning(id);
        const before = vm.powerState;
        vm.setState('saving');
        try {
          await operations.saveVmState(id, work(task));
        } catch (error) {
          // The machine goes on as it was, if it still does.
          if (vm.powerState === 'saving') vm.setState(before);
          throw error;
        }
      });
      parts.library().changed(id);
    },
    discardSavedState: async (id) => {
      await parts.power().exclusive(id, () => present('Discarding a saved state').discardSavedState(id));
      parts.library().changed(id);
    },
    snapshots: async (id) => parts.operations()?.snapshots(parts.library().row(id).id) ?? [],
    snapshotThumbnail: async (snapshotId) => parts.operations()?.snapshotThumbnail(snapshotId),
    takeSnapshot: async (id, options) => {
      const operations = present('Taking snapshots');
      const { name, notes, taskId } = options;
      checkLabels({ name, notes });
      return onVm('take-snapshot', id, taskId === undefined ? {} : { taskId }, (task) => operations.takeSnapshot(id, { name, ...(notes === undefined ? {} : { notes }), ...work(task) }));
    },
    changeSnapshot: async (snapshotId, change) => {
      const operations = present('Changing snapshots');
      checkLabels(change);
      return parts.power().exclusive(vmOf(snapshotId), async () => operations.changeSnapshot(snapshotId, change));
    },
    restoreSnapshot: async (id, snapshotId, options) => {
      const operations = present('Restoring snapshots');
      const { keepPresent, taskId } = options;
      checkLabels({ name: keepPresent });
      await onVm('restore-snapshot', id, taskId === undefined ? {} : { taskId }, (task) => operations.restoreSnapshot(id, snapshotId, { ...(keepPresent === undefined ? {} : { keepPresent }), ...work(task) }));
      parts.library().changed(id);
    },
    deleteSnapshot: async (snapshotId, options) => {
      const operations = present('Deleting snapshots');
      await onVm('delete-snapshot', vmOf(snapshotId), options, (task) => operations.deleteSnapshot(snapshotId, work(task)));
    },
    forkVm: async (id, options) => {
      const operations = present('Forking');
      const { name, snapshotId, taskId } = options;
      requireNoErrors(parts.library().nameProblems(name));
      const copy = await onVm('fork-vm', id, taskId === undefined ? {} : { taskId }, (task) => operations.forkVm(id, { name, ...(snapshotId === undefined ? {} : { snapshotId }), ...work(task) }));
      parts.library().changed(copy);
      return parts.library().detail(copy);
    },
    diffSnapshots: async (id, from, to, options) => {
      const operations = present('Comparing snapshots');
      return parts.tasks().run('diff-snapshots', { taskId: options?.taskId, vmId: id }, (task) => operations.diffSnapshots(id, from, to, work(task)));
    },
  };
}
