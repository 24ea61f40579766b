// The manager's API on a channel: arguments are checked, events are passed on, nothing else can be called.

import type { Disposable } from '../base/disposable.ts';
import { NestboxError } from '../base/errors.ts';
import { type Port } from '../base/port.ts';
import type { ManagerApi, ManagerEvents } from '../protocol/manager-api.ts';
import { connectRpc } from '../protocol/rpc.ts';
import type { ManagerEventHub } from './events.ts';
import { MANAGER_CHECKS } from './rpc-checks.ts';

export interface ServedManager {
  readonly api: ManagerApi;
  readonly events: ManagerEventHub;
}

/** The methods of ManagerApi behind their checks. */
export function checkedApi(api: ManagerApi): ManagerApi {
  const table: Record<string, unknown> = {};
  for (const [name, check] of Object.entries(MANAGER_CHECKS)) {
    table[name] = async (...args: unknown[]): Promise<unknown> => {
      // Trailing parameters that a caller left out.
      const wanted = check.def.items.length;
      const padded = args.length < wanted ? [...args, ...Array.from({ length: wanted - args.length }, () => undefined)] : args;
      const parsed = check.safeParse(padded);
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        throw new NestboxError('usage', `${name}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'wrong arguments'}`, { op: 'call manager', context: { code: 'bad-call' } });
      }
      return (api[name as keyof ManagerApi] as (...list: unknown[]) => Promise<unknown>)(...(parsed.data as unknown[]));
    };
  }
  return table as unknown as ManagerApi;
}

/** Answers calls and passes events on until the port closes or the result is disposed of. */
export function serveApi(port: Port, api: ManagerApi, events: ManagerEventHub): Disposable {
  const remote = connectRpc<ManagerEvents, ManagerApi>(port, api);
  const listening = events.onAny((name, args) => {
    void remote.$callEvent(name, ...args).catch(() => undefined);
  });
  port.onClose(() => listening.dispose());
  return listening;
}

export function serveManager(port: Port, manager: ServedManager): Disposable {
  return serveApi(port, checkedApi(manager.api), manager.events);
}
