// Loaded before a VM entry in tests: gives a Node child the parent port that Electron's utility processes have.

import { EventEmitter } from 'node:events';
import { isMainThread } from 'node:worker_threads';

// Worker threads inherit the switches of their process, and with them this module.
if (isMainThread) {
  const parentPort = new EventEmitter();
  const send = process.send.bind(process);
  parentPort.postMessage = (message) => send(message, undefined, undefined, () => undefined);
  process.on('message', (data) => parentPort.emit('message', { data }));
  process.parentPort = parentPort;
  delete process.send;
}
