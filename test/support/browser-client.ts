// What the page in a browser does, without a browser: trade the launch code, keep folder and cookie, open WebSockets.

import { WebSocket } from 'ws';
import type { BirpcReturn } from 'birpc';
import { CONSOLE_SOCKET, MANAGER_SOCKET } from '../../core/protocol/browser-host.ts';
import type { ConsoleApi, ConsoleEvents } from '../../core/protocol/console-api.ts';
import type { ManagerApi, ManagerEvents } from '../../core/protocol/manager-api.ts';
import { connectRpc } from '../../core/protocol/rpc.ts';
import { webSocketPort } from '../../core/host/browser-host/web-socket-port.ts';
import type { Port } from '../../core/base/port.ts';

export interface BrowserSession {
  readonly origin: string;
  /** "/s/…/" */
  readonly path: string;
  readonly cookie: string;
}

export async function letIn(launchUrl: string): Promise<BrowserSession> {
  const url = new URL(launchUrl);
  const answer = await fetch(`${url.origin}${url.pathname}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url.origin },
    body: JSON.stringify({ code: url.hash.slice(1) }),
  });
  if (answer.status !== 200) throw new Error(`launch: ${answer.status}`);
  const cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const { path } = (await answer.json()) as { path: string };
  return { origin: url.origin, path, cookie };
}

/** @returns the port, or the status with which the upgrade was refused */
export function openSocket(session: BrowserSession, address: string, headers: Record<string, string> = {}): Promise<Port | number> {
  const socket = new WebSocket(`${session.origin.replace('http', 'ws')}${session.path}${address}`, {
    headers: { cookie: session.cookie, origin: session.origin, ...headers },
  });
  return new Promise((resolve, reject) => {
    const port = webSocketPort(socket);
    socket.once('open', () => resolve(port));
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.once('error', reject);
  });
}

async function opened(session: BrowserSession, address: string): Promise<Port> {
  const port = await openSocket(session, address);
  if (typeof port === 'number') throw new Error(`${address}: ${port}`);
  return port;
}

export async function managerClient(session: BrowserSession, events: Partial<ManagerEvents> = {}): Promise<{ port: Port; manager: BirpcReturn<ManagerApi, ManagerEvents> }> {
  const port = await opened(session, MANAGER_SOCKET);
  return { port, manager: connectRpc<ManagerApi, ManagerEvents>(port, events as ManagerEvents, { failOnClose: true }) };
}

export async function consoleClient(session: BrowserSession, vmId: string, events: Partial<ConsoleEvents> = {}): Promise<{ port: Port; console: BirpcReturn<ConsoleApi, ConsoleEvents> }> {
  const port = await opened(session, `${CONSOLE_SOCKET}/${vmId}`);
  return { port, console: connectRpc<ConsoleApi, ConsoleEvents>(port, events as ConsoleEvents, { failOnClose: true }) };
}
