// Snapshots of VMs: a tree of nodes with disks, and memory where the VM was running; saved states and forks by the same
// means. Each operation stands in the journal before its first file; rows change in one transaction when the files are on
// stable storage. Operations run one after another.

import { join } from 'node:path';
import { NestboxError, throwIfCancelled } from '../../base/errors.ts';
import type { HostFiles } from '../../host/files/host-file.ts';
import { nodeHostFiles } from '../../host/files/node-host-files.ts';
import type { SnapshotDifference, SnapshotNode } from '../../protocol/snapshots.ts';
import type { VmConfigInput } from '../../protocol/vm-config.ts';
import type { TakenState, VmCommands } from '../../protocol/vm-messages.ts';
import type { Registry } from '../../registry/registry.ts';
import type { MediumRow, SnapshotRow, VmRow } from '../../registry/rows.ts';
import { StateStore } from '../../state-store/state-store.ts';
import { mediaConfig } from '../drives.ts';
import { withNewGeneration } from '../identity.ts';
import { DiskLayers, type LiveDrive, type PlannedOverlay, isLayer } from './disk-layers.ts';
import { keepUnknownFiles } from './kept-files.ts';
import { newId } from './ids.ts';
import type { TakeData } from './journal.ts';
import { addTaken, mediaOf } from './taken-snapshot.ts';
import { recoverOperations } from './recover.ts';
import { compareStates } from './state-difference.ts';
import { compareDisks } from './disk-difference.ts';
import type { RecoveryNotice, SnapshotOperations, VmControl, WorkOptions } from './snapshot-operations.ts';
import { StatePins } from './state-pins.ts';
import { type ForkOptions, VmForker } from './vm-forker.ts';

/** Ancestors whose pages a new state may refer to. */
const RELATIVES_MAX = 4;

export interface SnapshotServiceOptions {
  readonly registry: Registry;
  readonly files: HostFiles;
  /** Where state files are. */
  readonly stateFolder: string;
  readonly control: VmControl;
}

export class SnapshotService implements SnapshotOperations {
  private readonly registry: Registry;
  private readonly files: HostFiles;
  private readonly control: VmControl;
  private readonly layers: DiskLayers;
  private readonly store: StateStore;
  private readonly pins: StatePins;
  private readonly forker: VmForker;
  private tail: Promise<unknown> = Promise.resolve();
  private readonly watchers = new Map<string, (fraction: number) => void>();

  constructor(options: SnapshotServiceOptions) {
    this.registry = options.registry;
    this.files = options.files;
    this.control = options.control;
    this.layers = new DiskLayers(options.registry, options.files);
    this.store = new StateStore(options.files, options.stateFolder);
    this.pins = new StatePins(options.registry, this.store, (work) => this.alone(work));
    this.forker = new VmForker({
      ...options,
      layers: this.layers,
      store: this.store,
      pins: this.pins,
      undoOverlays: (operation, overlays) => this.undoOverlays(operation, overlays),
      instantFailed: (vmId, operation, overlays, error) => this.takeFailed(vmId, operation, overlays, error),
      tidy: () => this.tidy({}),
    });
  }

  // --- start and end ---------------------------------------------------------------------------------------------

  /** Once at the start, before any VM runs: finishes or undoes what a crash interrupted, removes orphan files. */
  async recover(): Promise<readonly RecoveryNotice[]> {
    return this.alone(async () => {
      await this.files.makeFolder(this.store.folder);
      const folders = new Set(['', ...this.registry.vms().map(({ id }) => id)].map((id) => this.control.diskFolder(id)));
      await keepUnknownFiles(this.registry, this.store, this.files, folders);
      const notices = await recoverOperations({ registry: this.registry, layers: this.layers, store: this.store });
      await this.pins.sweep();
      await this.tidy({});
      await this.layers.removeOrphans(folders);
      return notices;
    });
  }

