// A library in a folder of its own, with VM processes that are none, and helpers to wait for what it says.

import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Manager, type ManagerOptions } from '../../core/manager/manager.ts';
import type { NewVmSpec, VmPowerState, VmSummary } from '../../core/protocol/library.ts';
import { FakeVmHost } from './fake-vm-host.ts';
import { temporaryFolder } from './nestbox.ts';

export const MIB = 2 ** 20;

export function newVm(name: string, more: Partial<NewVmSpec> = {}): NewVmSpec {
  return { name, osId: 'unknown', hardware: { memoryMib: 64 }, drives: [], ...more };
}

export interface TestLibrary {
  readonly manager: Manager;
  readonly host: FakeVmHost;
  readonly root: string;
  /** Closes the manager and opens the library again. */
  reopen(): Promise<TestLibrary>;
}

export async function openLibrary(root = join(temporaryFolder(), 'library'), options: Partial<ManagerOptions> = {}): Promise<TestLibrary> {
  const host = new FakeVmHost();
  const manager = await Manager.open({ root, host, version: 'test', shell: 'browser', demo: false, ...options });
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await manager.close();
    isOpen = false;
  };
  onTestFinished(close);
  return {
    manager,
    host,
    root,
    reopen: async () => {
      await close();
      return openLibrary(root, options);
    },
  };
}

/** Resolves when the VM has that state. */
export function stateReached(manager: Manager, id: string, state: VmPowerState): Promise<VmSummary> {
  return new Promise((resolve) => {
    const look = (vm: VmSummary): boolean => {
      if (vm.id !== id || vm.state !== state) return false;
      listening.dispose();
      resolve(vm);
      return true;
    };
    const listening = manager.events.on('vmChanged', look);
    const now = manager.library.list().find((vm) => vm.id === id);
    if (now !== undefined) look(now);
  });
}
