// `nestbox serve`: the app in a browser on this machine. Prints the address, opens the browser when there is a display, ends
// with Ctrl-C.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { NestboxError } from '../base/errors.ts';
import { BrowserHost } from '../host/browser-host/browser-host.ts';
import { NodeVmHost } from '../host/node-vm-host.ts';
import { defaultLibraryRoot } from '../manager/library-folder.ts';
import { Manager } from '../manager/manager.ts';
import { EXIT_OK } from './exit-codes.ts';
import { version } from './version.ts';

interface ServeFlags {
  port: string;
  open: boolean;
  json?: boolean;
}

const APP_FOLDER = fileURLToPath(new URL('../../dist/renderer', import.meta.url));

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
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new NestboxError('usage', `--port ${text}: expected 0 to 65535`, { op: 'read options' });
  return port;
}

async function serveCommand(flags: ServeFlags): Promise<number> {
  const port = portOf(flags.port);
  const manager = await Manager.open({ root: defaultLibraryRoot(), host: new NodeVmHost(), version: version(), shell: 'browser' });
  let host: BrowserHost;
  try {
    host = await BrowserHost.start({ manager, appFolder: APP_FOLDER, port });
  } catch (error) {
    await manager.close();
    throw error;
  }
  const url = host.launchUrl();
  process.stdout.write(flags.json === true ? `${JSON.stringify({ url, pid: process.pid })}\n` : `${url}\n`);
  if (flags.json !== true) process.stderr.write('nestbox: the address lets one browser in during the next minute; Ctrl-C ends Nestbox and its virtual machines\n');
  if (flags.open) openBrowser(url);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  await host.close();
  await manager.close();
  return EXIT_OK;
}

/** Where there is a display. That no browser comes up is no failure: the address has been printed. */
function openBrowser(url: string): void {
  const hasDisplay = process.platform !== 'linux' || (process.env.DISPLAY ?? process.env.WAYLAND_DISPLAY ?? '') !== '';
  if (!hasDisplay) return;
  const [command, args] =
    process.platform === 'darwin' ? ['open', [url]] : process.platform === 'win32' ? ['rundll32', ['url.dll,FileProtocolHandler', url]] : ['xdg-open', [url]];
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}
