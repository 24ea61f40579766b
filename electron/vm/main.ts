// Entry of a VM's own process when Electron hosts it. Electron's parent port takes the place of Node's IPC channel; the
// program behind it is the same as under plain Node.

import { Emitter } from '../../core/base/emitter.ts';
import type { Port } from '../../core/base/port.ts';
import { serveVm } from '../../core/vm-process/serve-vm.ts';
import { END_MESSAGE } from '../main/utility-vm-host.ts';

interface ParentPort {
  on(event: 'message', listener: (event: { readonly data: unknown }) => void): unknown;
  postMessage(message: unknown): void;
}

const parent = (process as unknown as { readonly parentPort?: ParentPort }).parentPort;
if (parent === undefined) {
  process.stderr.write('This program runs one virtual machine for Nestbox and is started by it.\n');
  process.exit(2);
}
const messages = new Emitter<unknown>();
const closed = new Emitter<void>();
parent.on('message', ({ data }) => {
  if (data === END_MESSAGE) closed.fire();
  else messages.fire(data);
});
const port: Port = {
  post: (message) => parent.postMessage(message),
  onMessage: messages.event,
  onClose: closed.event,
  dispose: () => process.exit(0),
};
serveVm(port, process.argv[2] ?? 'nestbox-vm');
