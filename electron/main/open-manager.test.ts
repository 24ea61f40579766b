import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { createPortPair } from '../../core/base/port.ts';
import type { ManagerApi, ManagerEvents } from '../../core/protocol/manager-api.ts';
import { connectRpc } from '../../core/protocol/rpc.ts';
import { connectLocal } from '../../core/host/local-server.ts';
import { libraryFolder } from '../../core/manager/library-folder.ts';
import type { LocalApi } from '../../core/protocol/local-api.ts';
import { forkUtility } from '../testing/utility-fork.ts';
import { openDesktopManager } from './open-manager.ts';
import { UtilityVmHost } from './utility-vm-host.ts';

const root = mkdtempSync(join(tmpdir(), 'nestbox-desktop-library-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const host = new UtilityVmHost(forkUtility, fileURLToPath(new URL('../vm/main.ts', import.meta.url)), (pid) => process.kill(pid, 'SIGKILL'));

it('runs the demo machine of a new library in a utility process and ends it', async () => {
  const manager = await openDesktopManager({ root, host, version: '0', language: 'de-DE', appFolder: root });
  const [ours, theirs] = createPortPair();
  manager.serve(theirs);
  let changes = 0;
  manager.onRunningChanged(() => changes++);
  const events = new Proxy({}, { get: () => (): void => undefined }) as ManagerEvents;
  const api = connectRpc<ManagerApi, ManagerEvents>(ours, events);
  expect(await api.appInfo()).toMatchObject({ shell: 'electron', hostLanguage: 'de-DE' });
  expect((await api.hostInfo()).processor.logicalProcessors).toBeGreaterThan(0);
  // Commands reach the library that the desktop app holds.
  const local = await connectLocal(libraryFolder(root).socket, { hello: 'manager' });
  if (local === undefined) throw new Error('no local socket');
  const commands = connectRpc<LocalApi, ManagerEvents>(local, new Proxy({}, { get: () => (): void => undefined }) as ManagerEvents) as unknown as LocalApi;
  expect((await commands.localInfo()).kind).toBe('desktop');
  expect((await commands.listVms()).length).toBe(1);
  local.dispose();
  const [demo] = await api.listVms();
  if (demo === undefined) throw new Error('no demo machine');
  await api.startVm(demo.id);
  expect(manager.running()).toEqual([{ id: demo.id, name: demo.name }]);
  expect(changes).toBeGreaterThan(0);
  await manager.powerOffAll();
  await expect.poll(() => manager.running()).toEqual([]);
  const file = join(root, 'some.iso');
  writeFileSync(file, 'x');
  expect(await manager.adoptPath(file)).toMatchObject({ fileName: 'some.iso', sizeBytes: 1 });
  await expect(manager.adoptPath(root)).rejects.toThrow('no such file');
  await manager.dispose();
  expect(existsSync(join(root, 'registry.db-wal'))).toBe(false);
});

it('shows why a library cannot be opened and goes on when it can', async () => {
  const damaged = mkdtempSync(join(tmpdir(), 'nestbox-desktop-damaged-'));
  const registry = join(damaged, 'registry.db');
  writeFileSync(registry, 'This is no database.'.repeat(100));
  const manager = await openDesktopManager({ root: damaged, host, version: '0', language: 'en', appFolder: root });
  const [ours, theirs] = createPortPair();
  manager.serve(theirs);
  const api = connectRpc<ManagerApi, ManagerEvents>(ours, new Proxy({}, { get: () => (): void => undefined }) as ManagerEvents);
  await expect(api.appInfo()).rejects.toMatchObject({ context: { code: 'registry-damaged', path: registry } });
  await expect(api.listVms()).rejects.toMatchObject({ kind: 'bad-input' });
  expect(manager.running()).toEqual([]);
  expect(readFileSync(registry, 'utf8')).toBe('This is no database.'.repeat(100));
  rmSync(registry);
  expect((await api.appInfo()).shell).toBe('electron');
  expect((await api.listVms()).length).toBe(1);
  await manager.dispose();
  rmSync(damaged, { recursive: true, force: true });
});
