// Entry of a VM's own process when plain Node hosts it.

import { parentProcessPort } from '../host/child-port.ts';
import { serveVm } from './serve-vm.ts';

const port = parentProcessPort();
if (port === undefined) {
  process.stderr.write('This program runs one virtual machine for nestbox and is started by it.\n');
  process.exit(2);
}
serveVm(port, process.argv[2] ?? 'nestbox-vm');
