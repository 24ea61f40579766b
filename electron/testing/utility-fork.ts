// Stands in for Electron's utilityProcess.fork in tests: a plain Node child with a `process.parentPort` like Electron's,
// so that UtilityVmHost and the VM entry run against each other without Electron's binary.

import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ForkUtility } from '../main/utility-vm-host.ts';

class NodeUtility extends EventEmitter {
  private readonly child: ChildProcess;
  readonly stderr: NodeJS.ReadableStream | null;

  constructor(child: ChildProcess) {
    super();
    this.child = child;
    this.stderr = child.stderr;
    child.on('message', (message) => this.emit('message', message));
    child.once('spawn', () => this.emit('spawn'));
    child.once('exit', (code, signal) => this.emit('exit', code ?? (signal === 'SIGKILL' ? 9 : 1)));
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  postMessage(message: unknown): void {
    this.child.send(message as object, () => undefined);
  }

  kill(): boolean {
    return this.child.kill('SIGTERM');
  }
}

/** Electron wraps what arrives in `{ data }`, and leaves out Node's own IPC functions. */
export const forkUtility: ForkUtility = (modulePath, args, options) =>
  new NodeUtility(
    fork(modulePath, args, {
      serialization: 'advanced',
      env: options.env as NodeJS.ProcessEnv,
      execArgv: [
        '--disable-warning=ExperimentalWarning',
        ...(options.execArgv ?? []),
        '--import',
        fileURLToPath(new URL('./parent-port.mjs', import.meta.url)),
      ],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    }),
  );
