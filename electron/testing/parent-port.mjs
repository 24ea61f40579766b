// Loaded before a VM entry in tests: gives a Node child the parent port that Electron's utility processes have.

import { EventEmitter } from 'node:events';

const parentPort = new EventEmitter();
const send = process.send.bind(process);
parentPort.postMessage = (message) => send(message, undefined, undefined, () => undefined);
process.on('message', (data) => parentPort.emit('message', { data }));
process.parentPort = parentPort;
delete process.send;
