// After a crash: every operation of the journal is finished or undone. All of it may be interrupted again.

import { isNestboxError } from '../../base/errors.ts';
import type { Registry } from '../../registry/registry.ts';
import type { OperationRow } from '../../registry/rows.ts';
import type { StateStore } from '../../state-store/state-store.ts';
import type { DiskLayers, PlannedOverlay } from './disk-layers.ts';
import { forkSchema, keepSchema, mergeSchema, overlaysSchema, takeSchema } from './journal.ts';
import type { RecoveryNotice } from './snapshot-operations.ts';
import { addTaken } from './taken-snapshot.ts';

export interface RecoverParts {
  readonly registry: Registry;
  readonly layers: DiskLayers;
  readonly store: StateStore;
}

const SENTENCES = {
  'snapshot-finished': 'Nestbox was interrupted while it took the snapshot {name}; it is complete',
  'snapshot-undone': 'Nestbox was interrupted while it {what}; that has been undone',
  'orphans-removed': 'Files that an interrupted operation left behind have been removed',
} as const;

function told(code: keyof typeof SENTENCES, params: Readonly<Record<string, string>>): RecoveryNotice {
  return { code, text: SENTENCES[code].replaceAll(/\{(\w+)\}/g, (whole, name: string) => params[name] ?? whole), params };
}

export async function recoverOperations(parts: RecoverParts): Promise<RecoveryNotice[]> {
  const notices: RecoveryNotice[] = [];
  for (const operation of parts.registry.operations()) {
    const notice = await recoverOne(parts, operation);
    if (notice !== undefined) notices.push(notice);
  }
  return notices;
}

async function recoverOne(parts: RecoverParts, operation: OperationRow): Promise<RecoveryNotice | undefined> {
  const { registry, layers } = parts;
  switch (operation.kind) {
    case 'take-snapshot':
      return recoverTake(parts, operation);
    case 'fork-vm': {
      const { own, others } = forkSchema.parse(operation.data);
      await layers.remove(others);
      await keepOrRemove(parts, operation, own);
      return told('snapshot-undone', { what: 'forked a virtual machine' });
    }
    case 'restore-snapshot':
    case 'save-state': {
      await layers.remove(overlaysSchema.parse(operation.data).overlays);
      registry.endOperation(operation.id);
      return told('snapshot-undone', { what: operation.kind === 'save-state' ? 'saved the state of a virtual machine' : 'restored a snapshot' });
    }
    case 'merge-disks':
      await layers.recoverMerge(operation, mergeSchema.parse(operation.data));
      return undefined;
    case 'keep-disk': {
      const { mediumId, to } = keepSchema.parse(operation.data);
      if (await layers.exists(to)) registry.updateMedium(mediumId, { path: to });
      registry.endOperation(operation.id);
      return undefined;
    }
    default:
      return undefined;
  }
}

async function recoverTake(parts: RecoverParts, operation: OperationRow): Promise<RecoveryNotice> {
  const { registry, layers, store } = parts;
  const data = takeSchema.parse(operation.data);
  const undone = told('snapshot-undone', { what: `took the snapshot ${data.name}` });
  const { vmId } = operation;
  if (vmId === null || registry.vm(vmId) === undefined || operation.step !== 'switch') {
    await layers.remove(data.overlays);
    registry.endOperation(operation.id);
    return undone;
  }
  if (!data.live || (await isWhole(store, data.stateId))) {
    addTaken(registry, layers, vmId, operation.id, data, undefined);
    return told('snapshot-finished', { name: data.name });
  }
  await keepOrRemove(parts, operation, data.overlays);
  return undone;
}

/** Overlays that a guest may have written to stay its disks; others go. */
async function keepOrRemove({ registry, layers }: RecoverParts, operation: OperationRow, overlays: readonly PlannedOverlay[]): Promise<void> {
  const { vmId } = operation;
  const vm = vmId === null ? undefined : registry.vm(vmId);
  if (operation.step !== 'switch' || vm === undefined) {
    await layers.remove(overlays);
    registry.endOperation(operation.id);
    return;
  }
  registry.transaction(() => {
    registry.updateVm(vm.id, { drives: layers.adopt(overlays, vm.drives) });
    registry.endOperation(operation.id);
  });
}

async function isWhole(store: StateStore, id: string): Promise<boolean> {
  try {
    await (await store.open(id)).close();
    return true;
  } catch (error) {
    if (isNestboxError(error)) return false;
    throw error;
  }
}
