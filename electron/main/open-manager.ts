// Opens the user's library for the desktop app and gives it the shape that the shell needs. Commands and `nestbox serve`
// reach it through the library's local socket. A library that cannot be opened is no reason to end: windows say why.

import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { NestboxError } from '../../core/base/errors.ts';
import { LibraryGate, isForTheWindow } from '../../core/host/library-gate.ts';
import { ManagerProgram, type ManagerProgramOptions } from '../../core/host/manager-program.ts';
import { defaultLibraryRoot } from '../../core/manager/library-folder.ts';
import type { Manager } from '../../core/manager/manager.ts';
import { serveManager } from '../../core/manager/serve-manager.ts';
import type { VmHost } from '../../core/manager/vm-host.ts';
import type { DesktopManager, RunningVm } from './desktop-manager.ts';

/** package.json is copied beside the bundle. */
function version(): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}

export interface DesktopLibrary {
  readonly host: VmHost;
  readonly language: string;
  /** dist/renderer, for `nestbox serve` beside the desktop app. */
  readonly appFolder: string;
  /** The library's folder. */
  readonly root?: string;
  readonly version?: string;
  /** Somebody asked the app to end through the local socket. */
  readonly onShutDown?: () => void;
}

/** @throws NestboxError `busy` when another Nestbox has the library */
export async function openDesktopManager(library: DesktopLibrary): Promise<DesktopManager> {
  const options: ManagerProgramOptions = { root: library.root ?? defaultLibraryRoot(), version: library.version ?? version(), kind: 'desktop', host: library.host, hostLanguage: library.language, appFolder: library.appFolder };
  let program: ManagerProgram | undefined;
  const open = async (): Promise<Manager> => {
    program = await ManagerProgram.open(options);
    void program.done.then(() => library.onShutDown?.());
    return program.manager;
  };
  const close = async (): Promise<void> => program?.close();
  try {
    const manager = await open();
    return desktopManager(manager, () => manager, close);
  } catch (error) {
    if (!isForTheWindow(error)) throw error;
    const gate = new LibraryGate(options.root, error, open);
    return desktopManager(gate, () => gate.opened, close);
  }
}

function desktopManager(source: Pick<Manager, 'api' | 'events' | 'openConsole'>, opened: () => Manager | undefined, close: () => Promise<void>): DesktopManager {
  const running = (): RunningVm[] => {
    const manager = opened();
    return manager === undefined ? [] : [...manager.power.all.keys()].map((id) => ({ id, name: manager.library.row(id).name }));
  };
  return {
    serve: (port) => serveManager(port, source),
    openConsole: (vmId) => source.openConsole(vmId),
    adoptPath: async (path) => {
      const status = await stat(path).catch(() => undefined);
      const manager = opened();
      if (status?.isFile() !== true || manager === undefined) throw new NestboxError('not-found', `${path}: no such file`, { op: 'open file' });
      return { handle: manager.files.grant(path), fileName: basename(path), sizeBytes: status.size };
    },
    running,
    onRunningChanged: (listener) =>
      source.events.onAny((name) => {
        if (name === 'vmChanged' || name === 'vmRemoved') listener();
      }),
    saveAll: () => forAll(running(), (id) => source.api.saveVmState(id)),
    powerOffAll: () => forAll(running(), (id) => source.api.powerOffVm(id)),
    dispose: close,
  };
}

/** Tries every machine; then the first problem is thrown. */
async function forAll(vms: readonly RunningVm[], work: (id: string) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(vms.map((vm) => work(vm.id)));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
