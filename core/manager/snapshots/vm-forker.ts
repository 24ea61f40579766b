// Forks: a second VM that goes on from the first one's live state, or from a snapshot's, with overlays of its own over the
// same disks. Memory of a running VM goes through a handover file (core/state-store/handover.ts).

import { randomUUID } from 'node:crypto';
import { NestboxError, throwIfCancelled } from '../../base/errors.ts';
import type { HostFiles } from '../../host/files/host-file.ts';
import type { VmCommands } from '../../protocol/vm-messages.ts';
import type { Registry } from '../../registry/registry.ts';
import type { DriveRow, SnapshotRow, VmRow } from '../../registry/rows.ts';
import { failHandover } from '../../state-store/handover.ts';
import type { StateStore } from '../../state-store/state-store.ts';
import { withNewIdentity } from '../identity.ts';
import type { DiskLayers, PlannedOverlay } from './disk-layers.ts';
import { newId } from './ids.ts';
import type { VmControl, WorkOptions } from './snapshot-operations.ts';
import type { StatePins } from './state-pins.ts';

export type ForkOptions = { readonly name: string; readonly snapshotId?: string | undefined } & WorkOptions;

export interface VmForkerOptions {
  readonly registry: Registry;
  readonly files: HostFiles;
  readonly control: VmControl;
  readonly layers: DiskLayers;
  readonly store: StateStore;
  readonly pins: StatePins;
  /** Removes what was made for an operation, and ends it. */
  readonly undoOverlays: (operation: number, overlays: readonly PlannedOverlay[]) => Promise<void>;
  /** The instant did not come about, or not as a whole: the VM's disks are told apart, the operation ends. */
  readonly instantFailed: (vmId: string, operation: number, overlays: readonly PlannedOverlay[], error: unknown) => Promise<void>;
  /** Merges layers that nobody needs by themselves. */
  readonly tidy: () => Promise<unknown>;
}

export class VmForker {
  private readonly options: VmForkerOptions;
  private readonly registry: Registry;
  private readonly files: HostFiles;
  private readonly control: VmControl;
  private readonly layers: DiskLayers;
  private readonly store: StateStore;
  private readonly pins: StatePins;
  /** Forked VMs that have not started yet, and where their memory comes from. */
  private readonly forks = new Map<string, string>();

  constructor(options: VmForkerOptions) {
    this.options = options;
    this.registry = options.registry;
    this.files = options.files;
    this.control = options.control;
    this.layers = options.layers;
    this.store = options.store;
    this.pins = options.pins;
  }

  /** Where the memory of a forked VM that starts for the first time comes from. */
  memoryOf(vmId: string): string | undefined {
    return this.forks.get(vmId);
  }

  /** @param from undefined: the live or present state. @returns the second VM's id */
  async fork(vm: VmRow, from: SnapshotRow | undefined, options: ForkOptions): Promise<string> {
    const newVmId = randomUUID();
    const vmId = vm.id;
    if (from !== undefined && from.vmId !== vmId) throw new NestboxError('usage', 'That snapshot belongs to another virtual machine', { op: 'fork' });
    if (this.registry.vmByName(options.name) !== undefined) throw new NestboxError('bad-input', 'There is a virtual machine of that name already', { op: 'fork', context: { code: 'name-taken' } });
    const commands = from === undefined ? this.control.commands(vmId) : undefined;
    if (commands !== undefined || from?.kind === 'live') this.control.prepareStart?.();
    const drives = from?.drives ?? vm.drives;
    const own = from === undefined ? this.layers.plan(drives, this.control.diskFolder(vmId)) : [];
    const others = this.layers.plan(drives, this.control.diskFolder(vmId));
    const stateId = newId();
    const operation = this.registry.beginOperation('fork-vm', vmId, 'files', { stateId, own, others });
    try {
      await this.layers.make([...own, ...others]);
    } catch (error) {
      await this.options.undoOverlays(operation, [...own, ...others]);
      throw error;
    }
    this.registry.advanceOperation(operation, 'switch');
    if (commands !== undefined) await this.handOver(vmId, commands, { stateId, own, others, operation }, options);
    const saved = from ?? (vm.savedStateId === null ? undefined : this.registry.snapshot(vm.savedStateId));
    const stateFile = commands !== undefined ? null : (saved?.stateFile ?? null);
    this.registry.transaction(() => {
      if (own.length > 0) this.registry.updateVm(vmId, { drives: this.layers.adopt(own, vm.drives) });
      const config = withNewIdentity(this.registry, from?.config ?? vm.config);
      this.registry.addVm({ id: newVmId, name: options.name, config, osId: vm.osId, notes: vm.notes, groupPath: vm.groupPath, tags: vm.tags, drives: this.layers.adopt(others, sharedReadOnly(drives)) });
      if (stateFile !== null) {
        const id = newId();
        this.registry.addSnapshot({ id, vmId: newVmId, parentId: null, name: 'Saved state', notes: '', kind: 'saved', config, stateFile, sizeBytes: 0, thumbnail: null, media: {}, drives: [], forked: true });
        this.registry.setSavedState(newVmId, id);
      }
      this.registry.endOperation(operation);
    });
    this.control.changed(newVmId);
    if (commands !== undefined) await this.startFork(newVmId, stateId);
    else if (from?.kind === 'live') await this.control.start(newVmId);
    return newVmId;
  }

  /** The instant of a fork: from then on the VM's disks are its own overlays, and its memory goes to a file. */
  private async handOver(
    vmId: string,
    commands: VmCommands,
    fork: { readonly stateId: string; readonly own: readonly PlannedOverlay[]; readonly others: readonly PlannedOverlay[]; readonly operation: number },
    options: WorkOptions,
  ): Promise<void> {
    const { stateId } = fork;
    const cancel = (): void => void commands.cancelTakeState().catch(() => undefined);
    options.signal?.addEventListener('abort', cancel);
    this.pins.pin(stateId);
    try {
      throwIfCancelled(options.signal, 'fork');
      await commands.handOver({ folder: this.store.folder, id: stateId, overlays: fork.own.map(({ slot, path }) => ({ slot, path })) });
    } catch (error) {
      this.pins.unpin(stateId);
      await this.layers.remove(fork.others);
      await this.options.instantFailed(vmId, fork.operation, fork.own, error);
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', cancel);
    }
    const over = commands.handedOver().catch(() => this.tellFork(stateId));
    this.pins.unpinWhen(over, stateId);
  }

  /** The machine that hands over its memory is gone: whoever waits for some of it must not wait for ever. */
  private async tellFork(stateId: string): Promise<void> {
    const file = await this.files.open(this.store.handoverPath(stateId), { readOnly: false });
    try {
      await failHandover(file);
    } finally {
      await file.close();
    }
  }

  /** A fork that cannot start is none: its memory is nowhere else. */
  private async startFork(vmId: string, stateId: string): Promise<void> {
    this.forks.set(vmId, stateId);
    try {
      await this.control.start(vmId);
    } catch (error) {
      this.registry.removeVm(vmId);
      this.control.removed?.(vmId);
      await this.options.tidy();
      throw error;
    } finally {
      this.forks.delete(vmId);
    }
  }
}

/** Floppies cannot have overlays: two machines may only read the same one. */
function sharedReadOnly(drives: readonly DriveRow[]): DriveRow[] {
  return drives.map((drive) => (drive.kind === 'floppy' ? { ...drive, readOnly: true } : drive));
}
