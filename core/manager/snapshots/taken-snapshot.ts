// The rows of a new snapshot, written when its files are complete: by the operation itself or after a crash.

import { NestboxError } from '../../base/errors.ts';
import type { TakenState } from '../../protocol/vm-messages.ts';
import type { Registry } from '../../registry/registry.ts';
import type { DriveRow } from '../../registry/rows.ts';
import type { DiskLayers } from './disk-layers.ts';
import type { TakeData } from './journal.ts';

export function mediaOf(drives: readonly DriveRow[]): Record<string, string> {
  return Object.fromEntries(drives.flatMap(({ slot, mediumId }) => (mediumId === null ? [] : [[slot, mediumId]])));
}

/** The rows of a snapshot whose files are complete. */
export function addTaken(registry: Registry, layers: DiskLayers, vmId: string, operation: number, data: TakeData, taken: TakenState | undefined): void {
  registry.transaction(() => {
    const vm = registry.vm(vmId);
    if (vm === undefined) throw new NestboxError('not-found', 'The virtual machine is not in the library', { op: 'take snapshot' });
    const saved = vm.savedStateId === null ? undefined : registry.snapshot(vm.savedStateId);
    const stateFile = data.live ? data.stateId : (saved?.stateFile ?? null);
    registry.addSnapshot({
      id: data.stateId,
      vmId,
      parentId: vm.currentSnapshotId,
      name: data.name,
      notes: data.notes,
      kind: stateFile === null ? 'offline' : 'live',
      config: vm.config,
      stateFile,
      sizeBytes: taken === undefined ? 0 : taken.stateBytes + taken.pageBytes,
      thumbnail: taken?.thumbnail ?? registry.thumbnail(vmId) ?? null,
      media: mediaOf(vm.drives),
      drives: vm.drives,
    });
    registry.updateVm(vmId, { drives: layers.adopt(data.overlays, vm.drives) });
    registry.setCurrentSnapshot(vmId, data.stateId);
    registry.endOperation(operation);
  });
}
