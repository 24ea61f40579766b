// `nestbox demo`: boots the built-in check-up guest in this terminal; without a terminal it prints the guest's serial
// report and ends when the check-up is done.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { buildDemoImage } from '../firmware/demo/demo-image.ts';
import { NodeVmHost } from '../host/node-vm-host.ts';
import { driveRun } from './run-session.ts';
import { connectSerial } from './serial-io.ts';
import { TerminalDisplay } from './terminal-display.ts';
import { VmSession } from './vm-session.ts';

const READY = /NESTBOX DEMO READY/;
const CHECK_TIMEOUT_MS = 120_000;

export function addDemoCommand(program: Command, finish: (code: number) => void): void {
  program
    .command('demo')
    .description('boot the built-in demo guest, a machine check-up, in this terminal (Ctrl-A x ends it)')
    .allowExcessArguments(false)
    .action(async () => {
      finish(await demoCommand());
    });
}

async function demoCommand(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'nestbox-demo-'));
  try {
    const image = join(folder, 'demo.img');
    writeFileSync(image, buildDemoImage());
    return await runDemo(image);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runDemo(image: string): Promise<number> {
  const session = await VmSession.launch(new NodeVmHost(), 'nestbox-vm demo', (level, source, message) => {
    if (level === 'error') process.stderr.write(`nestbox: ${source}: ${message}\n`);
  });
  const quit = (): void => {
    void session.vm.powerOff().catch(() => undefined);
  };
  process.on('SIGINT', quit);
  process.on('SIGTERM', quit);
  const interactive = process.stdout.isTTY;
  let view;
  try {
    if (!interactive) view = connectSerial(session, { kind: 'stdio' }, quit);
    await session.start({ name: 'demo', media: [{ kind: 'floppy', path: image, snapshot: true }], memoryMib: 128 });
    if (interactive) view = new TerminalDisplay(session.vm, quit);
    return await driveRun(session, {
      script: [],
      expect: interactive ? undefined : READY,
      timeoutMs: interactive ? undefined : CHECK_TIMEOUT_MS,
      screenshotPath: undefined,
      statsPath: undefined,
    });
  } finally {
    view?.dispose();
    await session.end();
    process.off('SIGINT', quit);
    process.off('SIGTERM', quit);
  }
}