  /** Instead of `commands.start(config)`: continues the saved state when the VM has one. */
  async startMachine(vmId: string, commands: VmCommands, config: VmConfigInput): Promise<{ readonly continued: boolean }> {
    const live = this.forker.memoryOf(vmId);
    if (live !== undefined) {
      await commands.startFromState(config, { folder: this.store.folder, id: live, newGeneration: true, live: true });
      this.pins.pin(live);
      await commands.resume();
      this.pins.unpinWhen(commands.memoryLoaded(), live);
      return { continued: true };
    }
    const saved = this.savedState(vmId);
    if (saved?.stateFile == null) {
      await commands.start(config);
      return { continued: false };
    }
    const id = saved.stateFile;
    await commands.startFromState(config, { folder: this.store.folder, id, newGeneration: saved.kind !== 'saved' || saved.forked });
    // The guest has not run yet. From its first instruction on the disks are ahead of the state: it must not be used again.
    this.pins.pin(id);
    this.registry.transaction(() => {
      this.registry.setSavedState(vmId, null);
      if (saved.kind === 'saved') this.registry.removeSnapshot(saved.id);
    });
    await commands.resume();
    this.pins.unpinWhen(commands.memoryLoaded(), id);
    return { continued: true };
  }

  /** The media of a VM's configuration, with the images below each of them, from the registry. */
  mediaOf(vmId: string): NonNullable<VmConfigInput['media']> {
    return mediaConfig(this.vm(vmId).drives, (id) => this.registry.medium(id));
  }

  /** The VM's process has ended: disks that could not be merged while it ran are. */
  async vmStopped(_vmId: string): Promise<void> {
    await this.alone(() => this.tidy({}));
  }

  /** Of the VM process's event `stateProgress`. */
  stateProgress(stateId: string, fraction: number): void {
    this.watchers.get(stateId)?.(fraction);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.tail;
  }

  // --- rows ------------------------------------------------------------------------------------------------------

  private vm(id: string): VmRow {
    const row = this.registry.vm(id);
    if (row === undefined) throw new NestboxError('not-found', 'The virtual machine is not in the library', { op: 'find VM', context: { id } });
    return row;
  }

  private row(id: string): SnapshotRow {
    const row = this.registry.snapshot(id);
    if (row === undefined) throw new NestboxError('not-found', 'There is no such snapshot', { op: 'find snapshot', context: { id } });
    return row;
  }

  private savedState(vmId: string): SnapshotRow | undefined {
    const id = this.vm(vmId).savedStateId;
    return id === null ? undefined : this.registry.snapshot(id);
  }

