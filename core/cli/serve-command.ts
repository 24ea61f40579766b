// `nestbox serve`: the app in a browser on this machine. Prints the address, opens the browser when there is a display, ends
// with Ctrl-C. When a manager runs already, that one serves; this command then only stays for as long as it is wanted.
// `nestbox background` (not shown in the help) is the process that owns VMs started by commands.

import type { Command } from 'commander';
import { NestboxError } from '../base/errors.ts';
import { BrowserHost } from '../host/browser-host/browser-host.ts';
import { LibraryGate, isForTheWindow } from '../host/library-gate.ts';
import { APP_FOLDER, ManagerProgram, type ManagerProgramOptions } from '../host/manager-program.ts';
import { defaultLibraryRoot } from '../manager/library-folder.ts';
import { EXIT_OK } from './exit-codes.ts';
import { connectToManager } from './library-client.ts';
import { openBrowser } from './open-browser.ts';
import { version } from './version.ts';

interface ServeFlags {
  port: string;
  open: boolean;
  json?: boolean;
}

export function addServeCommand(program: Command, finish: (code: number) => void): void {
  program
    .command('serve')
    .description('the app in a browser on this machine: prints its address, ends with Ctrl-C')
    .option('--port <N>', 'port on 127.0.0.1; 0 takes any that is free', '0')
    .option('--no-open', 'do not open the browser')
    .option('--json', 'print the address as JSON')
    .allowExcessArguments(false)
    .action(async (flags: ServeFlags) => {
      finish(await serveCommand(flags));
    });
  program
    .command('background', { hidden: true })
    .option('--idle <MS>', 'end after so long without virtual machines and clients', '5000')
    .allowExcessArguments(false)
    .action(async (flags: { idle: string }) => {
      finish(await backgroundCommand(Number(flags.idle)));
    });
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new NestboxError('usage', `--port ${text}: expected 0 to 65535`, { op: 'read options' });
  return port;
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
}

async function serveCommand(flags: ServeFlags): Promise<number> {
  const port = portOf(flags.port);
  const running = await connectToManager();
  if (running !== undefined) {
    const { pid, kind } = await running.local.localInfo();
    announce(await running.local.launchUrl(), pid, flags, `Nestbox runs already (process ${pid}, ${kind}) and serves; Ctrl-C ends only this command`);
    await Promise.race([interrupted(), new Promise<void>((resolve) => running.port.onClose(resolve))]);
    running.port.dispose();
    return EXIT_OK;
  }
  const options = { root: defaultLibraryRoot(), version: version(), kind: 'browser-host', port } as const;
  let program: ManagerProgram;
  try {
    program = await ManagerProgram.open(options);
  } catch (error) {
    if (isForTheWindow(error)) return serveReason(error, options, flags);
    throw error;
  }
  try {
    announce(await program.launchUrl(), process.pid, flags, 'the address lets one browser in during the next minute (run "nestbox serve" again for another); Ctrl-C ends Nestbox and its virtual machines');
    await Promise.race([interrupted(), program.done]);
  } finally {
    await program.close();
  }
  return EXIT_OK;
}

/** The window says why the library cannot be opened and tries again when it is told to. */
async function serveReason(why: NestboxError, options: ManagerProgramOptions, flags: ServeFlags): Promise<number> {
  let program: ManagerProgram | undefined;
  let opened: (program: ManagerProgram) => void = () => undefined;
  const done = new Promise<ManagerProgram>((resolve) => {
    opened = resolve;
  }).then((now) => now.done);
  const gate = new LibraryGate(options.root, why, async () => {
    program = await ManagerProgram.open({ ...options, browser: host });
    opened(program);
    return program.manager;
  });
  const host = await BrowserHost.start({ manager: gate, appFolder: APP_FOLDER, ...(options.port === undefined ? {} : { port: options.port }) });
  process.stderr.write(`nestbox: ${why.message}\n`);
  announce(host.launchUrl(), process.pid, flags, 'the library could not be opened; the window says why and can try again; Ctrl-C ends Nestbox');
  await Promise.race([interrupted(), done]);
  if (program === undefined) await host.close();
  else await program.close();
  return EXIT_OK;
}

function announce(url: string, pid: number, flags: ServeFlags, hint: string): void {
  if (flags.open) openBrowser(url);
  process.stdout.write(flags.json === true ? `${JSON.stringify({ url, pid })}\n` : `${url}\n`);
  if (flags.json !== true) process.stderr.write(`nestbox: ${hint}\n`);
}

async function backgroundCommand(idleMs: number): Promise<number> {
  const program = await ManagerProgram.open({ root: defaultLibraryRoot(), version: version(), kind: 'background', idleMs });
  await Promise.race([interrupted(), program.done]);
  await program.close();
  return EXIT_OK;
}
