// `nestbox serve` as a command: how the browser is opened, and what it does with a library that cannot be opened.

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { letIn, managerClient } from '../support/browser-client.ts';
import { projectRoot } from '../support/nestbox.ts';

const folders: string[] = [];
const running: ChildProcess[] = [];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'nestbox-serve-'));
  folders.push(made);
  return made;
}

/** Starts the command and reads the address that it prints. */
async function serve(env: Record<string, string>, ...flags: string[]): Promise<string> {
  const host = spawn(process.execPath, [join(projectRoot, 'bin/nestbox.mjs'), 'serve', ...flags], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'ignore'] });
  running.push(host);
  return new Promise((resolve, reject) => {
    host.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim()));
    host.once('exit', (code) => reject(new Error(`nestbox serve ended with ${String(code)}`)));
  });
}

afterEach(async () => {
  for (const host of running.splice(0)) {
    if (host.exitCode !== null) continue;
    const ended = new Promise((resolve) => host.once('exit', resolve));
    host.kill('SIGINT');
    await ended;
  }
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

describe('nestbox serve', () => {
  it.skipIf(process.platform !== 'linux')('opens the browser with a private file, not with the launch code among its arguments', async () => {
    const bin = folder();
    const note = join(bin, 'note.json');
    const browser = join(bin, 'xdg-open');
    // Notes its arguments and what the file says, as a browser that has read it.
    writeFileSync(browser, `#!${process.execPath}\nconst fs = require('node:fs');\nconst url = new URL(process.argv[2]);\nfs.writeFileSync('${note}.part', JSON.stringify({ args: process.argv.slice(2), page: fs.readFileSync(url, 'utf8'), mode: fs.statSync(url).mode & 0o777, path: url.pathname }));\nfs.renameSync('${note}.part', '${note}');\n`);
    chmodSync(browser, 0o755);
    const url = await serve({ NESTBOX_HOME: join(folder(), 'library'), DISPLAY: ':77', PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` });
    const read = (): { args: string[]; page: string; mode: number; path: string } | undefined => {
      try {
        return JSON.parse(readFileSync(note, 'utf8')) as ReturnType<typeof read>;
      } catch {
        return undefined;
      }
    };
    await expect.poll(read, { timeout: 20_000 }).toBeDefined();
    const seen = read();
    expect(seen?.args).toHaveLength(1);
    expect(seen?.args[0]).not.toContain(new URL(url).hash.slice(1));
    expect(seen?.mode).toBe(0o600);
    expect(seen?.page).toContain(`0; url=${url}`);
    expect((await letIn(url)).path).toMatch(/^\/s\//);
  });

  it('serves the reason when the library cannot be opened, and the library once it can', async () => {
    const root = folder();
    const registry = join(root, 'registry.db');
    writeFileSync(registry, 'x'.repeat(8192));
    const { port, manager } = await managerClient(await letIn(await serve({ NESTBOX_HOME: root }, '--no-open')));
    await expect(manager.appInfo()).rejects.toMatchObject({ kind: 'bad-input', context: { code: 'registry-damaged' } });
    expect(readFileSync(registry, 'utf8')).toBe('x'.repeat(8192));
    rmSync(registry);
    expect((await manager.appInfo()).shell).toBe('browser');
    expect((await manager.listVms()).map((vm) => vm.name)).toEqual(['Nestbox demo']);
    port.dispose();
  });
});
