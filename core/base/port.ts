// A two-way message channel: child-process IPC, Electron MessagePort, WebSocket or an in-process pair behind one shape.

import type { Disposable } from './disposable.ts';
import { Emitter, type Event } from './emitter.ts';

export interface Port extends Disposable {
  /** Sends a structured-cloneable message. Messages after closing are dropped. */
  post(message: unknown): void;
  readonly onMessage: Event<unknown>;
  /** Fires once when the other side has gone. */
  readonly onClose: Event<void>;
}

/** Two connected ports in one process; messages arrive in a later microtask, as with a real channel. */
export function createPortPair(): [Port, Port] {
  const ends = [new LocalPort(), new LocalPort()] as const;
  ends[0].peer = ends[1];
  ends[1].peer = ends[0];
  return [ends[0], ends[1]];
}

class LocalPort implements Port {
  peer: LocalPort | undefined;
  private readonly messages = new Emitter<unknown>();
  private readonly closed = new Emitter<void>();
  readonly onMessage = this.messages.event;
  readonly onClose = this.closed.event;

  post(message: unknown): void {
    const peer = this.peer;
    if (peer !== undefined) void Promise.resolve().then(() => peer.messages.fire(message));
  }

  dispose(): void {
    const peer = this.peer;
    this.peer = undefined;
    if (peer === undefined) return;
    peer.peer = undefined;
    void Promise.resolve().then(() => peer.closed.fire());
  }
}
