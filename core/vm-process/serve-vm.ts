// Runs one virtual machine behind a Port, whatever process hosts it: the common part of the Node and Electron entries.

import type { Port } from '../base/port.ts';
import { createPcMachine } from '../machine/pc-machine.ts';
import { VmServer } from './vm-server.ts';

/** The owner's going away ends the VM and the process. @param title what `ps` shows */
export function serveVm(port: Port, title: string): void {
  process.title = title;
  // The owner decides when a VM ends; a Ctrl-C in the terminal reaches the whole process group.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const server = new VmServer(port, createPcMachine);
  port.onClose(() => {
    server.dispose().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}
