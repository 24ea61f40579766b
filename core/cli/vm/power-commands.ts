// `nestbox vm start|stop|pause|resume|reset|save|screenshot|type|key|insert|eject`: what happens to running machines.

import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { NestboxError, messageOf } from '../../base/errors.ts';
import type { ConsoleApi, ConsoleEvents } from '../../protocol/console-api.ts';
import type { VmSummary } from '../../protocol/library.ts';
import { connectRpc } from '../../protocol/rpc.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_TIMEOUT } from '../exit-codes.ts';
import { type LibraryClient, withLastingLibrary, withLibrary } from '../library-client.ts';
import { printJson } from '../output.ts';
import { findVm } from './find-vm.ts';
import { withTaskProgress } from './task-progress.ts';
import { bad } from './vm-flags.ts';

const NO_EVENTS: ConsoleEvents = { serialOutput: () => undefined, statusChanged: () => undefined, ended: () => undefined };

export function addPowerCommands(vm: Command, finish: (code: number) => void): void {
  vm.command('start')
    .description('start a virtual machine; it goes on when this command has ended')
    .argument('<vm>')
    .option('--json', 'print it as JSON')
    .action(async (word: string, flags: { json?: boolean }) => {
      await withLastingLibrary(async (library) => {
        const { id } = await findVm(library, word);
        await library.api.startVm(id);
        if (flags.json === true) printJson(await library.api.vm(id));
      });
      finish(EXIT_OK);
    });

  vm.command('stop')
    .description('press the power button and wait until the machine is off')
    .argument('<vm>')
    .option('--force', 'pull the plug: the guest loses what it has not written')
    .option('--timeout <SECONDS>', 'give up waiting after this time (exit code 124)', '60')
    .action(async (word: string, flags: { force?: boolean; timeout: string }) => {
      const seconds = Number(flags.timeout);
      if (!(seconds > 0 && seconds <= 86_400)) bad(`--timeout ${flags.timeout}: expected a number of seconds above 0`);
      finish(await withLibrary(async (library) => stop(library, await findVm(library, word), flags.force === true, seconds)));
    });

  const simple: [string, string, (library: LibraryClient, id: string) => Promise<void>][] = [
    ['pause', 'let a running machine stand still', (library, id) => library.api.pauseVm(id)],
    ['resume', 'let a paused machine go on', (library, id) => library.api.resumeVm(id)],
    ['reset', 'press the reset button', (library, id) => library.api.resetVm(id)],
    ['discard-state', 'throw a saved state away; the next start is a cold one', (library, id) => library.api.discardSavedState(id)],
  ];
  for (const [name, description, work] of simple) {
    vm.command(name)
      .description(description)
      .argument('<vm>')
      .action(async (word: string) => {
        await withLibrary(async (library) => work(library, (await findVm(library, word)).id));
        finish(EXIT_OK);
      });
  }

  vm.command('save')
    .description('save the state and end the machine; the next start goes on from there')
    .argument('<vm>')
    .action(async (word: string) => {
      await withLibrary(async (library) => {
        const { id } = await findVm(library, word);
        await withTaskProgress(library, (taskId) => library.api.saveVmState(id, { taskId }));
      });
      finish(EXIT_OK);
    });

  vm.command('screenshot')
    .description('write the screen to a PNG file')
    .argument('<vm>')
    .argument('<path>', '"-" for standard output')
    .action(async (word: string, path: string) => {
      const png = await onConsole(word, (console) => console.screenshot());
      try {
        if (path === '-') process.stdout.write(png);
        else writeFileSync(path, png);
      } catch (cause) {
        throw new NestboxError('bad-input', `${path} cannot be written: ${messageOf(cause)}`, { op: 'write file', cause });
      }
      finish(EXIT_OK);
    });

  vm.command('type')
    .description('type text on the keyboard')
    .argument('<vm>')
    .argument('<text>', 'with \\n for Enter, \\t for Tab and \\\\ for a backslash')
    .action(async (word: string, text: string) => {
      const plain = text.replaceAll(/\\([nt\\])/g, (_whole, letter: string) => (letter === 'n' ? '\n' : letter === 't' ? '\t' : '\\'));
      await onConsole(word, (console) => console.typeText(plain));
      finish(EXIT_OK);
    });

  vm.command('key')
    .description('press a key or a combination, such as ctrl-alt-delete')
    .argument('<vm>')
    .argument('<combination>')
    .action(async (word: string, combination: string) => {
      await onConsole(word, (console) => console.keyCombination(combination));
      finish(EXIT_OK);
    });

  vm.command('insert')
    .description('put a floppy or CD into a drive, also while the machine runs')
    .argument('<vm>')
    .argument('<slot>', 'such as ide2 or floppy0')
    .argument('<path>', 'image file, or medium:ID')
    .action(async (word: string, slot: string, path: string) => {
      await withLibrary(async (library) => {
        const { id } = await findVm(library, word);
        await library.api.insertMedium(id, slot, path.startsWith('medium:') ? { mediumId: path.slice(7) } : { file: await library.adoptPath(path) });
      });
      finish(EXIT_OK);
    });

  vm.command('eject')
    .description('take the medium out of a drive')
    .argument('<vm>')
    .argument('<slot>')
    .action(async (word: string, slot: string) => {
      await withLibrary(async (library) => library.api.ejectMedium((await findVm(library, word)).id, slot));
      finish(EXIT_OK);
    });
}

async function onConsole<T>(word: string, work: (console: ConsoleApi) => Promise<T>): Promise<T> {
  return withLibrary(async (library) => {
    const port = await library.openConsole((await findVm(library, word)).id);
    try {
      return await work(connectRpc<ConsoleApi, ConsoleEvents>(port, NO_EVENTS, { failOnClose: true }));
    } finally {
      port.dispose();
    }
  });
}

async function stop(library: LibraryClient, vm: VmSummary, force: boolean, seconds: number): Promise<number> {
  if (force) {
    await library.api.powerOffVm(vm.id);
    return EXIT_OK;
  }
  const off = new Promise<VmSummary>((resolve) => {
    library.on('vmChanged', (changed) => {
      if (changed.id === vm.id && (changed.state === 'off' || changed.state === 'failed')) resolve(changed);
    });
  });
  if (!(await library.api.shutDownVm(vm.id))) {
    process.stderr.write(`nestbox: the guest of ${vm.name} does not react to the power button; "nestbox vm stop --force" pulls the plug\n`);
    return EXIT_FAILED;
  }
  const timeout = new Promise<undefined>((resolve) => {
    setTimeout(() => resolve(undefined), seconds * 1000).unref();
  });
  const end = await Promise.race([off, timeout]);
  if (end === undefined) {
    process.stderr.write(`nestbox: ${vm.name} is still running after ${seconds} s; "nestbox vm stop --force" pulls the plug\n`);
    return EXIT_TIMEOUT;
  }
  return end.state === 'failed' ? EXIT_FAILED : EXIT_OK;
}
