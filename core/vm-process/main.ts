// Entry of a VM's own process when plain Node hosts it. The owner's going away ends the VM.

import { parentProcessPort } from '../host/child-port.ts';
import { createPcMachine } from '../machine/pc-machine.ts';
import { VmServer } from './vm-server.ts';

const port = parentProcessPort();
if (port === undefined) {
  process.stderr.write('This program runs one virtual machine for nestbox and is started by it.\n');
  process.exit(2);
}
process.title = process.argv[2] ?? 'nestbox-vm';
// The owner decides when a VM ends; a Ctrl-C in the terminal reaches the whole process group.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);

const server = new VmServer(port, createPcMachine);
port.onClose(() => {
  server.dispose().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
