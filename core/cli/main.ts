// The `nestbox` command. Contract: docs/cli.md. Data goes to stdout, messages to stderr.

import { Command, CommanderError } from 'commander';
import { addDemoCommand } from './demo-command.ts';
import { addDiskCommand } from './disk-command.ts';
import { EXIT_OK, EXIT_USAGE, reportFailure } from './exit-codes.ts';
import { addMediaCommand } from './media-command.ts';
import { addHostCommand } from './host-command.ts';
import { addRunCommand } from './run-command.ts';
import { addSnapshotCommand } from './snapshot-command.ts';
import { addServeCommand } from './serve-command.ts';
import { version } from './version.ts';
import { addVmCommand } from './vm-command.ts';

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
  addRunCommand(program, finish);
  addDemoCommand(program, finish);
  addDiskCommand(program, finish);
  addVmCommand(program, finish);
  addMediaCommand(program, finish);
  addSnapshotCommand(program, finish);
  addHostCommand(program, finish);
  addServeCommand(program, finish);
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
