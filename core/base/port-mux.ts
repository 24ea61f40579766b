// Several Ports over one: a main one whose messages pass unchanged, and numbered channels that either side opens for a
// stated purpose. A VM process has one channel to its owner and serves any number of windows over it.

import { type Disposable, toDisposable } from './disposable.ts';
import { Emitter } from './emitter.ts';
import type { Port } from './port.ts';

interface Envelope {
  readonly channel: number;
  readonly act: 'open' | 'message' | 'close';
  readonly purpose?: string;
  readonly body?: unknown;
}

function isEnvelope(message: unknown): message is Envelope {
  return typeof message === 'object' && message !== null && 'channel' in message && typeof message.channel === 'number' && 'act' in message;
}

export interface OpenedChannel {
  readonly purpose: string;
  readonly port: Port;
}

class Channel implements Port {
  private readonly send: (act: 'message' | 'close', body?: unknown) => void;
  private readonly messages = new Emitter<unknown>();
  private readonly closed = new Emitter<void>();
  private isClosed = false;
  readonly onMessage = this.messages.event;
  readonly onClose = this.closed.event;

  constructor(send: (act: 'message' | 'close', body?: unknown) => void) {
    this.send = send;
  }

  post(message: unknown): void {
    if (!this.isClosed) this.send('message', message);
  }

  receive(message: unknown): void {
    if (!this.isClosed) this.messages.fire(message);
  }

  /** The other side has gone. */
  end(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.closed.fire();
  }

  dispose(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.send('close');
  }
}

/** Both sides wrap their end; one of them has to be the owner, so that their channel numbers differ. */
export class PortMux {
  readonly main: Port;
  private readonly port: Port;
  private readonly channels = new Map<number, Channel>();
  private readonly opened = new Emitter<OpenedChannel>();
  private next: number;
  /** Only the other side's openings. */
  readonly onOpen = this.opened.event;

  constructor(port: Port, side: 'owner' | 'owned') {
    this.port = port;
    this.next = side === 'owner' ? 1 : 2;
    const messages = new Emitter<unknown>();
    port.onMessage((message) => {
      if (isEnvelope(message)) this.receive(message);
      else messages.fire(message);
    });
    port.onClose(() => {
      for (const channel of [...this.channels.values()]) channel.end();
      this.channels.clear();
    });
    this.main = { post: (message) => port.post(message), onMessage: messages.event, onClose: port.onClose, dispose: () => port.dispose() };
  }

  open(purpose: string): Port {
    const id = this.next;
    this.next += 2;
    const channel = this.make(id);
    this.port.post({ channel: id, act: 'open', purpose } satisfies Envelope);
    return channel;
  }

  private make(id: number): Channel {
    const channel = new Channel((act, body) => {
      if (act === 'close') this.channels.delete(id);
      this.port.post({ channel: id, act, body } satisfies Envelope);
    });
    this.channels.set(id, channel);
    return channel;
  }

  private receive({ channel: id, act, purpose, body }: Envelope): void {
    const known = this.channels.get(id);
    if (act === 'open') {
      if (known === undefined && purpose !== undefined) this.opened.fire({ purpose, port: this.make(id) });
    } else if (act === 'message') known?.receive(body);
    else if (known !== undefined) {
      this.channels.delete(id);
      known.end();
    }
  }
}

/** Passes messages both ways until one side closes; then closes the other. */
export function joinPorts(a: Port, b: Port): Disposable {
  const parts = [a.onMessage((message) => b.post(message)), b.onMessage((message) => a.post(message)), a.onClose(() => b.dispose()), b.onClose(() => a.dispose())];
  return toDisposable(() => {
    for (const part of parts) part.dispose();
  });
}
