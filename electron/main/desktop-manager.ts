// What the shell needs of the manager besides the calls that windows make themselves.

import type { Disposable } from '../../core/base/disposable.ts';
import type { Port } from '../../core/base/port.ts';
import type { ChosenFile } from '../../core/protocol/desktop-bridge.ts';

export interface RunningVm {
  readonly id: string;
  readonly name: string;
}

export interface DesktopManager {
  /** Answers ManagerApi calls of a window on the port and sends it events until the port closes. */
  serve(port: Port): Disposable;
  /** The console channel of a running VM. @throws NestboxError when it is not running */
  openConsole(vmId: string): Port;
  /** @throws NestboxError when there is no such regular file */
  adoptPath(path: string): Promise<ChosenFile>;
  running(): readonly RunningVm[];
  onRunningChanged(listener: () => void): Disposable;
  /** Saves the state of all running VMs. @throws the first problem, after trying all */
  saveAll(): Promise<void>;
  powerOffAll(): Promise<void>;
  /** Ends VM processes that are left and closes the registry. */
  dispose(): Promise<void>;
}
