// The browser host with a real library and real VM processes, seen through HTTP and WebSocket.

import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BrowserHost } from '../../core/host/browser-host/browser-host.ts';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import { Manager } from '../../core/manager/manager.ts';
import type { VmSummary } from '../../core/protocol/library.ts';
import { consoleClient, letIn, managerClient } from '../support/browser-client.ts';
import { temporaryFolder } from '../support/nestbox.ts';

async function serve(): Promise<{ manager: Manager; host: BrowserHost }> {
  const root = join(temporaryFolder(), 'library');
  const manager = await Manager.open({ root, host: new NodeVmHost(), version: '0', shell: 'browser' });
  onTestFinished(() => manager.close());
  const host = await BrowserHost.start({ manager, appFolder: join(root, 'no-app') });
  onTestFinished(() => host.close());
  return { manager, host };
}

/** Resolves when an event has shown that state. */
function stateWatcher(): { vmChanged: (vm: VmSummary) => void; reached: (id: string, state: string) => Promise<VmSummary> } {
  const last = new Map<string, VmSummary>();
  const wake: (() => void)[] = [];
  return {
    vmChanged: (vm) => {
      last.set(vm.id, vm);
      for (const each of wake.splice(0)) each();
    },
    reached: async (id, state) => {
      for (;;) {
        const vm = last.get(id);
        if (vm?.state === state) return vm;
        await new Promise<void>((resolve) => {
          wake.push(resolve);
        });
      }
    },
  };
}

describe('browser host', () => {
  it('boots the demo machine, shows its screen, survives kill -9 and starts it again', async () => {
    const { host } = await serve();
    const session = await letIn(host.launchUrl());
    const watcher = stateWatcher();
    const { manager } = await managerClient(session, { vmChanged: watcher.vmChanged });
    const [demo] = await manager.listVms();
    if (demo === undefined) throw new Error('no demo machine');
    expect(demo).toMatchObject({ name: 'Nestbox demo', state: 'off' });

    await manager.startVm(demo.id);
    let exitReason = '';
    let serial = '';
    const { console, port } = await consoleClient(session, demo.id, {
      ended: (exit) => (exitReason = exit.reason),
      serialOutput: (bytes) => (serial += new TextDecoder().decode(bytes)),
    });
    const closed = new Promise<void>((resolve) => port.onClose(resolve));
    const first = await console.nextFrame(true);
    expect(first.pixels.length).toBe(first.width * first.height * 4);
    for (;;) {
      const frame = await console.nextFrame(false);
      expect(frame.damage.length).toBeGreaterThan(0);
      expect(frame.pixels.length).toBe(frame.damage.reduce((sum, rect) => sum + rect.width * rect.height * 4, 0));
      const screen = await console.textScreen();
      if (screen?.lines[0]?.includes('machine check-up') === true) break;
    }
    expect((await console.status()).state).toBe('running');
    await expect(console.pointer(2, 0, 0, 0)).rejects.toMatchObject({ kind: 'usage' });
    expect(Buffer.from(await console.screenshot()).subarray(1, 4).toString()).toBe('PNG');

    const { pid } = await watcher.reached(demo.id, 'running');
    if (pid === undefined) throw new Error('no process');
    process.kill(pid, 'SIGKILL');
    const dead = await watcher.reached(demo.id, 'failed');
    expect(dead.notice).toMatchObject({ code: 'vm-process-died', params: { how: 'SIGKILL' } });
    await closed;
    expect(exitReason).toBe('error');
    expect(serial.length + (await manager.logs(demo.id, { from: 0, limit: 100 })).lines.length).toBeGreaterThan(0);

    await manager.startVm(demo.id);
    await watcher.reached(demo.id, 'running');
    await manager.powerOffVm(demo.id);
    expect((await manager.vm(demo.id)).state).toBe('off');
    expect(await manager.thumbnail(demo.id)).toBeInstanceOf(Uint8Array);
  });
});
