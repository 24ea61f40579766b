// VmHost for plain Node: one child process a VM, named in `ps`, with a small environment.

import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { NestboxError } from '../base/errors.ts';
import type { VmHost, VmProcess } from '../manager/vm-host.ts';
import { childProcessPort } from './child-port.ts';
import { vmEnvironment } from './vm-environment.ts';

const STDERR_TAIL_BYTES = 64 * 1024;
const STDERR_GRACE_MS = 30;
/** V8's threads: one core is for the guest, and more than Node's own choice gain nothing. */
const V8_THREADS = Math.max(1, Math.min(4, availableParallelism() - 1));

export class NodeVmHost implements VmHost {
  async launch(title: string): Promise<VmProcess> {
    const child = fork(fileURLToPath(new URL('../vm-process/main.ts', import.meta.url)), [title], {
      serialization: 'advanced',
      env: vmEnvironment(),
      // V8 would compile regions of the JIT at their first call, on the thread that runs the guest.
      execArgv: ['--disable-warning=ExperimentalWarning', '--stack-size=2000', '--no-wasm-lazy-compilation', `--v8-pool-size=${V8_THREADS}`, `--title=${title}`],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_TAIL_BYTES);
    });
    const ended = new Promise<{ code: number | undefined; signal: string | undefined; stderr: string }>((resolve) => {
      // Not 'close': it never comes when the channel was disconnected first. What is still in the pipe gets a moment.
      child.once('exit', (code, signal) => {
        setTimeout(() => resolve({ code: code ?? undefined, signal: signal ?? undefined, stderr }), STDERR_GRACE_MS);
      });
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => reject(new NestboxError('io', `The VM process could not be started: ${cause.message}`, { op: 'launch VM', cause })));
    });
    return {
      pid: child.pid ?? 0,
      port: childProcessPort(child),
      ended,
      kill: () => {
        child.kill('SIGKILL');
      },
    };
  }
}
