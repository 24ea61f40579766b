// Typed clients of the manager and of a VM's console over any Port of core/protocol/rpc.ts.

import type { ConsoleApi, ConsoleEvents } from '../../core/protocol/console-api.ts';
import type { ManagerApi, ManagerEvents } from '../../core/protocol/manager-api.ts';
import { connectRpc } from '../../core/protocol/rpc.ts';

export type RpcPort = Parameters<typeof connectRpc>[0];

export function managerOver(port: RpcPort, events: ManagerEvents): ManagerApi {
  return connectRpc<ManagerApi, ManagerEvents>(port, events);
}

export function consoleOver(port: RpcPort, events: ConsoleEvents): ConsoleApi {
  return connectRpc<ConsoleApi, ConsoleEvents>(port, events);
}