  private alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work, work);
    this.tail = result.catch(() => undefined);
    return result;
  }

  private change<T>(vmId: string, work: () => Promise<T>): Promise<T> {
    return this.alone(work).finally(() => this.control.changed(vmId));
  }

  private async tidy(options: WorkOptions): Promise<number> {
    const inUse = new Set<string>();
    for (const vm of this.registry.vms()) {
      if (this.control.commands(vm.id) === undefined) continue;
      for (const { mediumId } of vm.drives) if (mediumId !== null) for (const { id } of this.layers.chain(mediumId)) inUse.add(id);
    }
    return this.layers.tidy((id) => inUse.has(id), { ...options, live: (id) => this.liveDrive(id) });
  }

  /** The drive of the only running machine that writes to an image. */
  private liveDrive(mediumId: string): LiveDrive | undefined {
    const found = this.registry.vms().flatMap((vm) => {
      const commands = this.control.commands(vm.id);
      return commands === undefined ? [] : vm.drives.filter((drive) => drive.mediumId === mediumId).map((drive) => ({ drive, commands }));
    });
    const [only] = found;
    if (only === undefined || found.length > 1 || only.drive.readOnly) return undefined;
    const { commands, drive } = only;
    return {
      slot: drive.slot,
      commands,
      watched: async (id, options, work) => {
        const cancel = (): void => void commands.cancelMergeDisk().catch(() => undefined);
        options.signal?.addEventListener('abort', cancel);
        if (options.onProgress !== undefined) this.watchers.set(id, options.onProgress);
        try {
          throwIfCancelled(options.signal, 'merge images');
          await work();
        } finally {
          options.signal?.removeEventListener('abort', cancel);
          this.watchers.delete(id);
        }
      },
    };
  }

  // --- nodes -----------------------------------------------------------------------------------------------------

  async snapshots(vmId: string): Promise<readonly SnapshotNode[]> {
    const { currentSnapshotId } = this.vm(vmId);
    return Promise.all(this.registry.snapshots(vmId).map((row) => this.node(row, currentSnapshotId)));
  }

  private async node(row: SnapshotRow, currentId: string | null): Promise<SnapshotNode> {
    return {
      id: row.id,
      vmId: row.vmId,
      ...(row.parentId === null ? {} : { parentId: row.parentId }),
      name: row.name,
      notes: row.notes,
      kind: row.kind,
      createdMs: row.createdMs,
      ownBytes: (await this.stateBytes(row)) + (await this.layerBytes(row)),
      hasThumbnail: row.hasThumbnail,
      current: row.id === currentId,
    };
  }

  /** Of the files of states: what only this node needs. */
  private async stateBytes(row: SnapshotRow): Promise<number> {
    if (row.stateFile === null) return 0;
    const { own } = await this.store.usage(this.registry.stateFiles());
    return own.get(row.stateFile) ?? row.sizeBytes;
  }

  async usedBytes(vmId: string): Promise<number> {
    const rows = this.registry.snapshots(vmId);
    const images = new Map<string, MediumRow>();
    for (const mediumId of [...Object.values(mediaOf(this.vm(vmId).drives)), ...rows.flatMap(({ media }) => Object.values(media))])
      for (const image of this.registry.medium(mediumId) === undefined ? [] : this.layers.chain(mediumId)) images.set(image.id, image);
    let sum = 0;
    for (const { managed, path } of images.values()) if (managed) sum += await this.files.status(path).then((status) => status.allocatedBytes, () => 0);
    const { totalBytes } = await this.store.usage(rows.flatMap(({ stateFile }) => stateFile ?? []));
    return sum + totalBytes;
  }

  /** Layers that are there for this node; a disk that was there before is not. */
  private async layerBytes(row: SnapshotRow): Promise<number> {
    let sum = 0;
    for (const mediumId of Object.values(row.media)) {
      const medium = this.registry.medium(mediumId);
      if (medium === undefined || !isLayer(medium)) continue;
      sum += await this.files.status(medium.path).then((status) => status.allocatedBytes, () => 0);
    }
    return sum;
  }

  snapshotThumbnail(snapshotId: string): Uint8Array | undefined {
    return this.registry.snapshotThumbnail(this.row(snapshotId).id);
  }

  async changeSnapshot(snapshotId: string, change: { readonly name?: string | undefined; readonly notes?: string | undefined }): Promise<SnapshotNode> {
    const { vmId } = this.row(snapshotId);
    this.registry.updateSnapshot(snapshotId, { ...(change.name === undefined ? {} : { name: checkName(change.name) }), ...(change.notes === undefined ? {} : { notes: change.notes }) });
    this.control.changed(vmId);
    return this.node(this.row(snapshotId), this.vm(vmId).currentSnapshotId);
  }

  // --- take ------------------------------------------------------------------------------------------------------

  takeSnapshot(vmId: string, options: { readonly name: string; readonly notes?: string | undefined } & WorkOptions): Promise<SnapshotNode> {
    checkName(options.name);
    return this.change(vmId, async () => this.node(this.row(await this.take(vmId, options)), this.vm(vmId).currentSnapshotId));
  }

  private async take(vmId: string, options: { readonly name: string; readonly notes?: string | undefined } & WorkOptions): Promise<string> {
    const vm = this.vm(vmId);
    const commands = this.control.commands(vmId);
    const stateId = newId();
    const overlays = this.layers.plan(vm.drives, this.control.diskFolder(vmId));
    const data: TakeData = { name: options.name, notes: options.notes ?? '', stateId, live: commands !== undefined, overlays };
    const operation = this.registry.beginOperation('take-snapshot', vmId, 'files', data);
    try {
      await this.layers.make(overlays);
    } catch (error) {
      await this.undoOverlays(operation, overlays);
      throw error;
    }
    this.registry.advanceOperation(operation, 'switch');
    let taken: TakenState | undefined;
    if (commands !== undefined) {
      try {
        taken = await this.takeState(vm, commands, { stateId, overlays, afterwards: 'run' }, options);
      } catch (error) {
        await this.takeFailed(vmId, operation, overlays, error);
        throw error;
      }
    }
    addTaken(this.registry, this.layers, vmId, operation, data, taken);
    return stateId;
  }

  /** Before the instant nothing has changed. After it the guest's disks are the overlays, without a snapshot below. */
  private async takeFailed(vmId: string, operation: number, overlays: readonly PlannedOverlay[], error: unknown): Promise<void> {
    const switched = error instanceof NestboxError && error.context.switched === true;
    if (!switched && this.control.commands(vmId) !== undefined) await this.undoOverlays(operation, overlays);
    else {
      this.registry.transaction(() => {
        this.registry.updateVm(vmId, { drives: this.layers.adopt(overlays, this.vm(vmId).drives) });
        this.registry.endOperation(operation);
      });
    }
    await this.pins.sweep();
  }

  private async undoOverlays(operation: number, overlays: readonly PlannedOverlay[]): Promise<void> {
    await this.layers.remove(overlays);
    this.registry.endOperation(operation);
  }

  private async takeState(
    vm: VmRow,
    commands: VmCommands,
    spec: { readonly stateId: string; readonly overlays: readonly PlannedOverlay[]; readonly afterwards: 'run' | 'stop' },
    options: WorkOptions,
  ): Promise<TakenState> {
    const cancel = (): void => void commands.cancelTakeState().catch(() => undefined);
    options.signal?.addEventListener('abort', cancel);
    if (options.onProgress !== undefined) this.watchers.set(spec.stateId, options.onProgress);
    try {
      throwIfCancelled(options.signal, 'save state');
      return await commands.takeState({
        folder: this.store.folder,
        id: spec.stateId,
        relatives: this.relatives(vm),
        storage: 'packed',
        overlays: spec.overlays.map(({ slot, path }) => ({ slot, path })),
        afterwards: spec.afterwards,
      });
    } finally {
      options.signal?.removeEventListener('abort', cancel);
      this.watchers.delete(spec.stateId);
    }
  }

  /** States whose pages the VM's memory is likely to have, nearest first. */
  private relatives(vm: VmRow): string[] {
    const ids: string[] = [];
    for (let id = vm.currentSnapshotId; id !== null && ids.length < RELATIVES_MAX; ) {
      const row = this.registry.snapshot(id);
      if (row?.stateFile != null) ids.push(row.stateFile);
      id = row?.parentId ?? null;
    }
    return ids;
  }

  // --- restore ---------------------------------------------------------------------------------------------------

  /** A running VM goes on from the snapshot; one that is off does so at its next start. */
  restoreSnapshot(vmId: string, snapshotId: string, options: { readonly keepPresent?: string | undefined } & WorkOptions): Promise<void> {
    if (options.keepPresent !== undefined) checkName(options.keepPresent);
    return this.change(vmId, async () => {
      const snapshot = this.row(snapshotId);
      if (snapshot.stateFile !== null && this.control.commands(vmId) !== undefined) this.control.prepareStart?.();
      if (snapshot.vmId !== vmId) throw new NestboxError('usage', 'That snapshot belongs to another virtual machine', { op: 'restore snapshot' });
      if (snapshot.stateFile !== null) await (await this.store.open(snapshot.stateFile)).close();
      if (options.keepPresent !== undefined) await this.take(vmId, { ...options, name: options.keepPresent });
      const overlays = this.layers.plan(snapshot.drives, this.control.diskFolder(vmId));
      const operation = this.registry.beginOperation('restore-snapshot', vmId, 'files', { overlays });
      try {
        await this.layers.make(overlays);
      } catch (error) {
        await this.undoOverlays(operation, overlays);
        throw error;
      }
      const wasRunning = this.control.commands(vmId) !== undefined;
      if (wasRunning) await this.control.powerOff(vmId);
      const before = this.savedState(vmId);
      this.registry.transaction(() => {
        this.registry.updateVm(vmId, { config: withNewGeneration(snapshot.config), drives: this.layers.adopt(overlays, snapshot.drives) });
        this.registry.setCurrentSnapshot(vmId, snapshotId);
        this.registry.setSavedState(vmId, snapshot.stateFile === null ? null : snapshotId);
        if (before?.kind === 'saved') this.registry.removeSnapshot(before.id);
        this.registry.endOperation(operation);
      });
      if (wasRunning) await this.control.start(vmId);
      await this.pins.sweep();
      await this.tidy(options);
    });
  }

  // --- delete ----------------------------------------------------------------------------------------------------

  /** The children stay whole. Disks are merged now, also under a guest that writes to them, or later: see DiskLayers.tidy. */
  deleteSnapshot(snapshotId: string, options: WorkOptions = {}): Promise<void> {
    const { vmId } = this.row(snapshotId);
    return this.change(vmId, async () => {
      const row = this.row(snapshotId);
      this.registry.transaction(() => {
        // The VM was to go on from it: that stays true.
        if (this.vm(vmId).savedStateId === snapshotId && row.stateFile !== null) {
          const id = newId();
          this.registry.addSnapshot({ ...row, id, parentId: null, kind: 'saved', thumbnail: null, forked: true });
          this.registry.setSavedState(vmId, id);
        }
        this.registry.removeSnapshot(snapshotId);
      });
      await this.pins.sweep();
      await this.tidy(options);
    });
  }

  // --- saved state -----------------------------------------------------------------------------------------------

  /** Closes the lid: the state goes to files and the VM's process ends. */
  saveVmState(vmId: string, options: WorkOptions = {}): Promise<void> {
    return this.change(vmId, async () => {
      const vm = this.vm(vmId);
      const commands = this.control.commands(vmId);
      if (commands === undefined) throw new NestboxError('busy', `${vm.name} is not running`, { op: 'save state', context: { code: 'vm-not-running', name: vm.name } });
      const stateId = newId();
      const operation = this.registry.beginOperation('save-state', vmId, 'files', { overlays: [] });
      try {
        const taken = await this.takeState(vm, commands, { stateId, overlays: [], afterwards: 'stop' }, options);
        this.registry.transaction(() => {
          this.registry.addSnapshot({
            id: stateId, vmId, parentId: null, name: 'Saved state', notes: '', kind: 'saved', config: vm.config, stateFile: stateId,
            sizeBytes: taken.stateBytes + taken.pageBytes, thumbnail: taken.thumbnail, media: mediaOf(vm.drives), drives: vm.drives,
          });
          this.registry.setSavedState(vmId, stateId);
          this.registry.endOperation(operation);
        });
      } catch (error) {
        this.registry.endOperation(operation);
        await this.pins.sweep();
        throw error;
      }
      await this.control.powerOff(vmId);
    });
  }

  discardSavedState(vmId: string): Promise<void> {
    return this.change(vmId, async () => {
      const saved = this.savedState(vmId);
      if (saved === undefined) throw new NestboxError('usage', `${this.vm(vmId).name} has no saved state`, { op: 'discard state' });
      this.registry.transaction(() => {
        this.registry.setSavedState(vmId, null);
        if (saved.kind === 'saved') this.registry.removeSnapshot(saved.id);
      });
      await this.pins.sweep();
    });
  }

  // --- fork ------------------------------------------------------------------------------------------------------

  /** A second VM goes on from the live (or present, or a snapshot's) state, with disks of its own. @returns its id */
  forkVm(vmId: string, options: ForkOptions): Promise<string> {
    return this.change(vmId, () => this.forker.fork(this.vm(vmId), options.snapshotId === undefined ? undefined : this.row(options.snapshotId), options));
  }

  // --- differences -----------------------------------------------------------------------------------------------

  /** `to` absent: the present state. Of a running VM that is looked at through a snapshot that is taken for it and goes again. */
  async diffSnapshots(vmId: string, from: string, to: string | undefined, options: WorkOptions = {}): Promise<SnapshotDifference> {
    if (to !== undefined) return this.alone(() => this.compare(this.row(from), this.row(to), options));
    if (this.control.commands(vmId) === undefined) {
      const vm = this.vm(vmId);
      const saved = this.savedState(vmId);
      return this.alone(() => this.compare(this.row(from), { media: mediaOf(vm.drives), stateFile: saved?.stateFile ?? null }, options));
    }
    const present = await this.takeSnapshot(vmId, { ...options, name: 'Present state' });
    try {
      return await this.alone(() => this.compare(this.row(from), this.row(present.id), options));
    } finally {
      await this.deleteSnapshot(present.id).catch(() => undefined);
    }
  }

  private async compare(from: Pick<SnapshotRow, 'media' | 'stateFile'>, to: Pick<SnapshotRow, 'media' | 'stateFile'>, options: WorkOptions): Promise<SnapshotDifference> {
    const disks = await compareDisks(from.media, to.media, { links: (id) => this.layers.links(id), isDisk: (id) => this.registry.medium(id)?.kind === 'disk', files: this.files, signal: options.signal });
    if (from.stateFile === null || to.stateFile === null) return { disks, devices: [], registers: [] };
    return { disks, ...(await compareStates(this.store, from.stateFile, to.stateFile)) };
  }

  // --- end of a VM -----------------------------------------------------------------------------------------------

  /** Before the VM is removed from the registry: its states go; disks that are to stay become like any others. */
  async removeVm(vmId: string, options: { readonly deleteDisks: boolean }): Promise<void> {
    await this.alone(async () => {
      if (!options.deleteDisks) await this.keepDisks(vmId);
      this.registry.transaction(() => {
        this.registry.setSavedState(vmId, null);
        for (const { id } of this.registry.snapshots(vmId)) this.registry.removeSnapshot(id);
      });
      await this.pins.sweep();
      // Layers of disks that go are not worth merging.
      if (!options.deleteDisks) await this.tidy({});
    });
  }

  private async keepDisks(vmId: string): Promise<void> {
    const folder = this.control.diskFolder(vmId);
    for (const { mediumId } of this.vm(vmId).drives) {
      const medium = mediumId === null ? undefined : this.registry.medium(mediumId);
      if (medium === undefined || !isLayer(medium)) continue;
      const to = join(folder, `disk-${medium.id}.qcow2`);
      const operation = this.registry.beginOperation('keep-disk', vmId, 'renaming', { mediumId: medium.id, to });
      await this.files.rename(medium.path, to);
      await this.files.syncDirectory(folder);
      this.registry.transaction(() => {
        this.registry.updateMedium(medium.id, { path: to });
        this.registry.endOperation(operation);
      });
    }
  }
}

/** The manager's snapshots over its own files. */
export function openSnapshots(registry: Registry, root: string, control: VmControl): SnapshotOperations {
  return new SnapshotService({ registry, files: nodeHostFiles, stateFolder: join(root, 'states'), control });
}

function checkName(name: string): string {
  if (name.trim() === '' || name.length > 200) throw new NestboxError('usage', 'A snapshot needs a name of 1 to 200 characters', { op: 'name snapshot' });
  return name;
}
