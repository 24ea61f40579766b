// Opens the user's library for the desktop app and gives it the shape that the shell needs.

import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { NestboxError } from '../../core/base/errors.ts';
import { defaultLibraryRoot } from '../../core/manager/library-folder.ts';
import { Manager } from '../../core/manager/manager.ts';
import { serveManager } from '../../core/manager/serve-manager.ts';
import type { VmHost } from '../../core/manager/vm-host.ts';
import type { DesktopManager, RunningVm } from './desktop-manager.ts';

/** package.json is copied beside the bundle. */
function version(): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}

/** @param root the library's folder. @throws NestboxError when the registry is damaged, newer, or in use */
export async function openDesktopManager(host: VmHost, language: string, root = defaultLibraryRoot()): Promise<DesktopManager> {
  return desktopManager(await Manager.open({ root, host, version: version(), shell: 'electron', hostLanguage: language }));
}

export function desktopManager(manager: Manager): DesktopManager {
  const running = (): RunningVm[] => [...manager.power.all.keys()].map((id) => ({ id, name: manager.library.row(id).name }));
  return {
    serve: (port) => serveManager(port, manager),
    openConsole: (vmId) => manager.openConsole(vmId),
    adoptPath: async (path) => {
      const status = await stat(path).catch(() => undefined);
      if (status?.isFile() !== true) throw new NestboxError('not-found', `${path}: no such file`, { op: 'open file' });
      return { handle: manager.files.grant(path), fileName: basename(path), sizeBytes: status.size };
    },
    running,
    onRunningChanged: (listener) =>
      manager.events.onAny((name) => {
        if (name === 'vmChanged' || name === 'vmRemoved') listener();
      }),
    saveAll: () => forAll(running(), (id) => manager.api.saveVmState(id)),
    powerOffAll: () => forAll(running(), (id) => manager.api.powerOffVm(id)),
    dispose: () => manager.close(),
  };
}

/** Tries every machine; then the first problem is thrown. */
async function forAll(vms: readonly RunningVm[], work: (id: string) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(vms.map((vm) => work(vm.id)));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
