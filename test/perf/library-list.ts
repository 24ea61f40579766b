// How long it takes from starting the browser host until a page has the list of 200 machines. Prints milliseconds; asserts
// nothing, because machines differ. Usage: node test/perf/library-list.ts [machines]

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import { Manager } from '../../core/manager/manager.ts';
import { letIn, managerClient } from '../support/browser-client.ts';

const count = Number(process.argv[2] ?? 200);
const MIB = 2 ** 20;
const folder = mkdtempSync(join(tmpdir(), 'nestbox-perf-'));
const root = join(folder, 'library');
try {
  const manager = await Manager.open({ root, host: new NodeVmHost(), version: 'perf', shell: 'browser' });
  for (let i = 1; i < count; i++) {
    await manager.api.createVm({ name: `Machine ${i}`, osId: 'debian', hardware: { memoryMib: 512 }, drives: [{ kind: 'disk', source: 'new', sizeBytes: 64 * MIB }, { kind: 'cdrom', source: 'empty' }], tags: [`tag ${i % 7}`], groupPath: `group ${i % 5}` });
  }
  await manager.close();
  const started = performance.now();
  const server = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', new URL('../../core/cli/main.ts', import.meta.url).pathname, 'serve', '--no-open'], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NESTBOX_HOME: root } });
  const url = await new Promise<string>((resolve) => server.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim())));
  const served = performance.now();
  const { manager: remote, port } = await managerClient(await letIn(url));
  const list = await remote.listVms();
  const listed = performance.now();
  await remote.listVms();
  const again = performance.now();
  port.dispose();
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  await ended;
  console.log(`${list.length} machines: address after ${(served - started).toFixed(0)} ms, list after ${(listed - started).toFixed(0)} ms; the list alone ${(again - listed).toFixed(0)} ms`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
