// `nestbox vm`: the virtual machines of the library.

import type { Command } from 'commander';
import { addLibraryCommands } from './vm/library-commands.ts';
import { addPowerCommands } from './vm/power-commands.ts';

export function addVmCommand(program: Command, finish: (code: number) => void): void {
  const vm = program.command('vm').description('virtual machines of the library: create, list, change, start, stop');
  addLibraryCommands(vm, finish);
  addPowerCommands(vm, finish);
}
