// One VM process as the command line sees it: launch, output kept for searching, exit, and clean end.

import { NestboxError } from '../base/errors.ts';
import { Emitter } from '../base/emitter.ts';
import type { VmHost, VmProcess } from '../manager/vm-host.ts';
import { connectRpc } from '../protocol/rpc.ts';
import type { VmConfigInput } from '../protocol/vm-config.ts';
import type { VmCommands, VmEvents, VmExit } from '../protocol/vm-messages.ts';

const SERIAL_TAIL_CHARACTERS = 1 << 20;
const END_GRACE_MS = 3000;

/** How a VM process came to its end, for the user. */
function describeEnd(end: Awaited<VmProcess['ended']>): string {
  const how = end.signal === undefined ? `with code ${end.code ?? '?'}` : `by ${end.signal}`;
  const detail = end.stderr.trim();
  return `The VM process ended ${how}${detail === '' ? '' : `:\n${detail}`}`;
}

export class VmSession {
  readonly vm: VmCommands;
  private readonly child: VmProcess;
  private readonly serial = new Emitter<Uint8Array>();
  readonly onSerial = this.serial.event;
  /** Resolves when the VM has stopped, or its process has died (reason `error`). */
  readonly exited: Promise<VmExit>;
  /** The tail of the serial output as text. */
  serialText = '';
  /** Characters that have been dropped from the head of serialText. */
  serialDropped = 0;
  private readonly decoder = new TextDecoder('utf-8');
  private ended = false;

  private constructor(child: VmProcess, onLog: (level: string, source: string, message: string) => void) {
    this.child = child;
    let resolveExit: (exit: VmExit) => void = () => undefined;
    this.exited = new Promise((resolve) => {
      resolveExit = resolve;
    });
    const events: VmEvents = {
      stateChanged: () => undefined,
      stateProgress: () => undefined,
      diskFull: () => undefined,
      exited: (exit) => resolveExit(exit),
      serialOutput: (bytes) => this.takeSerial(bytes),
      log: onLog,
    };
    this.vm = connectRpc<VmCommands, VmEvents>(child.port, events);
    void child.ended.then((end) => {
      this.ended = true;
      resolveExit({ reason: 'error', message: describeEnd(end) });
    });
  }

  static async launch(host: VmHost, title: string, onLog: (level: string, source: string, message: string) => void): Promise<VmSession> {
    return new VmSession(await host.launch(title), onLog);
  }

  /** Starts the machine. A VM process that dies meanwhile rejects too. */
  async start(config: VmConfigInput): Promise<void> {
    await this.guard(this.vm.start(config));
  }

  /** A call that fails when the VM process goes away instead of waiting for ever. */
  async guard<T>(call: Promise<T>): Promise<T> {
    const death = this.child.ended.then((end): never => {
      throw new NestboxError('internal', describeEnd(end), { op: 'call VM' });
    });
    death.catch(() => undefined);
    return Promise.race([call, death]);
  }

  private takeSerial(bytes: Uint8Array): void {
    this.serialText += this.decoder.decode(bytes, { stream: true });
    if (this.serialText.length > SERIAL_TAIL_CHARACTERS * 2) {
      const drop = this.serialText.length - SERIAL_TAIL_CHARACTERS;
      this.serialText = this.serialText.slice(drop);
      this.serialDropped += drop;
    }
    this.serial.fire(bytes);
  }

  /** Ends the VM process: asks, waits a little, then kills. */
  async end(): Promise<void> {
    if (this.ended) return;
    this.child.port.dispose();
    const timer = setTimeout(() => this.child.kill(), END_GRACE_MS);
    await this.child.ended;
    clearTimeout(timer);
  }
}
