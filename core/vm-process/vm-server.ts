// Answers VmCommands for one machine and reports its events: the logic of a VM process, whatever process hosts it. Beside
// the owner's commands it serves any number of windows, each on a channel of its own.

import { NestboxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Port } from '../base/port.ts';
import { PortMux } from '../base/port-mux.ts';
import { encodePng } from '../display/png.ts';
import { scaleToFit } from '../display/scale-frame.ts';
import type { Machine, MachineState } from '../machine/machine.ts';
import { CONSOLE_PURPOSE } from '../protocol/console-api.ts';
import { connectRpc } from '../protocol/rpc.ts';
import { type VmConfig, type VmConfigInput, vmConfigSchema } from '../protocol/vm-config.ts';
import type { FrameMessage, HandOverSpec, HandedOver, MergeDiskSpec, RestoreSpec, TakeStateSpec, TakenState, TextScreenMessage, VmCommands, VmEvents, VmExit, VmStats } from '../protocol/vm-messages.ts';
import { ConsoleServer } from './console-server.ts';
import { ScreenHub, type ScreenViewer } from './screen-hub.ts';
import { SerialHistory } from './serial-history.ts';

export type MachineFactory = (config: VmConfig, log: Logger) => Promise<Machine>;

/** Messages that need not arrive: nobody may be listening any more. */
type EventSink = { [Name in keyof VmEvents]: (...args: Parameters<VmEvents[Name]>) => void };

export class VmServer implements VmCommands {
  private readonly createMachine: MachineFactory;
  private readonly events: EventSink;
  private machine: Machine | undefined;
  private readonly savedStates = new Map<string, MachineState>();
  private readonly screen = new ScreenHub(() => this.present);
  /** The owner's own view of the screen, and the one that thumbnails are made from. */
  private readonly ownView: ScreenViewer = this.screen.open();
  private readonly thumbnailView: ScreenViewer = this.screen.open();
  private readonly history = new SerialHistory();
  private readonly consoles = new Set<ConsoleServer>();
  private exit: VmExit | undefined;

  constructor(port: Port, createMachine: MachineFactory) {
    this.createMachine = createMachine;
    const local: VmCommands = commandsOf(this);
    const mux = new PortMux(port, 'owned');
    mux.onOpen(({ purpose, port: channel }) => {
      if (purpose === CONSOLE_PURPOSE) this.serveConsole(channel);
      else channel.dispose();
    });
    const remote = connectRpc<VmEvents, VmCommands>(mux.main, local);
    const send = <Name extends keyof VmEvents>(name: Name) => (...args: Parameters<VmEvents[Name]>): void => {
      void remote.$callEvent(name, ...args).catch(() => undefined);
    };
    this.events = { stateChanged: send('stateChanged'), exited: send('exited'), serialOutput: send('serialOutput'), log: send('log'), stateProgress: send('stateProgress'), diskFull: send('diskFull') };
  }

  private get present(): Machine {
    if (this.machine === undefined) throw new NestboxError('usage', 'The VM has not been started', { op: 'call VM' });
    return this.machine;
  }

  async start(input: VmConfigInput): Promise<void> {
    (await this.make(input)).start();
  }

  async startFromState(input: VmConfigInput, restore: RestoreSpec): Promise<void> {
    await (await this.make(input)).restore(restore);
  }

