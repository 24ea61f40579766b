// A Port over a WebSocket of the `ws` package, with the messages of core/protocol/wire-codec.ts. A message that cannot be
// read ends the connection, and so does a reader that is too slow.

import { WebSocket } from 'ws';
import { Emitter } from '../../base/emitter.ts';
import type { Port } from '../../base/port.ts';
import { decodeWire, encodeWire } from '../../protocol/wire-codec.ts';

/** Close code for a message that cannot be read (RFC 6455, 7.4.1). */
const CODE_PROTOCOL_ERROR = 1002;
/** "Try again later": the reader is too slow. */
const CODE_TOO_SLOW = 1013;

export interface WebSocketPortOptions {
  /** Bytes that may wait for a slow reader before the connection is closed. */
  readonly bufferedBytesMax?: number;
}

/** @param socket open already, or connecting: what is posted before it is open is dropped */
export function webSocketPort(socket: WebSocket, options: WebSocketPortOptions = {}): Port {
  const messages = new Emitter<unknown>();
  const closed = new Emitter<void>();
  let isClosed = false;
  socket.binaryType = 'arraybuffer';
  socket.addEventListener('message', ({ data }: { readonly data: unknown }) => {
    let message: unknown;
    try {
      if (!(data instanceof ArrayBuffer)) throw new TypeError('not binary');
      message = decodeWire(new Uint8Array(data));
    } catch {
      socket.close(CODE_PROTOCOL_ERROR, 'unreadable message');
      return;
    }
    messages.fire(message);
  });
  const end = (): void => {
    if (isClosed) return;
    isClosed = true;
    closed.fire();
  };
  socket.addEventListener('close', end);
  socket.addEventListener('error', end);
  return {
    post: (message) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (options.bufferedBytesMax !== undefined && socket.bufferedAmount > options.bufferedBytesMax) {
        socket.close(CODE_TOO_SLOW, 'too slow');
        return;
      }
      socket.send(encodeWire(message));
    },
    onMessage: messages.event,
    onClose: closed.event,
    dispose: () => socket.close(),
  };
}
