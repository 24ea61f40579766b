// Power of VMs: start, pause, reset, power-off, and what is left when a process ends by itself or dies.

import { basename, dirname } from 'node:path';
import { isNestboxError, messageOf } from '../base/errors.ts';
import type { Port } from '../base/port.ts';
import type { Notice, VmPowerState } from '../protocol/library.ts';
import type { VmConfigInput } from '../protocol/vm-config.ts';
import type { Registry } from '../registry/registry.ts';
import type { VmRow } from '../registry/rows.ts';
import { mediaConfig } from './drives.ts';
import type { MediaLibrary } from './media.ts';
import { notice, refusal } from './notices.ts';
import { RunningVm, type VmEnd } from './running-vm.ts';
import type { SnapshotOperations } from './snapshots/snapshot-operations.ts';
import type { VmHost } from './vm-host.ts';
import type { VmLogs } from './vm-logs.ts';

const STDERR_LINES = 40;
const MESSAGE_CHARACTERS_MAX = 300;

export interface PowerOptions {
  readonly registry: Registry;
  readonly host: VmHost;
  readonly media: MediaLibrary;
  readonly logs: VmLogs;
  /** Something about the VM is different now. */
  changed(id: string): void;
  /** The process has started; until `ended` of it resolves it belongs to the other parts too. */
  started(id: string, vm: RunningVm): void;
  /** Saved states and snapshots, if they are there. */
  readonly snapshots: () => SnapshotOperations | undefined;
  /** The last moment before the process goes: its last picture. */
  stopped(id: string): void;
}

export class Power {
  private readonly options: PowerOptions;
  private readonly running = new Map<string, RunningVm>();
  private readonly busy = new Set<string>();
  /** Notices of running VMs; those of stopped ones are in the registry. */
  private readonly notices = new Map<string, Notice>();

  constructor(options: PowerOptions) {
    this.options = options;
  }

  /** A manager that was killed leaves VMs that were started and never ended: their processes ended with it. */
  noteInterrupted(): string[] {
    const interrupted = this.options.registry.vms().filter((row) => row.startedMs !== null && row.lastExit === null);
    for (const row of interrupted) {
      this.options.registry.noteRun(row.id, { lastExit: { reason: 'host' }, notice: notice('manager-ended') });
      this.options.logs.add(row.id, 'warn', 'manager', 'Nestbox ended while this virtual machine was running');
    }
    return interrupted.map((row) => row.name);
  }

  find(id: string): RunningVm | undefined {
    return this.running.get(id);
  }

  get all(): ReadonlyMap<string, RunningVm> {
    return this.running;
  }

  noticeOf(id: string): Notice | undefined {
    return this.notices.get(id);
  }

  private row(id: string): VmRow {
    const row = this.options.registry.vm(id);
    if (row === undefined) throw refusal('not-found', 'vm-unknown', { id });
    return row;
  }

  stateOf(row: VmRow): VmPowerState {
    const running = this.running.get(row.id);
    if (running !== undefined) return running.powerState;
    if (row.savedStateId !== null) return 'saved';
    return row.lastExit?.reason === 'fault' || row.lastExit?.reason === 'error' ? 'failed' : 'off';
  }

  /** @throws NestboxError `busy` */
  requireOff(id: string): VmRow {
    const row = this.row(id);
    const state = this.stateOf(row);
    if (this.running.has(id)) throw refusal('busy', 'vm-not-off', { name: row.name, state });
    return row;
  }

  /** @throws NestboxError `busy` */
  requireRunning(id: string): RunningVm {
    const row = this.row(id);
    const vm = this.running.get(id);
    if (vm === undefined || vm.powerState === 'stopping') throw refusal('busy', 'vm-not-running', { name: row.name });
    return vm;
  }

  /** Keeps two operations on one VM apart. @throws NestboxError `busy` */
  async exclusive<T>(id: string, work: () => Promise<T>): Promise<T> {
    const row = this.row(id);
    if (this.busy.has(id)) throw refusal('busy', 'vm-busy', { name: row.name });
    this.busy.add(id);
    try {
      return await work();
    } finally {
      this.busy.delete(id);
    }
  }

  async start(id: string): Promise<void> {
    await this.exclusive(id, () => this.launch(id));
  }

