// One VM process from launch to end, as the manager sees it: commands that fail when the process dies, state, measurements,
// channels for windows. Whatever way it ends, `ended` resolves once with the reason.

import { NestboxError } from '../base/errors.ts';
import { Emitter } from '../base/emitter.ts';
import { PortMux } from '../base/port-mux.ts';
import type { Port } from '../base/port.ts';
import { CONSOLE_PURPOSE, type ConsoleEvents } from '../protocol/console-api.ts';
import { connectRpc, eventMessage, isEventMessage } from '../protocol/rpc.ts';
import type { VmPowerState } from '../protocol/library.ts';
import type { VmCommands, VmEvents, VmExit, VmState, VmStateCommands, VmStateEvents } from '../protocol/vm-messages.ts';
import { MetricsHistory } from './metrics.ts';
import type { VmHost, VmProcess } from './vm-host.ts';

/** What a VM process gets to close its disks before it is killed. */
const END_GRACE_MS = 5000;
const POWER_OFF_GRACE_MS = 10_000;

export type VmLogSink = (level: string, source: string, message: string) => void;

/** `died`: the process went without the machine having said goodbye. */
export interface VmEnd {
  readonly exit: VmExit;
  readonly died?: { readonly how: string; readonly stderr: string };
}

export type AllCommands = VmCommands & VmStateCommands;
type AllEvents = VmEvents & VmStateEvents;

export class RunningVm {
  readonly startedMs = Date.now();
  readonly metrics = new MetricsHistory();
  engine: 'software' | 'kvm' | undefined;
  private readonly process: VmProcess;
  private readonly mux: PortMux;
  private readonly commands: AllCommands;
  private readonly changes = new Emitter<void>();
  private state: VmPowerState = 'starting';
  private exit: VmExit | undefined;
  private readonly death: Promise<never>;
  readonly onChanged = this.changes.event;
  private readonly stateProgress = new Emitter<{ readonly id: string; readonly fraction: number }>();
  /** How far a state that is being saved is. */
  readonly onStateProgress = this.stateProgress.event;
  private readonly diskFull = new Emitter<string | undefined>();
  /** The machine stands still because the host's disk is full, with what is wrong; undefined: there is space again. */
  readonly onDiskFull = this.diskFull.event;
  /** Resolves when the process is gone. */
  readonly ended: Promise<VmEnd>;

  private constructor(process: VmProcess, log: VmLogSink) {
    this.process = process;
    this.mux = new PortMux(process.port, 'owner');
    const events: AllEvents = {
      stateChanged: (state) => this.follow(state),
      exited: (exit) => {
        this.exit = exit;
        this.setState('stopping');
        this.process.port.dispose();
        this.killLater(END_GRACE_MS);
      },
      serialOutput: () => undefined,
      log,
      stateProgress: (id, fraction) => this.stateProgress.fire({ id, fraction }),
      diskFull: (message) => this.diskFull.fire(message),
    };
    this.commands = connectRpc<AllCommands, AllEvents>(this.mux.main, events);
    this.ended = process.ended.then(({ code, signal, stderr }) => {
      if (this.exit !== undefined) return { exit: this.exit };
      const how = signal ?? `exit code ${code ?? '?'}`;
      return { exit: { reason: 'error', kind: 'internal', message: `The VM process ended unexpectedly (${how})` }, died: { how, stderr: stderr.trim() } };
    });
    this.death = this.ended.then(({ exit }): never => {
      throw new NestboxError('guest', exit.message ?? 'The virtual machine has stopped', { op: 'call VM', context: { code: 'vm-process-died' } });
    });
    this.death.catch(() => undefined);
  }

  static async launch(host: VmHost, title: string, log: VmLogSink): Promise<RunningVm> {
    return new RunningVm(await host.launch(title), log);
  }

  get pid(): number {
    return this.process.pid;
  }

  get powerState(): VmPowerState {
    return this.state;
  }

  setState(state: VmPowerState): void {
    if (this.state === state) return;
    this.state = state;
    this.changes.fire();
  }

  private follow(state: VmState): void {
    // What the manager is doing outranks what the machine reports meanwhile.
    if (this.state === 'saving' || this.state === 'stopping') return;
    if (state === 'running' || state === 'paused') this.setState(state);
  }

  /** Calls the VM process; rejects when it dies instead of waiting for ever. */
  async call<Name extends keyof AllCommands>(name: Name, ...args: Parameters<AllCommands[Name]>): Promise<Awaited<ReturnType<AllCommands[Name]>>> {
    const command = this.commands[name] as (...list: unknown[]) => Promise<Awaited<ReturnType<AllCommands[Name]>>>;
    return Promise.race([command(...args), this.death]);
  }

  /** All commands, each as `call` does it. */
  readonly guarded: AllCommands = new Proxy({} as AllCommands, {
    // A promise is recognised by `then`; commands have none of that name.
    get: (_target, name) => (typeof name !== 'string' || name === 'then' ? undefined : (...args: unknown[]) => (this.call as (command: string, ...list: unknown[]) => Promise<unknown>).call(this, name, ...args)),
  });

  /**
   * @param begin brings the machine up: from power-on, or from a saved state
   * @throws NestboxError when the configuration, a medium or the process is bad; the process is gone then
   */
  async start(begin: (commands: AllCommands) => Promise<unknown>): Promise<void> {
    try {
      await begin(this.guarded);
      const stats = await this.call('stats');
      this.engine = stats.engine === 'kvm' ? 'kvm' : 'software';
      if (this.state === 'starting') this.setState('running');
    } catch (error) {
      // Its end is not a death then: the caller tells why it never ran.
      this.exit ??= { reason: 'error', kind: error instanceof NestboxError ? error.kind : 'internal', message: error instanceof Error ? error.message : String(error) };
      await this.end();
      throw error;
    }
  }

  /** A window's channel to this VM. If the process dies, the window is told in its place. */
  openConsole(): Port {
    const channel = this.mux.open(CONSOLE_PURPOSE);
    const messages = new Emitter<unknown>();
    const closed = new Emitter<void>();
    let endedSaid = false;
    channel.onMessage((message) => {
      endedSaid ||= isEventMessage(message, 'ended' satisfies keyof ConsoleEvents);
      messages.fire(message);
    });
    channel.onClose(() => {
      void this.ended.then(({ exit }) => {
        if (!endedSaid) messages.fire(eventMessage('ended' satisfies keyof ConsoleEvents, exit));
        closed.fire();
      });
    });
    return { post: (message) => channel.post(message), onMessage: messages.event, onClose: closed.event, dispose: () => channel.dispose() };
  }

  /** Pulls the plug; a process that does not answer is killed. */
  async powerOff(): Promise<void> {
    this.setState('stopping');
    const stopKilling = this.killLater(POWER_OFF_GRACE_MS);
    await this.call('powerOff').catch(() => undefined);
    // `exited` closes the port; a machine that was never started sends none.
    this.exit ??= { reason: 'host' };
    this.process.port.dispose();
    await this.ended;
    stopKilling();
  }

  /** Ends the process without asking the machine. */
  async end(): Promise<void> {
    this.process.port.dispose();
    const stopKilling = this.killLater(END_GRACE_MS);
    await this.ended;
    stopKilling();
  }

  kill(): void {
    this.process.kill();
  }

  private killLater(ms: number): () => void {
    const timer = setTimeout(() => this.process.kill(), ms);
    const stop = (): void => clearTimeout(timer);
    void this.process.ended.then(stop);
    return stop;
  }
}
