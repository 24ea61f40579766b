// Where VM processes come from: a plain Node child (command line, tests, browser host) or Electron's utility process.

import type { Port } from '../base/port.ts';

export interface VmProcess {
  readonly pid: number;
  readonly port: Port;
  /** Resolves when the process has ended, with its exit code or the signal that ended it, and the tail of its stderr. */
  readonly ended: Promise<{ code: number | undefined; signal: string | undefined; stderr: string }>;
  /** Ends the process at once. */
  kill(): void;
}

export interface VmHost {
  /** @param title what `ps` shows */
  launch(title: string): Promise<VmProcess>;
}
