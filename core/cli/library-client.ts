// How commands reach the library: through the manager that runs (desktop app, browser host, background process), or by
// opening the library themselves for the time of the command. A VM that shall go on after the command needs an owner: the
// background process, started on demand.

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NestboxError, isNestboxError } from '../base/errors.ts';
import type { Port } from '../base/port.ts';
import { connectLocal } from '../host/local-server.ts';
import { ManagerProgram } from '../host/manager-program.ts';
import { EVENT_NAMES } from '../manager/events.ts';
import { defaultLibraryRoot, libraryFolder } from '../manager/library-folder.ts';
import { checkedApi } from '../manager/serve-manager.ts';
import type { LocalApi } from '../protocol/local-api.ts';
import type { ManagerApi, ManagerEvents } from '../protocol/manager-api.ts';
import { connectRpc } from '../protocol/rpc.ts';
import { version } from './version.ts';

export interface LibraryClient {
  readonly api: ManagerApi;
  /** A handle for a file of this host. */
  adoptPath(path: string): Promise<string>;
  openConsole(vmId: string): Promise<Port>;
  exportVm(vmId: string, path: string, taskId: string): Promise<void>;
  on<Name extends keyof ManagerEvents>(name: Name, listener: ManagerEvents[Name]): void;
}

const START_WAIT_MS = 20_000;
const POLL_MS = 50;
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

type Listeners = { [Name in keyof ManagerEvents]?: ManagerEvents[Name][] };

function dispatching(listeners: Listeners): ManagerEvents {
  const table: Record<string, unknown> = {};
  for (const name of EVENT_NAMES) {
    table[name] = (...args: unknown[]): void => {
      for (const listener of listeners[name] ?? []) (listener as (...list: unknown[]) => void)(...args);
    };
  }
  return table as unknown as ManagerEvents;
}

/** @returns undefined when no manager runs */
export async function connectToManager(): Promise<{ client: LibraryClient; local: LocalApi; port: Port } | undefined> {
  const { socket } = libraryFolder(defaultLibraryRoot());
  const port = await connectLocal(socket, { hello: 'manager' });
  if (port === undefined) return undefined;
  const listeners: Listeners = {};
  const local = connectRpc<LocalApi, ManagerEvents>(port, dispatching(listeners), { failOnClose: true }) as unknown as LocalApi;
  const client: LibraryClient = {
    api: local,
    adoptPath: (path) => local.adoptPath(resolve(path)),
    exportVm: (vmId, path, taskId) => local.exportVm(vmId, resolve(path), { taskId }),
    openConsole: async (vmId) => {
      const console = await connectLocal(socket, { hello: 'console', vmId });
      if (console === undefined) throw new NestboxError('io', 'The running Nestbox has ended', { op: 'connect' });
      return console;
    },
    on: (name, listener) => {
      ((listeners[name] ??= []) as unknown[]).push(listener);
    },
  };
  return { client, local, port };
}

/** Runs a command that leaves nothing running: with the manager that there is, or without one. */
export async function withLibrary<T>(work: (library: LibraryClient) => Promise<T>): Promise<T> {
  const connected = await connectToManager();
  if (connected !== undefined) return useConnection(connected, work);
  let program: ManagerProgram;
  try {
    program = await ManagerProgram.open({ root: defaultLibraryRoot(), version: version(), kind: 'background', idleMs: 2 ** 30 });
  } catch (error) {
    // Another process was faster, and its door may not be open yet.
    if (isNestboxError(error) && error.context.code === 'library-in-use') return useConnection(await waitForManager(undefined, error), work);
    throw error;
  }
  try {
    const { manager } = program;
    return await work({
      api: checkedApi(manager.api),
      adoptPath: (path) => program.adoptPath(path),
      exportVm: (vmId, path, taskId) => manager.exportVm(vmId, resolve(path), { taskId }),
      openConsole: async (vmId) => manager.openConsole(vmId),
      on: (name, listener) => {
        manager.events.on(name, listener as (...args: Parameters<ManagerEvents[typeof name]>) => void);
      },
    });
  } finally {
    await program.close();
  }
}

async function useConnection<T>(connected: NonNullable<Awaited<ReturnType<typeof connectToManager>>>, work: (library: LibraryClient) => Promise<T>): Promise<T> {
  try {
    return await work(connected.client);
  } finally {
    connected.port.dispose();
  }
}

/** Runs a command whose VM goes on afterwards: starts the background process when no manager runs. */
export async function withLastingLibrary<T>(work: (library: LibraryClient) => Promise<T>): Promise<T> {
  const connected = (await connectToManager()) ?? (await startBackground());
  return useConnection(connected, work);
}

async function startBackground(): Promise<NonNullable<Awaited<ReturnType<typeof connectToManager>>>> {
  const root = defaultLibraryRoot();
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const logPath = join(root, 'background.log');
  const log = openSync(logPath, 'w', 0o600);
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--title=nestbox-manager', MAIN, 'background'], { detached: true, stdio: ['ignore', log, log], cwd: root });
  closeSync(log);
  child.unref();
  let ended: number | undefined;
  child.once('exit', (code) => {
    ended = code ?? 1;
  });
  return waitForManager(() => {
    if (ended === undefined) return undefined;
    const said = readFileSync(logPath, 'utf8').trim().split('\n').at(-1)?.replace(/^nestbox: /, '') ?? '';
    return new NestboxError(ended === 2 ? 'bad-input' : 'io', said === '' ? 'The background process of Nestbox could not be started' : said, { op: 'start manager' });
  });
}

async function waitForManager(failure: (() => NestboxError | undefined) | undefined, reason?: NestboxError): Promise<NonNullable<Awaited<ReturnType<typeof connectToManager>>>> {
  const until = Date.now() + START_WAIT_MS;
  for (;;) {
    const connected = await connectToManager();
    if (connected !== undefined) return connected;
    const failed = failure?.();
    if (failed !== undefined) throw failed;
    if (Date.now() > until) throw reason ?? new NestboxError('timeout', 'The background process of Nestbox did not start in time', { op: 'start manager' });
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS);
    });
  }
}
