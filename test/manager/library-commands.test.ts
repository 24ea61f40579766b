// `nestbox vm`, `media`, `import` and `serve` as a user runs them: with and without a manager that runs, and machines that go
// on when the command has ended.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectLocal } from '../../core/host/local-server.ts';
import { peerUserId } from '../../core/host/peer-user.ts';
import { libraryFolder } from '../../core/manager/library-folder.ts';
import type { LocalApi } from '../../core/protocol/local-api.ts';
import type { VmDetail, VmSummary } from '../../core/protocol/library.ts';
import type { ManagerEvents } from '../../core/protocol/manager-api.ts';
import { connectRpc } from '../../core/protocol/rpc.ts';
import { letIn, managerClient } from '../support/browser-client.ts';
import { type CommandResult, projectRoot, temporaryFolder } from '../support/nestbox.ts';

const MAIN = join(projectRoot, 'core/cli/main.ts');

/** Commands on a library of their own; the background process is ended with the test. */
function library(): { root: string; run: (...args: string[]) => Promise<CommandResult>; json: <T>(...args: string[]) => Promise<T> } {
  const root = join(temporaryFolder(), 'library');
  const run = (...args: string[]): Promise<CommandResult> =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NESTBOX_HOME: root } });
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      child.once('error', reject);
      child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
    });
  onTestFinished(() => shutDown(root));
  return {
    root,
    run,
    json: async <T>(...args: string[]) => {
      const result = await run(...args, '--json');
      if (result.code !== 0) throw new Error(result.stderr);
      return JSON.parse(result.stdout) as T;
    },
  };
}

async function shutDown(root: string): Promise<void> {
  const port = await connectLocal(libraryFolder(root).socket, { hello: 'manager' });
  if (port === undefined) return;
  const closed = new Promise<void>((resolve) => port.onClose(resolve));
  await (connectRpc<LocalApi, Partial<ManagerEvents>>(port, {}, { failOnClose: true }) as unknown as LocalApi).shutDown().catch(() => undefined);
  await closed;
}

