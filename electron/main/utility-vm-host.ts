// VmHost over Electron's utility processes: one process a VM, named in the system's process list, without Node's
// command-line switches of the parent and with a small environment.

import type { ForkOptions, UtilityProcess } from 'electron';
import { Emitter } from '../../core/base/emitter.ts';
import { NestboxError } from '../../core/base/errors.ts';
import type { Port } from '../../core/base/port.ts';
import { vmEnvironment } from '../../core/host/vm-environment.ts';
import type { VmHost, VmProcess } from '../../core/manager/vm-host.ts';

/** The part of Electron's UtilityProcess that is used, so that tests can stand in for it. */
export type UtilityChild = Pick<UtilityProcess, 'pid' | 'stderr' | 'postMessage' | 'kill'> & {
  on(event: 'message', listener: (message: unknown) => void): unknown;
  once(event: 'spawn', listener: () => void): unknown;
  once(event: 'exit', listener: (code: number) => void): unknown;
  once(event: 'error', listener: (type: string, location: string, report: string) => void): unknown;
};
export type ForkUtility = (modulePath: string, args: string[], options: ForkOptions) => UtilityChild;

/** A word that asks the VM's process to end; a plain VM message never is a string. */
export const END_MESSAGE = 'nestbox-end';
const STDERR_TAIL_CHARACTERS = 64 * 1024;
/** What is still in the pipe when the process has gone gets a moment. */
const STDERR_GRACE_MS = 30;

export class UtilityVmHost implements VmHost {
  private readonly fork: ForkUtility;
  private readonly entry: string;
  private readonly killProcess: (pid: number) => void;

  /**
   * @param entry path of the bundled electron/vm/main
   * @param killProcess SIGKILL by process id: UtilityProcess.kill() sends SIGTERM only
   */
  constructor(fork: ForkUtility, entry: string, killProcess: (pid: number) => void) {
    this.fork = fork;
    this.entry = entry;
    this.killProcess = killProcess;
  }

  async launch(title: string): Promise<VmProcess> {
    const child = this.fork(this.entry, [title], {
      serviceName: title,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: vmEnvironment(),
      // V8 would compile regions of the JIT at their first call, on the thread that runs the guest.
      execArgv: ['--stack-size=2000', '--no-wasm-lazy-compilation'],
      allowLoadingUnsignedLibraries: false,
    });
    let stderr = '';
    child.stderr?.on('data', (data: Uint8Array) => {
      stderr = (stderr + Buffer.from(data).toString('utf8')).slice(-STDERR_TAIL_CHARACTERS);
    });
    let pid = 0;
    const messages = new Emitter<unknown>();
    const closed = new Emitter<void>();
    child.on('message', (message) => messages.fire(message));
    let running = true;
    const ended = new Promise<{ code: number | undefined; signal: string | undefined; stderr: string }>((resolve) => {
      child.once('exit', (code) => {
        running = false;
        closed.fire();
        setTimeout(() => resolve({ code, signal: undefined, stderr }), STDERR_GRACE_MS);
      });
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (type, location) =>
        reject(
          new NestboxError('io', `The VM process could not be started: ${type} at ${location}`, { op: 'launch VM' }),
        ),
      );
      void ended.then(({ code }) =>
        reject(
          new NestboxError(
            'io',
            `The VM process ended at once with code ${code ?? '?'}${stderr === '' ? '' : `: ${stderr}`}`,
            { op: 'launch VM' },
          ),
        ),
      );
    });
    pid = child.pid ?? 0;
    const port: Port = {
      post: (message) => {
        if (running) child.postMessage(message);
      },
      onMessage: messages.event,
      onClose: closed.event,
      dispose: () => {
        if (running) child.postMessage(END_MESSAGE);
      },
    };
    return {
      pid,
      port,
      ended,
      kill: () => {
        if (running && pid !== 0) this.killProcess(pid);
      },
    };
  }
}
