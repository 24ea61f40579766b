// One library and its running VMs behind ManagerApi. Opens the library under its lock, joins the parts, and keeps the clock
// for measurements and thumbnails.

import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { availableParallelism, homedir, totalmem } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { NestboxError, messageOf } from '../base/errors.ts';
import type { Port } from '../base/port.ts';
import type { HostInfo } from '../protocol/host-info.ts';
import type { Notice } from '../protocol/library.ts';
import type { AppInfo, BrowsedEntry, ManagerApi, TaskOptions } from '../protocol/manager-api.ts';
import { IS_OLDER_THAN_FILES } from '../registry/registry-backup.ts';
import { Registry } from '../registry/registry.ts';
import { ManagerEventHub } from './events.ts';
import { downloadFolder } from './download-folder.ts';
import { FileHandles } from './file-handles.ts';
import { freeFileName } from './file-names.ts';
import { inspectPath } from './inspector.ts';
import { type LibraryLock, lockLibrary } from './instance-lock.ts';
import { libraryFolder, makeLibraryFolders, type LibraryFolder } from './library-folder.ts';
import { Library } from './library.ts';
import { removableIndex } from './drives.ts';
import { MediaLibrary } from './media.ts';
import { notice, refusal } from './notices.ts';
import { Power, isVmGone } from './power.ts';
import type { RunningVm } from './running-vm.ts';
import { snapshotApi } from './snapshot-api.ts';
import type { SnapshotOperations, VmControl } from './snapshots/snapshot-operations.ts';
import { SpareHost } from './spare-host.ts';
import { openSnapshots } from './snapshots/snapshot-service.ts';
import { Settings } from './settings.ts';
import { Tasks } from './tasks.ts';
import { THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, Thumbnails } from './thumbnails.ts';
import { VmLogs } from './vm-logs.ts';
import type { VmHost } from './vm-host.ts';

/** Written by build/build-demo.ts. */
const DEMO_IMAGE = new URL('../../dist/nestbox-demo.img', import.meta.url);
const SAMPLE_INTERVAL_MS = 1000;
/** Of SAMPLE_INTERVAL_MS. */
const SPARE_DELAY_TICKS = 5;
/** A new picture of each running VM every so many samples. */
const THUMBNAIL_SAMPLES = 2;
const BROWSED_MAX = 5000;

export interface ManagerOptions {
  readonly root: string;
  readonly host: VmHost;
  readonly version: string;
  readonly shell: AppInfo['shell'];
  /** BCP 47. */
  readonly hostLanguage?: string;
  readonly hostInfo?: () => Promise<HostInfo>;
  /** Makes the part that keeps states and snapshots, in place of the usual one (tests). */
  readonly snapshots?: (registry: Registry, folder: LibraryFolder, control: VmControl) => SnapshotOperations;
  /** False: an empty library stays empty (tests). */
  readonly demo?: boolean;
}

/** Trying KVM takes some tenths of a second, and forms are checked with every key. */
function remembered(read: (() => Promise<HostInfo>) | undefined): (() => Promise<HostInfo>) | undefined {
  let known: Promise<HostInfo> | undefined;
  return read === undefined ? undefined : () => (known ??= read());
}

export class Manager {
  readonly events = new ManagerEventHub();
  readonly folder: LibraryFolder;
  readonly files = new FileHandles();
  readonly tasks: Tasks;
  readonly power: Power;
  readonly media: MediaLibrary;
  readonly library: Library;
  readonly logs: VmLogs;
  private readonly options: ManagerOptions;
  private readonly host: SpareHost;
  private readonly registry: Registry;
  private readonly lock: LibraryLock;
  private readonly settings: Settings;
  private readonly thumbnails: Thumbnails;
  private readonly snapshots: SnapshotOperations;
  private readonly startNotices: Notice[] = [];
  private readonly timer: NodeJS.Timeout;
  private samples = 0;
  /** When a process may be made ready: not while the machine that was just started needs the host. */
  private prepareTick = SPARE_DELAY_TICKS;

