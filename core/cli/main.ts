// The `nestbox` command. Contract: docs/cli.md. Data goes to stdout, messages to stderr.

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addDemoCommand } from './demo-command.ts';
import { addDiskCommand } from './disk-command.ts';
import { EXIT_OK, EXIT_USAGE, reportFailure } from './exit-codes.ts';
import { addRunCommand } from './run-command.ts';

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
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
  for (const command of program.commands) {
    command.copyInheritedSettings(program);
    for (const sub of command.commands) sub.copyInheritedSettings(program);
  }
  try {
    await program.parseAsync();
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    return reportFailure(thrown);
  }
}

process.exitCode = await main();
