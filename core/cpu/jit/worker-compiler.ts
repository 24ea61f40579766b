// Compiles regions on a thread of their own. The vCPU's thread never waits: it looks for finished modules between runs.

import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { enableBranchHints } from './engine-switches.ts';
import type { CompiledBatch, RegionCompiler } from './jit-engine.ts';
import type { RegionRequest } from './region-module.ts';

function warn(reason: string): void {
  process.emitWarning(`The JIT's compiler ended (${reason}): the machine goes on, interpreted`);
}

export class WorkerCompiler implements RegionCompiler {
  readonly immediate = false;
  readonly thread: Worker;
  private readonly port: MessagePort;
  /** Requests since the last flush: one message for all of a slice of the run loop. */
  private queue: RegionRequest[] = [];
  private outstanding = 0;
  private ended = false;
  private disposed = false;

  /** @param onFailure hears once when the thread could not start or died */
  constructor(memory: WebAssembly.Memory, onFailure: (reason: string) => void = warn) {
    enableBranchHints();
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.thread = new Worker(new URL('./compile-worker.ts', import.meta.url), {
      workerData: { pages: memory.buffer.byteLength / 65536, port: port2 },
      transferList: [port2],
      name: 'jit',
      // Switches of the process (loaders, inspectors) are not for this thread.
      execArgv: [],
    });
    // Without a compiler the machine goes on, interpreted.
    let told = false;
    const fail = (reason: string): void => {
      this.ended = true;
      this.queue = [];
      if (told || this.disposed) return;
      told = true;
      onFailure(reason);
    };
    this.thread.on('error', (error: Error) => fail(error.message));
    this.thread.on('exit', (code) => fail(`exit code ${code}`));
    this.thread.unref();
    this.port.unref();
  }

  submit(request: RegionRequest): void {
    if (!this.ended) this.queue.push(request);
  }

  private flush(): void {
    const { queue } = this;
    if (queue.length === 0) return;
    this.queue = [];
    this.outstanding += queue.length;
    // Copies of blocks share a buffer; it goes to the other thread as it is.
    const buffers = new Set(queue.flatMap(({ blocks }) => blocks.map(({ bytes }) => bytes.buffer as ArrayBuffer)));
    this.port.postMessage(queue, [...buffers]);
  }

  take(): CompiledBatch | undefined {
    this.flush();
    if (this.outstanding === 0) return undefined;
    const received = receiveMessageOnPort(this.port) as { readonly message: CompiledBatch } | undefined;
    if (received === undefined) return undefined;
    this.outstanding -= received.message.results.length;
    return received.message;
  }

  dispose(): void {
    this.disposed = true;
    this.port.close();
    void this.thread.terminate();
  }
}
