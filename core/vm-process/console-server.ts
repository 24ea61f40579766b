// One window's view of the VM: screen by damage at the window's pace, input, serial port, status lights. What the window
// sends is checked here, because a shell passes it on unseen.

import { z } from 'zod';
import type { Disposable } from '../base/disposable.ts';
import { NestboxError } from '../base/errors.ts';
import type { Port } from '../base/port.ts';
import { encodePng } from '../display/png.ts';
import type { Machine } from '../machine/machine.ts';
import type { ConsoleApi, ConsoleEvents, ConsoleStatus } from '../protocol/console-api.ts';
import { connectRpc } from '../protocol/rpc.ts';
import type { FrameMessage, VmExit } from '../protocol/vm-messages.ts';
import type { ScreenHub, ScreenViewer } from './screen-hub.ts';
import type { SerialHistory } from './serial-history.ts';

const FRAME_INTERVAL_MS = 1000 / 60;
/** After input the screen is looked at more often: people notice how soon a key shows. */
const INPUT_INTERVAL_MS = 4;
const INPUT_FOR_MS = 100;
const STATUS_INTERVAL_MS = 250;
/** Below this time a speed is noise. */
const SPEED_WINDOW_MS = 100;

const finite = z.number().min(-100_000).max(100_000);
const buttonsSchema = z.int().min(0).max(31);
const CHECKS = {
  nextFrame: z.tuple([z.boolean()]),
  textScreen: z.tuple([]),
  screenshot: z.tuple([]),
  key: z.tuple([z.string().max(64), z.boolean()]),
  releaseKeys: z.tuple([]),
  keyCombination: z.tuple([z.string().max(200)]),
  typeText: z.tuple([z.string().max(65_536)]),
  mouse: z.tuple([finite, finite, finite, buttonsSchema]),
  pointer: z.tuple([z.number().min(0).max(1), z.number().min(0).max(1), finite, buttonsSchema]),
  serialInput: z.tuple([z.instanceof(Uint8Array).refine((bytes) => bytes.length <= 65_536)]),
  serialHistory: z.tuple([]),
  status: z.tuple([]),
} satisfies Record<keyof ConsoleApi, z.ZodType>;

export interface ConsoleSources {
  machine(): Machine;
  readonly screen: ScreenHub;
  readonly history: SerialHistory;
}

export class ConsoleServer implements ConsoleApi, Disposable {
  private readonly port: Port;
  private readonly sources: ConsoleSources;
  private readonly viewer: ScreenViewer;
  private readonly send: <Name extends keyof ConsoleEvents>(name: Name, ...args: Parameters<ConsoleEvents[Name]>) => void;
  private readonly keysDown = new Set<string>();
  private readonly statusTimer: NodeJS.Timeout;
  private lastFrameMs = -Infinity;
  private lastInputMs = -Infinity;
  private waiting = false;
  private isClosed = false;
  private lastStatus = '';
  private speedAt = { wallMs: 0, instructions: 0, mips: 0 };

  constructor(port: Port, sources: ConsoleSources) {
    this.port = port;
    this.sources = sources;
    this.viewer = sources.screen.open();
    const remote = connectRpc<ConsoleEvents, ConsoleApi>(port, this.checkedApi());
    this.send = (name, ...args) => {
      if (!this.isClosed) void remote.$callEvent(name, ...(args)).catch(() => undefined);
    };
    this.statusTimer = setInterval(() => this.tellStatus(), STATUS_INTERVAL_MS);
  }

  /** Only the methods of ConsoleApi, and only with arguments that make sense. */
  private checkedApi(): ConsoleApi {
    const table: Record<string, unknown> = {};
    for (const [name, check] of Object.entries(CHECKS)) {
      table[name] = async (...args: unknown[]): Promise<unknown> => {
        const parsed = check.safeParse(args);
        if (!parsed.success) throw new NestboxError('usage', `${name}: ${parsed.error.issues[0]?.message ?? 'wrong arguments'}`, { op: 'call console' });
        return (this[name as keyof ConsoleApi] as (...list: unknown[]) => Promise<unknown>).apply(this, parsed.data);
      };
    }
    return table as unknown as ConsoleApi;
  }

