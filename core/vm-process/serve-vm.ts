// Runs one virtual machine behind a Port, whatever process hosts it: the common part of the Node and Electron entries.

import type { Port } from '../base/port.ts';
import { createPcMachine } from '../machine/pc-machine.ts';
import { VmServer } from './vm-server.ts';
import { warmUp } from './warm-up.ts';

/** As the manager's SPARE_TITLE: a process that was started before its machine was known. */
const SPARE_TITLE = 'nestbox-vm';

/** The owner's going away ends the VM and the process. @param title what `ps` shows */
export function serveVm(port: Port, title: string): void {
  process.title = title;
  // The owner decides when a VM ends; a Ctrl-C in the terminal reaches the whole process group.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const server = new VmServer(port, (config, log) => {
    if (title === SPARE_TITLE) process.title = `${title} ${config.name}`;
    return createPcMachine(config, log);
  });
  // Whoever starts the first machine is told what is wrong with making machines.
  if (title === SPARE_TITLE) void warmUp(createPcMachine).catch(() => undefined);
  port.onClose(() => {
    server.dispose().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}
