// Answers VmCommands for one machine and reports its events: the logic of a VM process, whatever process hosts it.

import { NestboxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Port } from '../base/port.ts';
import { encodePng } from '../display/png.ts';
import type { Frame, Rect } from '../display/frame-source.ts';
import type { Machine, MachineState } from '../machine/machine.ts';
import { connectRpc } from '../protocol/rpc.ts';
import { type VmConfig, type VmConfigInput, vmConfigSchema } from '../protocol/vm-config.ts';
import type { FrameMessage, TextScreenMessage, VmCommands, VmEvents, VmStats } from '../protocol/vm-messages.ts';

export type MachineFactory = (config: VmConfig, log: Logger) => Promise<Machine>;

/** Messages that need not arrive: nobody may be listening any more. */
type EventSink = { [Name in keyof VmEvents]: (...args: Parameters<VmEvents[Name]>) => void };

export class VmServer implements VmCommands {
  private readonly createMachine: MachineFactory;
  private readonly events: EventSink;
  private machine: Machine | undefined;
  private readonly savedStates = new Map<string, MachineState>();

  constructor(port: Port, createMachine: MachineFactory) {
    this.createMachine = createMachine;
    const local: VmCommands = commandsOf(this);
    const remote = connectRpc<VmEvents, VmCommands>(port, local);
    const send = <Name extends keyof VmEvents>(name: Name) => (...args: Parameters<VmEvents[Name]>): void => {
      void remote.$callEvent(name, ...args).catch(() => undefined);
    };
    this.events = { stateChanged: send('stateChanged'), exited: send('exited'), serialOutput: send('serialOutput'), log: send('log') };
  }

  private get present(): Machine {
    if (this.machine === undefined) throw new NestboxError('usage', 'The VM has not been started', { op: 'call VM' });
    return this.machine;
  }

  async start(input: VmConfigInput): Promise<void> {
    if (this.machine !== undefined) throw new NestboxError('usage', 'The VM runs already', { op: 'start VM' });
    const parsed = vmConfigSchema.safeParse(input);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new NestboxError('usage', `VM configuration: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`, { op: 'start VM' });
    }
    const machine = await this.createMachine(parsed.data, this.logger('vm'));
    this.machine = machine;
    machine.onStateChanged((state) => this.events.stateChanged(state));
    machine.onExit((exit) => this.events.exited(exit));
    machine.onSerialOutput((bytes) => this.events.serialOutput(bytes));
    machine.start();
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
    return encodePng(this.present.refresh().frame);
  }

  async frame(full: boolean): Promise<FrameMessage> {
    const { frame, damage } = this.present.refresh();
    const rects = full ? [{ x: 0, y: 0, width: frame.width, height: frame.height }] : damage;
    return { width: frame.width, height: frame.height, damage: rects, pixels: cutOut(frame, rects) };
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

  async dispose(): Promise<void> {
    await this.machine?.dispose();
    this.machine = undefined;
  }
}

/** The pixels of some rectangles, one after the other. */
function cutOut(frame: Frame, rects: readonly Rect[]): Uint8Array {
  const out = new Uint8Array(rects.reduce((sum, rect) => sum + rect.width * rect.height * 4, 0));
  let at = 0;
  for (const rect of rects) {
    for (let y = rect.y; y < rect.y + rect.height; y++) {
      const from = (y * frame.width + rect.x) * 4;
      out.set(frame.pixels.subarray(from, from + rect.width * 4), at);
      at += rect.width * 4;
    }
  }
  return out;
}

const COMMANDS = [
  'start', 'pause', 'resume', 'reset', 'powerButton', 'powerOff', 'key', 'keyCombination', 'typeText', 'mouse', 'serialInput',
  'textScreen', 'screenshot', 'frame', 'insertMedium', 'ejectMedium', 'stats', 'stateHash', 'runUntil', 'saveState', 'loadState',
] as const satisfies readonly (keyof VmCommands)[];

/** Only the commands may be called from outside. */
function commandsOf(server: VmServer): VmCommands {
  const table: Record<string, unknown> = {};
  for (const name of COMMANDS) table[name] = (...args: never[]) => (server[name] as (...list: never[]) => unknown).apply(server, args);
  return table as unknown as VmCommands;
}