  async nextFrame(full: boolean): Promise<FrameMessage> {
    if (this.waiting) throw new NestboxError('usage', 'nextFrame: the last call has not been answered yet', { op: 'call console' });
    this.waiting = true;
    try {
      await sleep(this.lastFrameMs + FRAME_INTERVAL_MS - performance.now());
      if (!full) {
        for (;;) {
          if (this.isClosed) throw new NestboxError('cancelled', 'The console has been closed', { op: 'call console' });
          this.sources.screen.refresh();
          if (this.viewer.hasUnseen) break;
          await sleep(performance.now() - this.lastInputMs < INPUT_FOR_MS ? INPUT_INTERVAL_MS : FRAME_INTERVAL_MS);
        }
      }
      this.lastFrameMs = performance.now();
      return this.viewer.take(full);
    } finally {
      this.waiting = false;
    }
  }

  async textScreen(): ReturnType<ConsoleApi['textScreen']> {
    return this.sources.machine().textScreen();
  }

  async screenshot(): Promise<Uint8Array> {
    return encodePng(this.sources.screen.refresh());
  }

  async key(code: string, down: boolean): Promise<void> {
    if (down) this.keysDown.add(code);
    else this.keysDown.delete(code);
    this.lastInputMs = performance.now();
    this.sources.machine().key(code, down);
  }

  async releaseKeys(): Promise<void> {
    const machine = this.sources.machine();
    for (const code of this.keysDown) machine.key(code, false);
    this.keysDown.clear();
  }

  async keyCombination(combination: string): Promise<void> {
    await this.sources.machine().keyCombination(combination);
  }

  async typeText(text: string): Promise<void> {
    await this.sources.machine().typeText(text);
  }

  async mouse(dx: number, dy: number, dz: number, buttons: number): Promise<void> {
    this.lastInputMs = performance.now();
    this.sources.machine().mouse(dx, dy, dz, buttons);
  }

  async pointer(x: number, y: number, dz: number, buttons: number): Promise<void> {
    const machine = this.sources.machine();
    if (!machine.takesPositions) throw new NestboxError('unsupported', 'The guest takes no absolute pointer positions', { op: 'call console' });
    this.lastInputMs = performance.now();
    machine.pointer(x, y, dz, buttons);
  }

  async serialInput(bytes: Uint8Array): Promise<void> {
    this.sources.machine().serialInput(bytes);
  }

  async serialHistory(): Promise<Uint8Array> {
    return this.sources.history.read();
  }

  async status(): Promise<ConsoleStatus> {
    const machine = this.sources.machine();
    const stats = machine.stats();
    const passedMs = stats.wallMs - this.speedAt.wallMs;
    if (passedMs >= SPEED_WINDOW_MS) {
      const mips = Math.max(0, stats.instructions - this.speedAt.instructions) / passedMs / 1000;
      this.speedAt = { wallMs: stats.wallMs, instructions: stats.instructions, mips };
    }
    return {
      state: machine.state,
      engine: stats.engine,
      mips: Math.round(this.speedAt.mips * 10) / 10,
      diskReads: stats.diskReads,
      diskWrites: stats.diskWrites,
      netPackets: stats.netPackets,
      jit: stats.engine === 'software' ? stats.jit : undefined,
      absolutePointer: machine.takesPositions,
      keyboardLeds: machine.keyboardLeds,
    };
  }

  private tellStatus(): void {
    void this.status().then(
      (status) => {
        const text = JSON.stringify(status);
        if (text === this.lastStatus) return;
        this.lastStatus = text;
        this.send('statusChanged', status);
      },
      () => undefined,
    );
  }

  serialOutput(bytes: Uint8Array): void {
    this.send('serialOutput', bytes);
  }

  /** The VM has stopped: says so and closes. */
  end(exit: VmExit): void {
    this.send('ended', exit);
    // The message leaves in a later microtask.
    setImmediate(() => {
      this.port.dispose();
      this.dispose();
    });
  }

  dispose(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    clearInterval(this.statusTimer);
    this.viewer.dispose();
    // The machine may never have been started.
    void this.releaseKeys().catch(() => undefined);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, Math.max(0, ms));
  });
}
