// `nestbox serve`: the app in a browser on this machine. Prints the address, opens the browser when there is a display, ends
// with Ctrl-C. When a manager runs already, that one serves; this command then only stays for as long as it is wanted.
// `nestbox background` (not shown in the help) is the process that owns VMs started by commands.

import { spawn } from 'node:child_process';
import type { Command } from 'commander';
import { NestboxError } from '../base/errors.ts';
import { ManagerProgram } from '../host/manager-program.ts';
import { defaultLibraryRoot } from '../manager/library-folder.ts';
import { EXIT_OK } from './exit-codes.ts';
import { connectToManager } from './library-client.ts';
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
  const program = await ManagerProgram.open({ root: defaultLibraryRoot(), version: version(), kind: 'browser-host', port });
  try {
    announce(await program.launchUrl(), process.pid, flags, 'the address lets one browser in during the next minute (run "nestbox serve" again for another); Ctrl-C ends Nestbox and its virtual machines');
    await Promise.race([interrupted(), program.done]);
  } finally {
    await program.close();
  }
  return EXIT_OK;
}

function announce(url: string, pid: number, flags: ServeFlags, hint: string): void {
  process.stdout.write(flags.json === true ? `${JSON.stringify({ url, pid })}\n` : `${url}\n`);
  if (flags.json !== true) process.stderr.write(`nestbox: ${hint}\n`);
  if (flags.open) openBrowser(url);
}

async function backgroundCommand(idleMs: number): Promise<number> {
  const program = await ManagerProgram.open({ root: defaultLibraryRoot(), version: version(), kind: 'background', idleMs });
  await Promise.race([interrupted(), program.done]);
  await program.close();
  return EXIT_OK;
}

/** Where there is a display. That no browser comes up is no failure: the address has been printed. */
function openBrowser(url: string): void {
  const hasDisplay = process.platform !== 'linux' || (process.env.DISPLAY ?? process.env.WAYLAND_DISPLAY ?? '') !== '';
  if (!hasDisplay) return;
  const [command, ...args] = process.platform === 'darwin' ? ['open', url] : process.platform === 'win32' ? ['rundll32', 'url.dll,FileProtocolHandler', url] : ['xdg-open', url];
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}