  /** `start` for those who have the VM for themselves already. */
  async launch(id: string): Promise<void> {
    const { registry, host, logs, media } = this.options;
    const row = this.requireOff(id);
    await this.requireMedia(row);
    const snapshots = this.options.snapshots();
    const config: VmConfigInput = { ...row.config, name: row.name, media: snapshots?.mediaOf(id) ?? mediaConfig(row.drives, (mediumId) => registry.medium(mediumId)) };
    const vm = await RunningVm.launch(host, `nestbox-vm ${row.name}`, (level, source, message) => this.log(id, level, source, message));
    this.running.set(id, vm);
    this.notices.delete(id);
    registry.noteRun(id, { startedMs: vm.startedMs, lastExit: null, notice: null });
    vm.onChanged(() => this.options.changed(id));
    vm.onDiskFull((message) => this.diskFull(id, message));
    void vm.ended.then((end) => this.ended(id, vm, end));
    logs.add(id, 'info', 'manager', `Starting (process ${vm.pid})`);
    this.options.changed(id);
    this.options.started(id, vm);
    try {
      if (snapshots !== undefined) vm.onStateProgress((progress) => snapshots.stateProgress(progress.id, progress.fraction));
      await vm.start((commands) => (snapshots === undefined ? commands.start(config) : snapshots.startMachine(id, commands, config)));
    } catch (error) {
      // `ended` has said it all to the registry; a start that never was is told to the caller, not kept as a failure.
      await vm.ended;
      logs.add(id, 'error', 'manager', `Could not start: ${messageOf(error)}`);
      void media.lookForAll();
      throw error;
    }
    // A running machine's memory and disks are more than any earlier trouble.
    this.options.changed(id);
  }

  private async requireMedia(row: VmRow): Promise<void> {
    const { media, registry } = this.options;
    await media.lookForAll();
    for (const drive of row.drives) {
      if (drive.mediumId === null || !media.isMissing(drive.mediumId)) continue;
      const path = registry.medium(drive.mediumId)?.path ?? '';
      const params = { fileName: basename(path), folder: dirname(path), slot: drive.slot };
      this.options.changed(row.id);
      throw refusal('not-found', 'medium-missing', params);
    }
  }

  private log(id: string, level: string, source: string, message: string): void {
    const known = level === 'error' || level === 'warn' || level === 'debug' ? level : 'info';
    this.options.logs.add(id, known, source, message);
    if (source !== 'vm' || level !== 'error') return;
    this.notices.set(id, notice('medium-error', { message: message.slice(0, MESSAGE_CHARACTERS_MAX) }));
    this.options.changed(id);
  }

  /** @param message undefined: there is space again */
  private diskFull(id: string, message: string | undefined): void {
    if (message !== undefined) this.notices.set(id, notice('disk-full', { message: message.slice(0, MESSAGE_CHARACTERS_MAX) }));
    else if (this.notices.get(id)?.code === 'disk-full') this.notices.delete(id);
    this.options.changed(id);
  }

  private ended(id: string, vm: RunningVm, end: VmEnd): void {
    if (this.running.get(id) !== vm) return;
    this.options.stopped(id);
    this.running.delete(id);
    const { registry, logs } = this.options;
    const { exit, died } = end;
    const kept = this.notices.get(id);
    this.notices.delete(id);
    const about = died !== undefined ? notice('vm-process-died', { how: died.how }) : exit.reason === 'fault' ? notice('guest-fault', { message: exit.message ?? '' }) : exit.reason === 'error' ? notice('vm-error', { message: exit.message ?? '' }) : kept;
    if (died !== undefined) {
      logs.add(id, 'error', 'manager', `The VM process ended unexpectedly (${died.how})`);
      for (const line of died.stderr.split('\n').slice(-STDERR_LINES)) if (line.trim() !== '') logs.add(id, 'error', 'process', line);
    } else {
      logs.add(id, exit.reason === 'fault' || exit.reason === 'error' ? 'error' : 'info', 'manager', `Stopped: ${exit.reason}${exit.message === undefined ? '' : `, ${exit.message}`}`);
      for (const line of exit.report?.split('\n') ?? []) logs.add(id, 'error', 'guest', line);
    }
    // The VM may have been deleted meanwhile.
    if (registry.vm(id) === undefined) return;
    registry.noteRun(id, { lastExit: exit, notice: about ?? null });
    this.options.changed(id);
    void this.options.snapshots()?.vmStopped(id).catch((error: unknown) => logs.add(id, 'error', 'snapshots', messageOf(error)));
  }

  async pause(id: string): Promise<void> {
    await this.requireRunning(id).call('pause');
  }

  async resume(id: string): Promise<void> {
    await this.requireRunning(id).call('resume');
  }

  async reset(id: string): Promise<void> {
    const vm = this.requireRunning(id);
    await vm.call('reset');
    if (vm.powerState === 'paused') await vm.call('resume');
  }

  async powerButton(id: string): Promise<boolean> {
    return this.requireRunning(id).call('powerButton');
  }

  /** Also ends a VM that is stuck in any other state. */
  async powerOff(id: string): Promise<void> {
    const vm = this.running.get(id);
    if (vm === undefined) throw refusal('busy', 'vm-not-running', { name: this.row(id).name });
    await vm.powerOff();
  }

  openConsole(id: string): Port {
    return this.requireRunning(id).openConsole();
  }

  /** Switches everything off: the manager ends. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.running.values()].map((vm) => vm.powerOff()));
  }
}

export function isVmGone(error: unknown): boolean {
  return isNestboxError(error) && (error.context.code === 'vm-not-running' || error.context.code === 'vm-process-died');
}

