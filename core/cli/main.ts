// The `nestbox` command. Contract: docs/cli.md. Data goes to stdout, messages to stderr.

import { Command, CommanderError } from 'commander';
import { EXIT_OK, EXIT_USAGE, reportFailure } from './exit-codes.ts';
import { version } from './version.ts';

type AddCommands = (program: Command, finish: (code: number) => void) => void;

/** What adds commands to the program, by the names of those commands; loaded for the command that is called. */
const COMMANDS: readonly { readonly names: readonly string[]; readonly load: () => Promise<AddCommands> }[] = [
  { names: ['run'], load: async () => (await import('./run-command.ts')).addRunCommand },
  { names: ['demo'], load: async () => (await import('./demo-command.ts')).addDemoCommand },
  { names: ['disk'], load: async () => (await import('./disk-command.ts')).addDiskCommand },
  { names: ['vm'], load: async () => (await import('./vm-command.ts')).addVmCommand },
  { names: ['media', 'import', 'export'], load: async () => (await import('./media-command.ts')).addMediaCommand },
  { names: ['snapshot'], load: async () => (await import('./snapshot-command.ts')).addSnapshotCommand },
  { names: ['host'], load: async () => (await import('./host-command.ts')).addHostCommand },
  { names: ['serve', 'background'], load: async () => (await import('./serve-command.ts')).addServeCommand },
];

function inheritSettings(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    inheritSettings(command);
  }
}

async function main(): Promise<number> {
  let code = EXIT_OK;
  const finish = (result: number): void => {
    code = result;
  };
  const program = new Command('nestbox');
  program
    .description('Nestbox, a desktop hypervisor: runs unmodified PC operating systems')
    .version(version())
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'nestbox: ')) });
  const called = COMMANDS.find(({ names }) => names.includes(process.argv[2] ?? ''));
  for (const { load } of called === undefined ? COMMANDS : [called]) (await load())(program, finish);
  inheritSettings(program);
  try {
    await program.parseAsync();
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    return reportFailure(thrown);
  }
}

process.exitCode = await main();
