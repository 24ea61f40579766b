// A Port (core/base/port.ts) over a WebSocket, with the messages of core/protocol/wire-codec.ts.

import { decodeWire, encodeWire } from '../../core/protocol/wire-codec.ts';
import type { RpcPort } from './rpc-client.ts';

interface Listeners<Value> {
  readonly event: (listener: (value: Value) => void) => { dispose(): void };
  readonly fire: (value: Value) => void;
}

function listeners<Value>(): Listeners<Value> {
  const all = new Set<(value: Value) => void>();
  return {
    event: (listener) => {
      all.add(listener);
      return { dispose: () => void all.delete(listener) };
    },
    fire: (value) => {
      for (const listener of [...all]) listener(value);
    },
  };
}

/** Resolves when the socket is open; rejects when the host refuses it. */
export function openWebSocketPort(url: string): Promise<RpcPort> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    const messages = listeners<unknown>();
    const closed = listeners<void>();
    let open = false;
    socket.onopen = () => {
      open = true;
      resolve({
        post: (message) => {
          if (socket.readyState === WebSocket.OPEN) socket.send(encodeWire(message));
        },
        onMessage: messages.event,
        onClose: closed.event,
        dispose: () => socket.close(),
      });
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (!(event.data instanceof ArrayBuffer)) return;
      try {
        messages.fire(decodeWire(new Uint8Array(event.data)));
      } catch {
        socket.close();
      }
    };
    socket.onclose = () => {
      if (open) closed.fire();
      else reject(new Error('The connection was refused.'));
    };
  });
}
