// Everything that pages share: the connection, settings, the library's VMs, running tasks, open dialogs. Fed by the
// manager's events; nothing polls.

import { getContext, setContext } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import type { FileHandle, LogLine, MediumInspection, TaskProgress, VmMetrics, VmSummary } from '../../core/protocol/library.ts';
import type { AppInfo, AppSettings, ManagerApi, ManagerEvents } from '../../core/protocol/manager-api.ts';
import type { ManagerConnection, Shell } from '../api/shell.ts';
import { languageFor, setLanguage } from '../i18n/i18n.svelte.ts';
import { errorContext, errorText, isCancelled } from '../i18n/messages.ts';
import { toasts } from '../ui/toasts.svelte.ts';

const METRICS_KEPT = 300;

export type AppDialog =
  | { readonly kind: 'new'; readonly inspection?: MediumInspection }
  | { readonly kind: 'edit'; readonly vmId: string; readonly section?: string }
  | { readonly kind: 'clone' | 'delete' | 'export' | 'snapshot'; readonly vm: VmSummary }
  | { readonly kind: 'import-disk'; readonly file?: FileHandle; readonly fileName?: string }
  | { readonly kind: 'browse'; readonly title: string; readonly accept: readonly string[]; readonly chosen: (file: FileHandle, name: string) => void }
  | { readonly kind: 'confirm'; readonly title: string; readonly text: string; readonly confirm: string; readonly danger: boolean; readonly run: () => void };

const DEFAULTS: AppSettings = { language: 'auto', theme: 'auto', closeAction: 'ask', libraryView: 'grid', librarySort: 'name' };

export class AppState {
  readonly shell: Shell;
  connection = $state<'connecting' | 'ready' | 'lost'>('connecting');
  info = $state.raw<AppInfo | undefined>(undefined);
  settings = $state.raw<AppSettings>(DEFAULTS);
  vms = $state.raw<ReadonlyMap<string, VmSummary>>(new Map());
  /** Why the library could not be opened: a registry from a newer version, a corrupt one. */
  startError = $state<string | undefined>(undefined);
  /** Set when it is the registry that is damaged; with the newest copy of it when there is one. */
  registryDamage = $state.raw<{ readonly backupMs?: number; readonly backupVms?: number } | undefined>(undefined);
  tasks = new SvelteMap<string, TaskProgress>();
  metrics = new SvelteMap<string, readonly VmMetrics[]>();
  /** Counts up when the list of media or a VM's snapshots changed: pages read them again. */
  mediaVersion = $state(0);
  snapshotsVersion = $state(0);
  dialogs = $state.raw<readonly AppDialog[]>([]);
  private readonly logListeners = new Set<(vmId: string, line: LogLine) => void>();
  private manager: ManagerConnection | undefined;
  private nextTask = 1;

  constructor(shell: Shell) {
    this.shell = shell;
  }

  get api(): ManagerApi {
    if (this.manager === undefined) throw new Error('There is no connection to the manager.');
    return this.manager.api;
  }

  async connect(): Promise<void> {
    this.connection = 'connecting';
    this.startError = undefined;
    try {
      this.manager = await this.shell.connect({ events: this.events, lost: () => this.lost() });
      // All at once, AppInfo first: asking for it opens a library that could not be opened before.
      const [info, settings, vms] = await Promise.all([this.api.appInfo(), this.api.settings(), this.api.listVms()]);
      this.vms = new Map(vms.map((vm) => [vm.id, vm]));
      this.info = info;
      this.takeSettings(settings);
      this.connection = 'ready';
    } catch (thrown) {
      this.connection = 'lost';
      if (this.info === undefined) setLanguage(languageFor('auto', navigator.language));
      this.fail(thrown);
    }
  }

  private fail(thrown: unknown): void {
    this.startError = errorText(thrown);
    const { code, backupMs, backupVms } = errorContext(thrown);
    this.registryDamage = code !== 'registry-damaged' ? undefined : typeof backupMs === 'number' && typeof backupVms === 'number' ? { backupMs, backupVms } : {};
  }

  /** Brings the library back from the newest copy, or begins an empty one. */
  async recover(from: 'backup' | 'nothing'): Promise<void> {
    try {
      await this.api.recoverLibrary(from);
    } catch (thrown) {
      this.fail(thrown);
      return;
    }
    await this.connect();
  }

  private lost(): void {
    this.connection = 'lost';
    this.manager = undefined;
  }

  private takeSettings(settings: AppSettings): void {
    this.settings = settings;
    const language = languageFor(settings.language, this.info?.hostLanguage ?? navigator.language);
    setLanguage(language);
    this.shell.setAppearance?.({ language, theme: settings.theme });
  }

  async changeSettings(change: Partial<AppSettings>): Promise<void> {
    this.takeSettings({ ...this.settings, ...change });
    await this.attempt(() => this.api.changeSettings(change));
  }

  private readonly events: ManagerEvents = {
    vmChanged: (vm) => {
      this.vms = new Map(this.vms).set(vm.id, vm);
    },
    vmRemoved: (id) => {
      const rest = new Map(this.vms);
      rest.delete(id);
      this.vms = rest;
      this.metrics.delete(id);
    },
    vmMetrics: (id, sample) => {
      this.metrics.set(id, [...(this.metrics.get(id) ?? []), sample].slice(-METRICS_KEPT));
    },
    thumbnailChanged: (id, version) => {
      const vm = this.vms.get(id);
      if (vm !== undefined && vm.thumbnailVersion !== version) this.vms = new Map(this.vms).set(id, { ...vm, thumbnailVersion: version });
    },
    mediaChanged: () => {
      this.mediaVersion++;
    },
    snapshotsChanged: () => {
      this.snapshotsVersion++;
    },
    taskProgress: (progress) => {
      if (progress.state === 'running') this.tasks.set(progress.taskId, progress);
      else this.tasks.delete(progress.taskId);
    },
    logLine: (id, line) => {
      for (const listener of this.logListeners) listener(id, line);
    },
    settingsChanged: (settings) => this.takeSettings(settings),
  };

  onLogLine(listener: (vmId: string, line: LogLine) => void): () => void {
    this.logListeners.add(listener);
    return () => this.logListeners.delete(listener);
  }

  newTaskId(kind: string): string {
    return `${kind}-${Date.now().toString(36)}-${this.nextTask++}`;
  }

  /** Runs it; a failure becomes a message at the corner. @returns undefined when it failed */
  async attempt<Result>(run: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await run();
    } catch (thrown) {
      if (!isCancelled(thrown)) toasts.show({ tone: 'error', text: errorText(thrown) });
      return undefined;
    }
  }

  open(dialog: AppDialog): void {
    this.dialogs = [...this.dialogs, dialog];
  }
  close(dialog: AppDialog): void {
    this.dialogs = this.dialogs.filter((other) => other !== dialog);
  }

  confirm(options: { readonly title: string; readonly text: string; readonly confirm: string; readonly danger?: boolean; readonly run: () => void }): void {
    this.open({ kind: 'confirm', danger: false, ...options });
  }

  /** Lets the user choose a file of the host. */
  pickFile(title: string, accept: readonly string[], chosen: (file: FileHandle, name: string) => void): void {
    const native = this.shell.pickFile;
    if (native === undefined) this.open({ kind: 'browse', title, accept, chosen });
    else
      void this.attempt(native).then((offer) => {
        if (offer !== undefined) chosen(offer.file, offer.fileName);
      });
  }
}

const KEY = Symbol('app');
export function provideApp(app: AppState): void {
  setContext(KEY, app);
}
export function useApp(): AppState {
  return getContext<AppState>(KEY);
}
