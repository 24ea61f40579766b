// What a shell (Electron window, browser window, command line) may ask of the manager, and what the manager tells it. Both
// sides of core/protocol/rpc.ts. Methods reject with a NestboxError whose `context.code` names the problem where the window
// has a sentence of its own for it; `message` is the English sentence.

import type { HostInfo } from './host-info.ts';
import type { FieldProblem, FileHandle, FirmwareChoice, LogLine, MediumInfo, MediumInspection, NewVmSpec, TaskProgress, VmChange, VmDetail, VmMetrics, VmSummary } from './library.ts';
import type { SnapshotDifference, SnapshotNode } from './snapshots.ts';

export interface AppInfo {
  readonly version: string;
  readonly shell: 'electron' | 'browser';
  readonly platform: string;
  /** BCP 47, from the host. */
  readonly hostLanguage: string;
  /** Notices about the start: registry repaired or restored, unfinished operations completed, ... */
  readonly startNotices: readonly { readonly code: string; readonly text: string; readonly params: Readonly<Record<string, string | number>> }[];
  readonly hostMemoryMib: number;
  readonly hostCpus: number;
}

/** One entry of the host's folders for the browser host's file dialog. */
export interface BrowsedEntry {
  readonly name: string;
  readonly folder: boolean;
  readonly handle: FileHandle;
  readonly sizeBytes: number;
  readonly changedMs: number;
}

export interface AppSettings {
  /** 'auto' = the host's. */
  readonly language: 'auto' | 'en' | 'zh-CN';
  readonly theme: 'auto' | 'light' | 'dark' | 'contrast';
  readonly closeAction: 'ask' | 'keep-running' | 'save-state' | 'shut-down' | 'power-off';
  readonly libraryView: 'grid' | 'list';
  readonly librarySort: 'name' | 'state' | 'created' | 'used';
}

/** Progress goes to `taskProgress` events with this id; `cancelTask` ends the work. */
export interface TaskOptions {
  readonly taskId?: string;
}

export interface ManagerApi {
  appInfo(): Promise<AppInfo>;
  /**
   * Only while the registry is damaged (code `registry-damaged`, whose context has `backupMs` and `backupVms` when there is a
   * copy): brings the library back from the newest copy, or begins an empty one. The damaged file is kept.
   */
  recoverLibrary(from: 'backup' | 'nothing'): Promise<void>;
  hostInfo(): Promise<HostInfo>;
  settings(): Promise<AppSettings>;
  changeSettings(change: Partial<AppSettings>): Promise<AppSettings>;
  cancelTask(taskId: string): Promise<void>;

  // Library
  listVms(): Promise<readonly VmSummary[]>;
  vm(id: string): Promise<VmDetail>;
  /** PNG, or undefined. */
  thumbnail(id: string): Promise<Uint8Array | undefined>;
  /** What is wrong with it; nothing is created. */
  checkNewVm(spec: NewVmSpec): Promise<readonly FieldProblem[]>;
  createVm(spec: NewVmSpec, options?: TaskOptions): Promise<VmDetail>;
  checkVmChange(id: string, change: VmChange): Promise<readonly FieldProblem[]>;
  /** Hardware and drives change only while the VM is off. */
  changeVm(id: string, change: VmChange): Promise<VmDetail>;
  /** `linked`: the copy's disks are overlays of the present ones. */
  cloneVm(id: string, options: { readonly name: string; readonly linked: boolean } & TaskOptions): Promise<VmDetail>;
  /** @param deleteDisks managed disks that no other VM uses go too */
  deleteVm(id: string, options: { readonly deleteDisks: boolean } & TaskOptions): Promise<void>;
  /** Writes a machine that is off into a new .nestbox file in the user's folder for downloads. */
  exportToDownloads(id: string, options?: TaskOptions): Promise<{ readonly fileName: string; readonly folder: string }>;
  /** A name like the given one that is free. */
  freeName(wish: string): Promise<string>;

  // Power
  /** Continues a saved state when there is one. */
  startVm(id: string): Promise<void>;
  pauseVm(id: string): Promise<void>;
  resumeVm(id: string): Promise<void>;
  resetVm(id: string): Promise<void>;
  /** Presses the power button; false when the guest will not react. */
  shutDownVm(id: string): Promise<boolean>;
  powerOffVm(id: string): Promise<void>;
  /** Closes the lid: state to disk, process ended. */
  saveVmState(id: string, options?: TaskOptions): Promise<void>;
  discardSavedState(id: string): Promise<void>;
  metrics(id: string): Promise<readonly VmMetrics[]>;
  logs(id: string, options: { readonly from: number; readonly limit: number }): Promise<{ readonly lines: readonly LogLine[]; readonly next: number }>;

  // Files and media
  inspectFile(file: FileHandle): Promise<MediumInspection>;
  /** What HardwareConfig.firmware may be beside `bios` and the handle of a file that the user has chosen. */
  firmwares(): Promise<readonly FirmwareChoice[]>;
  /** Browser host's file dialog; without a handle the user's home folder. Electron has native dialogs. */
  browseFolder(folder?: FileHandle): Promise<{ readonly path: string; readonly parent?: FileHandle; readonly entries: readonly BrowsedEntry[] }>;
  listMedia(): Promise<readonly MediumInfo[]>;
  /** Looks for missing files where they were, and beside those that were found again. */
  findMissingMedia(): Promise<readonly MediumInfo[]>;
  relocateMedium(mediumId: string, file: FileHandle): Promise<MediumInfo>;
  /** @param deleteFile only for managed media that nothing uses */
  removeMedium(mediumId: string, options: { readonly deleteFile: boolean }): Promise<void>;
  /** Copies a disk image of any format that can be read into the library as qcow2. */
  importDisk(file: FileHandle, options: { readonly name: string } & TaskOptions): Promise<MediumInfo>;
  insertMedium(id: string, slot: string, medium: { readonly file: FileHandle } | { readonly mediumId: string }): Promise<void>;
  ejectMedium(id: string, slot: string): Promise<void>;

  // Snapshots
  snapshots(id: string): Promise<readonly SnapshotNode[]>;
  snapshotThumbnail(snapshotId: string): Promise<Uint8Array | undefined>;
  takeSnapshot(id: string, options: { readonly name: string; readonly notes?: string } & TaskOptions): Promise<SnapshotNode>;
  changeSnapshot(snapshotId: string, change: { readonly name?: string; readonly notes?: string }): Promise<SnapshotNode>;
  /** @param keepPresent name of the snapshot that the present state is kept as first */
  restoreSnapshot(id: string, snapshotId: string, options: { readonly keepPresent?: string } & TaskOptions): Promise<void>;
  /** Children stay whole. */
  deleteSnapshot(snapshotId: string, options?: TaskOptions): Promise<void>;
  /** The running (or stopped) VM goes on in a second one, with disks of its own. */
  forkVm(id: string, options: { readonly name: string; readonly snapshotId?: string } & TaskOptions): Promise<VmDetail>;
  /** `to` absent = the present state. */
  diffSnapshots(id: string, from: string, to: string | undefined, options?: TaskOptions): Promise<SnapshotDifference>;
}

export interface ManagerEvents {
  /** New, changed. */
  vmChanged(vm: VmSummary): void;
  vmRemoved(id: string): void;
  vmMetrics(id: string, sample: VmMetrics): void;
  thumbnailChanged(id: string, version: number): void;
  mediaChanged(): void;
  snapshotsChanged(vmId: string): void;
  taskProgress(progress: TaskProgress): void;
  logLine(id: string, line: LogLine): void;
  settingsChanged(settings: AppSettings): void;
}
