// VM processes that are none: they answer as a VM process does, in this process, and die when a test says so.

import { encodePng } from '../../core/display/png.ts';
import { Emitter } from '../../core/base/emitter.ts';
import type { NestboxError } from '../../core/base/errors.ts';
import { PortMux } from '../../core/base/port-mux.ts';
import { createPortPair } from '../../core/base/port.ts';
import type { VmHost, VmProcess } from '../../core/manager/vm-host.ts';
import { connectRpc } from '../../core/protocol/rpc.ts';
import type { VmConfigInput } from '../../core/protocol/vm-config.ts';
import type { VmCommands, VmEvents, VmExit, VmStats } from '../../core/protocol/vm-messages.ts';

const STATS: VmStats = {
  engine: 'software', instructions: 0, wallMs: 0, guestMs: 0, mips: 0, exits: {}, jit: { blocks: 0, compiles: 0, compileMs: 0, cacheBytes: 0, compiledShare: 0.5 }, peakRssMib: 1,
  diskReadBytes: 0, diskWrittenBytes: 0, diskReads: 0, diskWrites: 0, netPackets: 0, netReceivedBytes: 0, netSentBytes: 0, cpuMs: 0, rssMib: 7,
};

let nextPid = 100_000_000;

export class FakeVm {
  readonly pid = nextPid++;
  readonly title: string;
  readonly calls: string[] = [];
  config: VmConfigInput | undefined;
  acpi = true;
  /** Refuses to start with this. */
  startError: NestboxError | undefined;
  readonly process: VmProcess;
  private readonly events: { send<Name extends keyof VmEvents>(name: Name, ...args: Parameters<VmEvents[Name]>): void };
  private resolveEnd: (end: { code: number | undefined; signal: string | undefined; stderr: string }) => void = () => undefined;

  constructor(title: string, startError: NestboxError | undefined) {
    this.title = title;
    this.startError = startError;
    const [owner, own] = createPortPair();
    const mux = new PortMux(own, 'owned');
    const remote = connectRpc<VmEvents, Partial<VmCommands>>(mux.main, this.commands());
    this.events = {
      send: (name, ...args) => {
        void remote.$callEvent(name, ...(args as never));
      },
    };
    own.onClose(() => this.end(0, undefined));
    const closed = new Emitter<void>();
    owner.onClose(() => closed.fire());
    this.process = {
      pid: this.pid,
      port: owner,
      ended: new Promise((resolve) => {
        this.resolveEnd = resolve;
      }),
      kill: () => this.die('SIGKILL'),
    };
  }

  private commands(): Partial<VmCommands> {
    const note = (name: string): void => {
      this.calls.push(name);
    };
    return {
      start: async (config) => {
        note('start');
        if (this.startError !== undefined) throw this.startError;
        this.config = config;
        this.events.send('stateChanged', 'running');
      },
      pause: async () => this.events.send('stateChanged', 'paused'),
      resume: async () => this.events.send('stateChanged', 'running'),
      reset: async () => note('reset'),
      powerButton: async () => {
        // A guest takes its time; the answer is on its way before.
        if (this.acpi) setTimeout(() => this.exit({ reason: 'power-off' }), 5);
        return this.acpi;
      },
      powerOff: async () => this.exit({ reason: 'host' }),
      insertMedium: async (kind, index, path) => note(`insert ${kind} ${index} ${path}`),
      ejectMedium: async (kind, index) => note(`eject ${kind} ${index}`),
      stats: async () => STATS,
      thumbnail: async () => encodePng({ width: 1, height: 1, pixels: new Uint8Array(4) }),
    };
  }

  log(level: string, message: string): void {
    this.events.send('log', level, 'vm', message);
  }

  exit(exit: VmExit): void {
    this.events.send('stateChanged', 'stopped');
    this.events.send('exited', exit);
  }

  private end(code: number | undefined, signal: string | undefined, stderr = ''): void {
    this.process.port.dispose();
    this.resolveEnd({ code, signal, stderr });
  }

  die(signal: string, stderr = ''): void {
    this.end(undefined, signal, stderr);
  }
}

export class FakeVmHost implements VmHost {
  readonly vms: FakeVm[] = [];
  /** The next VM refuses to start with this. */
  nextStartError: NestboxError | undefined;

  async launch(title: string): Promise<VmProcess> {
    const vm = new FakeVm(title, this.nextStartError);
    this.nextStartError = undefined;
    this.vms.push(vm);
    return vm.process;
  }

  get last(): FakeVm {
    const vm = this.vms.at(-1);
    if (vm === undefined) throw new Error('no VM has been started');
    return vm;
  }
}