  private async make(input: VmConfigInput): Promise<Machine> {
    if (this.machine !== undefined) throw new NestboxError('usage', 'The VM runs already', { op: 'start VM' });
    const parsed = vmConfigSchema.safeParse(input);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new NestboxError('usage', `VM configuration: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`, { op: 'start VM' });
    }
    const machine = await this.createMachine(parsed.data, this.logger('vm'));
    this.machine = machine;
    machine.onStateChanged((state) => this.events.stateChanged(state));
    machine.onExit((exit) => this.ended(exit));
    machine.onDiskFull((message) => this.events.diskFull(message));
    machine.onSerialOutput((bytes) => {
      this.history.add(bytes);
      this.events.serialOutput(bytes);
      for (const console of this.consoles) console.serialOutput(bytes);
    });
    return machine;
  }

  private ended(exit: VmExit): void {
    this.exit = exit;
    for (const console of [...this.consoles]) console.end(exit);
    this.events.exited(exit);
  }

  private serveConsole(port: Port): void {
    const console = new ConsoleServer(port, { machine: () => this.present, screen: this.screen, history: this.history });
    this.consoles.add(console);
    port.onClose(() => {
      this.consoles.delete(console);
      console.dispose();
    });
    if (this.exit !== undefined) console.end(this.exit);
  }

  private logger(source: string): Logger {
    const debug = process.env.NESTBOX_LOG === 'debug';
    return {
      enabled: (level) => level === 'error' || level === 'warn' || level === 'info' || debug,
      log: (level, message, fields) => {
        if (!debug && (level === 'debug' || level === 'trace')) return;
        this.events.log(level, source, fields === undefined ? message : `${message} ${JSON.stringify(fields)}`);
      },
      child: (name) => this.logger(name),
    };
  }

  async pause(): Promise<void> {
    await this.present.pause();
  }

  async resume(): Promise<void> {
    this.present.start();
  }

  async reset(): Promise<void> {
    this.present.reset();
  }

  async powerButton(): Promise<boolean> {
    return this.present.powerButton();
  }

  async powerOff(): Promise<void> {
    await this.present.powerOff();
  }

  async key(code: string, down: boolean): Promise<void> {
    this.present.key(code, down);
  }

  async keyCombination(combination: string): Promise<void> {
    await this.present.keyCombination(combination);
  }

  async typeText(text: string): Promise<void> {
    await this.present.typeText(text);
  }

  async mouse(dx: number, dy: number, dz: number, buttons: number): Promise<void> {
    this.present.mouse(dx, dy, dz, buttons);
  }

  async serialInput(bytes: Uint8Array): Promise<void> {
    this.present.serialInput(bytes);
  }

  async textScreen(): Promise<TextScreenMessage | undefined> {
    return this.present.textScreen();
  }

  async screenshot(): Promise<Uint8Array> {
    return encodePng(this.screen.refresh());
  }

  async thumbnail(widthMax: number, heightMax: number): Promise<Uint8Array | undefined> {
    const frame = this.screen.refresh();
    if (!this.thumbnailView.takeChanged()) return undefined;
    return encodePng(scaleToFit(frame, Math.min(Math.max(widthMax, 16), 1024), Math.min(Math.max(heightMax, 16), 1024)));
  }

  async frame(full: boolean): Promise<FrameMessage> {
    return this.ownView.take(full);
  }

  async insertMedium(kind: 'floppy' | 'cdrom', index: number, path: string): Promise<void> {
    await this.present.insertMedium(kind, index, path);
  }

  async ejectMedium(kind: 'floppy' | 'cdrom', index: number): Promise<void> {
    await this.present.ejectMedium(kind, index);
  }

  async stats(): Promise<VmStats> {
    return this.present.stats();
  }

  async stateHash(): Promise<string> {
    return this.present.stateHash();
  }

  async runUntil(instructions: number): Promise<void> {
    await this.present.runUntil(instructions);
  }

  async saveState(name: string): Promise<void> {
    this.savedStates.set(name, await this.present.save());
  }

  async loadState(name: string): Promise<void> {
    const state = this.savedStates.get(name);
    if (state === undefined) throw new NestboxError('usage', `There is no saved state named ${JSON.stringify(name)}`, { op: 'load state' });
    await this.present.load(state);
  }

  async takeState(spec: TakeStateSpec): Promise<TakenState> {
    return this.present.takeState(spec, {
      progress: (fraction) => this.events.stateProgress(spec.id, fraction),
      screen: () => this.screen.refresh(),
    });
  }

  async cancelTakeState(): Promise<void> {
    this.present.cancelTakeState();
  }

  async handOver(spec: HandOverSpec): Promise<HandedOver> {
    return this.present.handOver(spec);
  }

  async handedOver(): Promise<void> {
    await this.present.handedOver();
  }

  async mergeDisk(spec: MergeDiskSpec): Promise<void> {
    await this.present.disks.merge(spec, (fraction) => this.events.stateProgress(spec.id, fraction));
  }

  async finishMergeDisk(slot: string): Promise<void> {
    await this.present.disks.finish(slot);
  }

  async cancelMergeDisk(): Promise<void> {
    this.present.disks.cancel();
  }

  async memoryLoaded(): Promise<void> {
    await this.present.memoryLoaded();
  }

  async dispose(): Promise<void> {
    for (const console of this.consoles) console.dispose();
    this.consoles.clear();
    await this.machine?.dispose();
    this.machine = undefined;
  }
}

const COMMANDS = [
  'start', 'pause', 'resume', 'reset', 'powerButton', 'powerOff', 'key', 'keyCombination', 'typeText', 'mouse', 'serialInput',
  'textScreen', 'screenshot', 'thumbnail', 'frame', 'insertMedium', 'ejectMedium', 'stats', 'stateHash', 'runUntil', 'saveState', 'loadState',
  'startFromState', 'takeState', 'cancelTakeState', 'handOver', 'handedOver', 'mergeDisk', 'finishMergeDisk', 'cancelMergeDisk', 'memoryLoaded',
] as const satisfies readonly (keyof VmCommands)[];

/** Only the commands may be called from outside. */
function commandsOf(server: VmServer): VmCommands {
  const table: Record<string, unknown> = {};
  for (const name of COMMANDS) table[name] = (...args: never[]) => (server[name] as (...list: never[]) => unknown).apply(server, args);
  return table as unknown as VmCommands;
}