describe('library commands', () => {
  it('make, show, change and delete machines without a manager that runs', async () => {
    const { root, run, json } = library();
    const made = await json<VmDetail>('vm', 'create', 'Alpha', '--memory', '64', '--disk', '16M', '--cdrom', 'empty', '--tag', 'x', '--group', 'lab', '--boot', 'disk');
    expect(made.drives.map((drive) => [drive.slot, drive.medium?.virtualBytes])).toEqual([['ide0', 16 * 2 ** 20], ['ide2', undefined]]);
    expect(made.hardware.bootOrder).toEqual(['disk', 'floppy', 'cdrom']);
    expect((await json<VmSummary[]>('vm', 'list')).map((vm) => [vm.name, vm.state])).toEqual([['Alpha', 'off'], ['Nestbox demo', 'off']]);
    expect((await run('vm', 'show', 'alpha')).stdout).toContain('16 MiB');
    await json('vm', 'set', 'Alpha', '--name', 'Beta', '--memory', '1G', '--add-disk', '4M', '--remove', 'ide2');
    const changed = await json<VmDetail>('vm', 'show', 'beta');
    expect([changed.memoryMib, changed.drives.map((drive) => drive.slot)]).toEqual([1024, ['ide0', 'ide1']]);
    await json('vm', 'clone', 'Beta', 'Gamma', '--linked');
    const refused: [string[], RegExp][] = [
      [['vm', 'create', 'a/b'], /may not contain \//],
      [['vm', 'create', 'gamma'], /is a virtual machine named gamma already/],
      [['vm', 'create', 'x'.repeat(300)], /300 characters/],
      [['vm', 'create', 'x', '--memory', '99999999'], /This host has/],
      [['vm', 'create', 'x', '--disk', '/nowhere.img'], /nowhere/],
      [['vm', 'show', 'nobody'], /no virtual machine "nobody"/],
      [['vm', 'pause', 'Beta'], /is not running/],
      [['import', MAIN], /./],
    ];
    for (const [args, message] of refused) {
      const result = await run(...args);
      expect([result.code, result.stdout], args.join(' ')).toEqual([2, '']);
      expect(result.stderr, args.join(' ')).toMatch(message);
      expect(result.stderr.trim().split('\n'), args.join(' ')).toHaveLength(1);
    }
    expect((await run('vm', 'delete', 'Beta', '--delete-disks')).code).toBe(0);
    expect((await run('vm', 'delete', 'Gamma', '--delete-disks')).code).toBe(0);
    expect(existsSync(join(root, 'disks', 'Alpha.qcow2'))).toBe(false);
    for (const level of [['vm', '--help'], ['vm', 'create', '--help']]) expect((await run(...level)).code).toBe(0);
  });

  it('start a machine that goes on, reach it again, and leave nothing running at the end', async () => {
    const { root, run, json } = library();
    const started = await json<VmDetail>('vm', 'start', 'nestbox demo');
    expect(started.state).toBe('running');
    const pid = started.pid ?? 0;
    process.kill(pid, 0);
    const { socket } = libraryFolder(root);
    // H14: for this user only.
    expect([statSync(socket).mode & 0o777, statSync(join(socket, '..')).mode & 0o777]).toEqual([0o600, 0o700]);
    const probe = connect(socket);
    await new Promise((resolve) => probe.once('connect', resolve));
    expect([undefined, process.getuid?.()]).toContain(await peerUserId(probe));
    probe.destroy();

    const png = join(root, 'screen.png');
    expect((await run('vm', 'screenshot', 'nestbox demo', png)).code).toBe(0);
    expect(readFileSync(png).subarray(1, 4).toString()).toBe('PNG');
    expect((await run('vm', 'pause', 'nestbox demo')).code).toBe(0);
    expect((await json<VmSummary[]>('vm', 'list', '--running')).map((vm) => vm.state)).toEqual(['paused']);
    expect((await run('vm', 'resume', 'nestbox demo')).code).toBe(0);
    expect((await run('vm', 'key', 'nestbox demo', 'nonsense')).code).toBe(2);
    // The browser host joins the manager that runs.
    const server = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'serve', '--no-open'], { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, NESTBOX_HOME: root } });
    onTestFinished(() => {
      server.kill('SIGKILL');
    });
    const url = await new Promise<string>((resolve) => server.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim())));
    const { manager, port } = await managerClient(await letIn(url));
    expect((await manager.listVms()).find((vm) => vm.pid === pid)?.state).toBe('running');
    port.dispose();
    server.kill('SIGTERM');

    expect((await run('vm', 'stop', 'nestbox demo', '--force')).code).toBe(0);
    expect(() => process.kill(pid, 0)).toThrow();
    expect((await run('vm', 'logs', 'nestbox demo')).stdout).toContain('Stopped: host');
  });

  it('say clearly when the registry cannot be used, and change nothing', async () => {
    const { root, run } = library();
    expect((await run('vm', 'list')).code).toBe(0);
    const path = join(root, 'registry.db');
    const newer = readFileSync(path);
    newer.writeUInt32BE(9999, 60);
    writeFileSync(path, newer);
    for (const args of [['vm', 'list'], ['vm', 'start', 'nestbox demo']]) {
      const result = await run(...args);
      expect([result.code, result.stdout], args.join(' ')).toEqual([2, '']);
      expect(result.stderr, args.join(' ')).toMatch(/newer Nestbox/);
    }
    // The browser host says it too, and stays: its window shows the reason and can try again.
    const server = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'serve', '--no-open'], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, NESTBOX_HOME: root } });
    onTestFinished(() => {
      server.kill('SIGKILL');
    });
    let said = '';
    server.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const ended = new Promise((resolve) => server.once('exit', resolve));
    await expect.poll(() => said).toMatch(/newer Nestbox[\s\S]*the window says why/);
    server.kill('SIGINT');
    await ended;
    expect(readFileSync(path).equals(newer)).toBe(true);
  });
});
