// A Port over Electron's MessagePortMain.

import type { MessagePortMain } from 'electron';
import { Emitter } from '../../core/base/emitter.ts';
import type { Port } from '../../core/base/port.ts';

export function messagePort(channel: Pick<MessagePortMain, 'postMessage' | 'on' | 'start' | 'close'>): Port {
  const messages = new Emitter<unknown>();
  const closed = new Emitter<void>();
  let open = true;
  const end = (): void => {
    if (!open) return;
    open = false;
    closed.fire();
  };
  channel.on('message', (event) => messages.fire(event.data));
  channel.on('close', end);
  channel.start();
  return {
    post: (message) => {
      if (open) channel.postMessage(message);
    },
    onMessage: messages.event,
    onClose: closed.event,
    dispose: () => {
      if (!open) return;
      channel.close();
      end();
    },
  };
}
