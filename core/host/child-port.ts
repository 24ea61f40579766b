// A Port over a Node child process's IPC channel, both ends. Messages use the `advanced` (structured clone) serialisation.

import type { ChildProcess } from 'node:child_process';
import { Emitter } from '../base/emitter.ts';
import type { Port } from '../base/port.ts';

/** The owner's end of a forked process. */
export function childProcessPort(child: ChildProcess): Port {
  const messages = new Emitter<unknown>();
  const closed = new Emitter<void>();
  child.on('message', (message) => messages.fire(message));
  child.once('disconnect', () => closed.fire());
  return {
    post: (message) => {
      if (child.connected) child.send(message as object, () => undefined);
    },
    onMessage: messages.event,
    onClose: closed.event,
    dispose: () => {
      if (child.connected) child.disconnect();
    },
  };
}

/** The forked process's own end, or undefined when it was not forked with IPC. */
export function parentProcessPort(): Port | undefined {
  if (process.send === undefined) return undefined;
  const messages = new Emitter<unknown>();
  const closed = new Emitter<void>();
  process.on('message', (message) => messages.fire(message));
  process.once('disconnect', () => closed.fire());
  return {
    post: (message) => {
      if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
    },
    onMessage: messages.event,
    onClose: closed.event,
    dispose: () => {
      if (process.connected) process.disconnect();
    },
  };
}
