// A Port over a byte stream (local socket): every message is its length (u32, little endian) and its bytes by
// core/protocol/wire-codec.ts. A peer that sends nonsense or too much is cut off.

import type { Duplex } from 'node:stream';
import { Emitter } from '../base/emitter.ts';
import type { Port } from '../base/port.ts';
import { decodeWire, encodeWire } from '../protocol/wire-codec.ts';

const LENGTH_BYTES = 4;

export interface StreamPortOptions {
  /** Longest message that is taken. */
  readonly messageBytesMax: number;
  /** Bytes that may wait for a slow reader before it is cut off. */
  readonly bufferedBytesMax: number;
}

export function streamPort(stream: Duplex, options: StreamPortOptions): Port {
  const messages = new Emitter<unknown>();
  const closed = new Emitter<void>();
  let parts: Buffer[] = [];
  let have = 0;
  let want = LENGTH_BYTES;
  let inBody = false;
  const take = (): Buffer => {
    const all = parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts);
    const taken = all.subarray(0, want);
    const rest = all.subarray(want);
    parts = rest.length === 0 ? [] : [rest];
    have = rest.length;
    return taken;
  };
  stream.on('data', (chunk: Buffer) => {
    parts.push(chunk);
    have += chunk.length;
    try {
      while (have >= want) {
        const taken = take();
        if (inBody) {
          inBody = false;
          want = LENGTH_BYTES;
          messages.fire(decodeWire(taken));
        } else {
          want = taken.readUInt32LE(0);
          inBody = true;
          if (want > options.messageBytesMax) throw new RangeError('message too long');
        }
      }
    } catch {
      stream.destroy();
    }
  });
  stream.on('error', () => stream.destroy());
  stream.once('close', () => closed.fire());
  return {
    post: (message) => {
      if (stream.destroyed || !stream.writable) return;
      if (stream.writableLength > options.bufferedBytesMax) {
        stream.destroy();
        return;
      }
      const bytes = encodeWire(message);
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32LE(bytes.length);
      stream.cork();
      stream.write(length);
      stream.write(bytes);
      stream.uncork();
    },
    onMessage: messages.event,
    onClose: closed.event,
    // What has been posted still goes out.
    dispose: () => {
      stream.end();
    },
  };
}
