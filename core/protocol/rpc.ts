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
  const wrapped: Record<string, (...args: never[]) => Promise<unknown>> = {};
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

/** Serves `local` and calls the other side's methods. */
export function connectRpc<Remote extends object, Local extends object>(port: Port, local: Local): BirpcReturn<Remote, Local> {
  return createBirpc<Remote, Local>(guarded(local) as unknown as Local, {
    post: (data: unknown) => port.post(data),
    on: (receive: (data: unknown) => void) => {
      port.onMessage((message) => {
        // birpc puts what a method threw into `e`; revive it before it reaches the caller.
        if (typeof message === 'object' && message !== null && 'e' in message) {
          receive({ ...message, e: fromWire(message.e) });
        } else {
          receive(message);
        }
      });
    },
    timeout: -1,
  });
}
