// Calls and events over a Port, by birpc, with NestboxErrors carried across as data so that kind and context survive.

import { createBirpc, type BirpcReturn } from 'birpc';
import { type ErrorKind, NestboxError, isNestboxError, messageOf } from '../base/errors.ts';
import type { Port } from '../base/port.ts';
import type { WireError } from './vm-messages.ts';

function toWire(thrown: unknown): WireError {
  if (isNestboxError(thrown)) {
    return { wireError: true, kind: thrown.kind, message: thrown.message, op: thrown.op, context: thrown.context };
  }
  return { wireError: true, kind: 'internal', message: thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown), op: '', context: {} };
}

function fromWire(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('wireError' in value)) return value;
  const wire = value as WireError;
  return new NestboxError(wire.kind as ErrorKind, wire.message, { op: wire.op, context: wire.context });
}

/** Wraps every method so that what it throws crosses the channel as data. */
function guarded(methods: object): Record<string, (...args: never[]) => Promise<unknown>> {
  // Without a prototype: "constructor" and the like are not methods.
  const wrapped = Object.create(null) as Record<string, (...args: never[]) => Promise<unknown>>;
  for (const [name, method] of Object.entries(methods) as [string, (...args: never[]) => unknown][]) {
    wrapped[name] = async (...args) => {
      try {
        return await method(...args);
      } catch (thrown) {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- structured clone keeps plain data, not Error fields
        throw toWire(thrown);
      }
    };
  }
  return wrapped;
}

export interface RpcOptions {
  /** Pending calls fail when the port closes; without it the caller watches the other side itself. */
  readonly failOnClose?: boolean;
}

/** What birpc sends; anything else is not passed to it. */
function isCall(message: object): boolean {
  if (!('t' in message)) return false;
  if (message.t !== 'q') return message.t === 's' && 'i' in message && typeof message.i === 'string';
  return 'm' in message && typeof message.m === 'string' && 'a' in message && Array.isArray(message.a);
}

/** What a call of an event looks like on the port: for those who speak in the place of a side that has gone. */
export function eventMessage(name: string, ...args: readonly unknown[]): unknown {
  return { m: name, a: args, t: 'q' };
}

export function isEventMessage(message: unknown, name: string): boolean {
  return typeof message === 'object' && message !== null && 'm' in message && message.m === name;
}

/** Serves `local` and calls the other side's methods. */
export function connectRpc<Remote extends object, Local extends object>(port: Port, local: Local, options: RpcOptions = {}): BirpcReturn<Remote, Local> {
  const rpc = createBirpc<Remote, Local>(guarded(local) as unknown as Local, {
    post: (data: unknown) => port.post(data),
    on: (receive: (data: unknown) => void) => {
      port.onMessage((message) => {
        if (typeof message !== 'object' || message === null || !isCall(message)) return;
        // birpc puts what a method threw into `e`; revive it before it reaches the caller.
        if ('e' in message) {
          receive({ ...message, e: fromWire(message.e) });
        } else {
          receive(message);
        }
      });
    },
    timeout: -1,
  });
  if (options.failOnClose === true) {
    port.onClose(() => rpc.$close(new NestboxError('io', 'The connection has been closed', { op: 'call', context: { code: 'connection-closed' } })));
  }
  return rpc;
}