  /**
   * @throws NestboxError `busy` (another manager has the library), `bad-input` (damaged registry), `unsupported` (newer
   * version), `permission`, `no-space`; nothing has been changed then
   */
  static async open(options: ManagerOptions): Promise<Manager> {
    const folder = libraryFolder(options.root);
    makeLibraryFolders(folder);
    const lock = await lockLibrary(folder.lock);
    try {
      const isNew = !existsSync(folder.registry);
      const registry = new Registry(folder.registry);
      // Whatever lies there already is not ours to clear away.
      if (isNew) registry.setSetting(IS_OLDER_THAN_FILES, true);
      const manager = new Manager(options, folder, lock, registry);
      await manager.begin();
      return manager;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  private constructor(options: ManagerOptions, folder: LibraryFolder, lock: LibraryLock, registry: Registry) {
    this.options = options;
    this.host = new SpareHost(options.host);
    this.folder = folder;
    this.lock = lock;
    this.registry = registry;
    this.tasks = new Tasks(this.events);
    this.settings = new Settings(registry, this.events);
    this.thumbnails = new Thumbnails(registry, this.events);
    this.logs = new VmLogs(folder, this.events);
    this.media = new MediaLibrary(registry, folder, this.events);
    this.power = new Power({
      registry,
      host: this.host,
      media: this.media,
      logs: this.logs,
      changed: (id) => this.library.changed(id),
      snapshots: () => this.snapshots,
      started: (id, vm) => {
        void this.sample(id, vm);
        this.prepareSoon();
      },
      stopped: (id) => this.thumbnails.keep(id),
    });
    this.library = new Library({ registry, folder, media: this.media, files: this.files, events: this.events, power: this.power, thumbnails: this.thumbnails, logs: this.logs, snapshots: () => this.snapshots, hostInfo: remembered(options.hostInfo) });
    this.snapshots = options.snapshots?.(registry, folder, this.vmControl()) ?? openSnapshots(registry, folder.root, this.vmControl());
    this.timer = setInterval(() => this.tick(), SAMPLE_INTERVAL_MS).unref();
  }

  /** What snapshots may do with VMs; they hold them for themselves while they do it. */
  private vmControl(): VmControl {
    return {
      commands: (id) => this.power.find(id)?.guarded,
      prepareStart: () => this.host.prepare(),
      start: (id) => this.power.launch(id),
      powerOff: async (id) => this.power.find(id)?.powerOff(),
      diskFolder: () => this.folder.disks,
      changed: (id) => {
        this.library.changed(id);
        this.events.emit('snapshotsChanged', id);
        this.events.emit('mediaChanged');
      },
      removed: (id) => this.events.emit('vmRemoved', id),
      freeName: (wish) => this.library.freeName(wish),
    };
  }

  private async begin(): Promise<void> {
    this.power.noteInterrupted();
    this.startNotices.push(...(await this.snapshots.recover()));
    for (const operation of this.registry.operations()) {
      if (operation.kind !== 'create-vm') continue;
      this.registry.endOperation(operation.id);
    }
    await rm(this.folder.inbox, { recursive: true, force: true });
    await mkdir(this.folder.inbox, { recursive: true, mode: 0o700 });
    if (this.options.demo !== false && this.registry.setting('demoAdded') !== true) await this.addDemo();
    await this.media.lookForAll();
  }

  /** The first start shows a machine that is ready to boot. */
  private async addDemo(): Promise<void> {
    const path = join(this.folder.media, 'nestbox-demo.img');
    await writeFile(path, await readFile(DEMO_IMAGE), { mode: 0o600 });
    const known = this.registry.mediumByPath(path) ?? (await this.media.adopt(path, 'raw', 'floppy'));
    await this.library.create({
      name: this.library.freeName('Nestbox demo'),
      osId: 'nestbox-demo',
      hardware: { memoryMib: 128, cpus: 1, bootOrder: ['floppy', 'cdrom', 'disk'] },
      drives: [{ kind: 'floppy', source: 'medium', mediumId: known.id, readOnly: true }],
    });
    this.registry.setSetting('demoAdded', true);
    this.startNotices.push(notice('demo-created'));
  }

  /** A machine that runs or has a saved state is likely to be gone back to, forked or continued: that should not wait. */
  private prepareSoon(): void {
    this.prepareTick = this.samples + SPARE_DELAY_TICKS;
  }

  private keepSpare(): void {
    if (this.samples < this.prepareTick) return;
    if (this.power.all.size > 0 || this.registry.vms().some((row) => row.savedStateId !== null)) this.host.prepare();
    else void this.host.discard();
  }

  private tick(): void {
    this.samples++;
    this.keepSpare();
    for (const [id, vm] of this.power.all) void this.sample(id, vm);
  }

  private async sample(id: string, vm: RunningVm): Promise<void> {
    if (vm.powerState !== 'running' && vm.powerState !== 'paused') return;
    try {
      const sample = vm.metrics.add(await vm.call('stats'), performance.timeOrigin + performance.now());
      if (sample !== undefined) this.events.emit('vmMetrics', id, sample);
      if (this.samples % THUMBNAIL_SAMPLES === 0) await this.takeThumbnail(id, vm);
    } catch (error) {
      if (!isVmGone(error)) this.logs.add(id, 'warn', 'manager', `No measurements: ${messageOf(error)}`);
    }
  }

  private async takeThumbnail(id: string, vm: RunningVm): Promise<void> {
    const png = await vm.call('thumbnail', THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT);
    if (png !== undefined && this.power.find(id) === vm) this.thumbnails.put(id, png);
  }

  appInfo(): AppInfo {
    return {
      version: this.options.version,
      shell: this.options.shell,
      platform: process.platform,
      hostLanguage: this.options.hostLanguage ?? navigator.language,
      startNotices: this.startNotices,
      hostMemoryMib: Math.floor(totalmem() / 1048576),
      hostCpus: availableParallelism(),
    };
  }

  /** A window's channel to a running VM. @throws NestboxError `not-found`, `busy` */
  openConsole(id: string): Port {
    return this.power.openConsole(id);
  }

  /** Writes a machine that is off into a .nestbox file. Not part of ManagerApi: windows name no paths. */
  async exportVm(id: string, path: string, options: TaskOptions = {}): Promise<void> {
    await this.tasks.run('export-vm', { taskId: options.taskId, vmId: id }, (task) => this.library.export(id, path, task));
  }

  /** Registry writes, VM processes and locks end; running VMs are switched off. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    this.tasks.cancelAll();
    for (const [id, vm] of this.power.all) await this.takeThumbnail(id, vm).catch(() => undefined);
    await this.power.stopAll();
    await this.host.discard();
    await this.snapshots.idle();
    // Their ends are written down in later microtasks.
    await new Promise((resolve) => setImmediate(resolve));
    await this.snapshots.idle();
    this.logs.flush();
    this.events.dispose();
    this.registry.dispose();
    await this.lock.release();
  }

  private async browse(folder: string): Promise<Awaited<ReturnType<ManagerApi['browseFolder']>>> {
    let names;
    try {
      names = await readdir(folder, { withFileTypes: true });
    } catch (error) {
      throw refusal('bad-input', 'folder-unreadable', { message: messageOf(error) });
    }
    const seen = names.filter((entry) => !entry.name.startsWith('.')).slice(0, BROWSED_MAX);
    const entries = await Promise.all(
      seen.map(async (entry): Promise<BrowsedEntry | undefined> => {
        const path = join(folder, entry.name);
        const status = await stat(path).catch(() => undefined);
        if (status === undefined || !(status.isDirectory() || status.isFile())) return undefined;
        return { name: entry.name, folder: status.isDirectory(), handle: this.files.grant(path), sizeBytes: status.isDirectory() ? 0 : status.size, changedMs: Math.round(status.mtimeMs) };
      }),
    );
    const parent = dirname(folder);
    const found = entries.filter((entry) => entry !== undefined).sort((a, b) => Number(b.folder) - Number(a.folder) || a.name.localeCompare(b.name));
    return { path: folder, entries: found, ...(parent === folder ? {} : { parent: this.files.grant(parent) }) };
  }

  private async changeMedium(id: string, slot: string, path: string | undefined, mediumId: string | null): Promise<void> {
    const row = this.library.row(id);
    const place = removableIndex(row.drives, slot);
    if (place === undefined) {
      const known = row.drives.some((drive) => drive.slot === slot);
      throw known && this.power.find(id) !== undefined ? refusal('usage', 'slot-fixed', { name: row.name }) : refusal('usage', 'slot-unknown', { name: row.name, slot });
    }
    const vm = this.power.find(id);
    if (vm !== undefined) await (path === undefined ? vm.call('ejectMedium', place.kind, place.index) : vm.call('insertMedium', place.kind, place.index, path));
    this.registry.updateVm(id, { drives: row.drives.map((drive) => (drive.slot === slot ? { ...drive, mediumId } : drive)) });
    this.library.changed(id);
    this.events.emit('mediaChanged');
  }

  private async insert(id: string, slot: string, medium: Parameters<ManagerApi['insertMedium']>[2]): Promise<void> {
    const drive = this.library.row(id).drives.find((entry) => entry.slot === slot);
    if (drive === undefined) throw refusal('usage', 'slot-unknown', { name: this.library.row(id).name, slot });
    const row = 'mediumId' in medium ? this.media.row(medium.mediumId) : await this.media.register(this.files.path(medium.file), drive.kind, undefined);
    if (row.kind !== drive.kind) throw refusal('usage', 'medium-kind', { have: row.kind, want: drive.kind });
    await this.changeMedium(id, slot, row.path, row.id);
  }

  /** Everything that shells may call. */
  readonly api: ManagerApi = {
    appInfo: async () => this.appInfo(),
    hostInfo: async () => {
      if (this.options.hostInfo === undefined) throw refusal('unsupported', 'not-landed', { what: 'Looking at the host' });
      return this.options.hostInfo();
    },
    settings: async () => this.settings.read(),
    changeSettings: async (change) => this.settings.change(change),
    cancelTask: async (taskId) => this.tasks.cancel(taskId),

    listVms: async () => this.library.list(),
    vm: async (id) => this.library.detail(id),
    thumbnail: async (id) => this.thumbnails.png(this.library.row(id).id),
    checkNewVm: async (spec) => this.library.checkNew(spec),
    createVm: async (spec, options) => this.tasks.run('create-vm', { taskId: options?.taskId }, (task) => this.library.create(spec, task)),
    checkVmChange: async (id, change) => this.library.checkChange(id, change),
    changeVm: async (id, change) => this.library.change(id, change),
    cloneVm: async (id, options) => this.tasks.run('clone-vm', { taskId: options.taskId, vmId: id }, (task) => this.library.clone(id, options, task)),
    deleteVm: async (id, options) => this.tasks.run('delete-vm', { taskId: options.taskId, vmId: id }, () => this.library.delete(id, options.deleteDisks)),
    recoverLibrary: () => Promise.reject(new NestboxError('usage', 'The library is open: there is nothing to bring back', { op: 'restore registry' })),
    exportToDownloads: async (id, options) => {
      const folder = await downloadFolder();
      const path = await freeFileName(folder, this.library.row(id).name, '.nestbox');
      await this.exportVm(id, path, options);
      return { fileName: basename(path), folder };
    },
    freeName: async (wish) => this.library.freeName(wish),

    startVm: async (id) => this.power.start(id),
    pauseVm: async (id) => this.power.pause(id),
    resumeVm: async (id) => this.power.resume(id),
    resetVm: async (id) => this.power.reset(id),
    shutDownVm: async (id) => this.power.powerButton(id),
    powerOffVm: async (id) => {
      const vm = this.power.find(id);
      if (vm !== undefined) await this.takeThumbnail(id, vm).catch(() => undefined);
      await this.power.powerOff(id);
    },
    metrics: async (id) => this.power.find(this.library.row(id).id)?.metrics.samples ?? [],
    logs: async (id, { from, limit }) => this.logs.page(this.library.row(id).id, from, limit),

    inspectFile: async (file) => inspectPath(this.files.path(file), file, this.files),
    firmwares: async () => this.library.firmwares(),
    browseFolder: async (folder) => this.browse(folder === undefined ? homedir() : this.files.path(folder)),
    listMedia: async () => this.media.list(),
    findMissingMedia: async () => {
      const missing = await this.media.findMissing();
      for (const row of this.registry.vms()) this.library.changed(row.id);
      return missing;
    },
    relocateMedium: async (mediumId, file) => this.media.relocate(mediumId, this.files.path(file)),
    removeMedium: async (mediumId, { deleteFile }) => this.media.remove(mediumId, deleteFile),
    importDisk: async (file, options) => this.tasks.run('import-disk', { taskId: options.taskId }, (task) => this.media.importDisk(this.files.path(file), options.name, task)),
    insertMedium: async (id, slot, medium) => this.insert(id, slot, medium),
    ejectMedium: async (id, slot) => this.changeMedium(id, slot, undefined, null),

    ...snapshotApi({
      operations: () => this.snapshots,
      registry: () => this.registry,
      tasks: () => this.tasks,
      power: () => this.power,
      library: () => this.library,
    }),
  };
}
