// What the manager hands its snapshot commands to, and what it gives for that. The class is SnapshotService.

import type { SnapshotDifference, SnapshotNode } from '../../protocol/snapshots.ts';
import type { VmConfigInput } from '../../protocol/vm-config.ts';
import type { VmCommands } from '../../protocol/vm-messages.ts';

/** The part of the manager that snapshots need: processes of running VMs, places for files, listeners. */
export interface VmControl {
  /** Commands of the VM's process; undefined while it has none. */
  commands(vmId: string): VmCommands | undefined;
  /** A VM will be started soon: its process may be made ready. */
  prepareStart?(): void;
  /** Starts the VM as `startVm` does; it calls SnapshotService.startMachine() with the new process's commands. */
  start(vmId: string): Promise<void>;
  /** Ends the VM's process without saving anything; resolves when it is gone. Nothing happens when it has none. */
  powerOff(vmId: string): Promise<void>;
  /** Folder for the disks of a VM, made when missing. */
  diskFolder(vmId: string): string;
  /** A VM or its tree changed: listeners are told. */
  changed(vmId: string): void;
  /** A VM that was just made is gone again. */
  removed?(vmId: string): void;
  /** A name like the given one that no VM has. */
  freeName(wish: string): string;
}

export interface WorkOptions {
  /** Aborts the work; nothing of it stays. */
  readonly signal?: AbortSignal | undefined;
  /** 0..1 */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/** What an unfinished operation of an earlier run came to. */
export interface RecoveryNotice {
  readonly code: 'snapshot-undone' | 'snapshot-finished' | 'disk-merge-later' | 'orphans-removed';
  readonly text: string;
  readonly params: Readonly<Record<string, string | number>>;
}

export interface SnapshotOperations {
  /** Once at the start, before any VM runs: finishes or undoes what a crash interrupted, removes orphan files. */
  recover(): Promise<readonly RecoveryNotice[]>;

  /** Instead of `commands.start(config)`: continues the saved state when the VM has one. */
  startMachine(vmId: string, commands: VmCommands, config: VmConfigInput): Promise<{ readonly continued: boolean }>;
  /** The media of a VM's configuration, with the images below each of them, from the registry. */
  mediaOf(vmId: string): NonNullable<VmConfigInput['media']>;
  /** The VM's process has ended: work that had to wait for that (merging disks) is done. */
  vmStopped(vmId: string): Promise<void>;
  /** Resolves when nothing is under way any more: before the registry is closed. */
  idle(): Promise<void>;
  /** Of the VM process's event `stateProgress`. */
  stateProgress(stateId: string, fraction: number): void;

  snapshots(vmId: string): Promise<readonly SnapshotNode[]>;
  /** What a VM takes on the host's disk: images of the library under its drives and snapshots, and saved memory; each once. */
  usedBytes(vmId: string): Promise<number>;
  snapshotThumbnail(snapshotId: string): Uint8Array | undefined;
  takeSnapshot(vmId: string, options: { readonly name: string; readonly notes?: string } & WorkOptions): Promise<SnapshotNode>;
  changeSnapshot(snapshotId: string, change: { readonly name?: string | undefined; readonly notes?: string | undefined }): Promise<SnapshotNode>;
  /** A running VM goes on from the snapshot; one that is off does so at its next start. */
  restoreSnapshot(vmId: string, snapshotId: string, options: { readonly keepPresent?: string } & WorkOptions): Promise<void>;
  deleteSnapshot(snapshotId: string, options?: WorkOptions): Promise<void>;
  /** @returns the id of the new VM, which runs when the state has memory */
  forkVm(vmId: string, options: { readonly name: string; readonly snapshotId?: string } & WorkOptions): Promise<string>;
  diffSnapshots(vmId: string, from: string, to: string | undefined, options?: WorkOptions): Promise<SnapshotDifference>;
  /** Closes the lid: the state goes to files and the VM's process ends. */
  saveVmState(vmId: string, options?: WorkOptions): Promise<void>;
  discardSavedState(vmId: string): Promise<void>;
  /** Before the VM is removed from the registry: its snapshots' files go, disks that nothing else uses too. */
  removeVm(vmId: string, options: { readonly deleteDisks: boolean }): Promise<void>;
}
