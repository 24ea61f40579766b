// What programs of the same user may ask of a running manager over its local socket, beside ManagerApi: unlike windows they
// may name files. A connection says first what it is for (`LocalHello`).

import type { ManagerApi, TaskOptions } from './manager-api.ts';

/** `console`: the port of that VM's console, ConsoleApi and ConsoleEvents. */
export type LocalHello = { readonly hello: 'manager' } | { readonly hello: 'console'; readonly vmId: string };

export interface LocalInfo {
  readonly pid: number;
  readonly version: string;
  /** background: started by a command for VMs that go on; ends by itself when nothing runs and nobody is connected. */
  readonly kind: 'desktop' | 'browser-host' | 'background';
}

export interface LocalApi extends ManagerApi {
  localInfo(): Promise<LocalInfo>;
  /** A handle for a file of the host. @throws NestboxError when there is no such regular file */
  adoptPath(path: string): Promise<string>;
  /** Writes a machine that is off into a .nestbox file at that path. */
  exportVm(id: string, path: string, options?: TaskOptions): Promise<void>;
  /** Serves the app to browsers too, if it does not yet; an address that lets one browser in during the next minute. */
  launchUrl(): Promise<string>;
  /** Switches all VMs off and ends the manager. */
  shutDown(): Promise<void>;
}
