// The life of a machine: created, running, paused, stopped; why it ended, and who is told. Work that needs the machine to
// stand still goes through here too.

import { Emitter } from '../base/emitter.ts';
import { NestboxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { VmExit, VmState } from '../protocol/vm-messages.ts';
import type { RunLoop } from './run-loop.ts';

export interface MachineLifeOptions {
  /** The loop is made after the devices, which may already want to end the machine. */
  readonly loop: () => RunLoop;
  /** Hands on what the guest has written, before anyone hears of a pause or an end. */
  readonly flushOutput: () => void;
  readonly log: Logger;
}

export class MachineLife {
  private readonly options: MachineLifeOptions;
  private stateNow: VmState = 'created';
  private exit: VmExit | undefined;
  /** What was asked for last: to run or to stand still. */
  private wanted = false;
  /** Work under way that needs the machine to stand still. */
  private holds = 0;
  private readonly stateEmitter = new Emitter<VmState>();
  private readonly exitEmitter = new Emitter<VmExit>();
  readonly onStateChanged = this.stateEmitter.event;
  readonly onExit = this.exitEmitter.event;

  constructor(options: MachineLifeOptions) {
    this.options = options;
  }

  get state(): VmState {
    return this.stateNow;
  }

  private setState(state: VmState): void {
    if (this.stateNow === state) return;
    this.stateNow = state;
    this.stateEmitter.fire(state);
  }

  /** Lets the loop run when that is wanted and nobody needs it to stand still. */
  private settle(): void {
    if (this.wanted && this.holds === 0 && this.exit === undefined) this.options.loop().start((error) => this.fail(error));
  }

  /** @throws NestboxError kind `usage` when the machine has ended */
  start(): void {
    if (this.stateNow === 'stopped') throw new NestboxError('usage', 'The machine has been switched off', { op: 'start' });
    this.wanted = true;
    this.setState('running');
    this.settle();
  }

  /** Resolves when the machine stands still, or was started again meanwhile. */
  async pause(): Promise<void> {
    this.wanted = false;
    await this.options.loop().stop();
    if (this.wanted) return;
    this.options.flushOutput();
    if (this.stateNow === 'running') this.setState('paused');
  }

  /** Ends the machine's life; the loop stops at once. Only the first reason counts. */
  finish(exit: VmExit): void {
    if (this.exit !== undefined) return;
    this.exit = exit;
    void this.options
      .loop()
      .stop()
      .then(() => {
        this.options.flushOutput();
        this.setState('stopped');
        this.exitEmitter.fire(exit);
      });
  }

  /** Ends the machine because of an error of ours or of the host. */
  fail(error: unknown): void {
    const known = error instanceof NestboxError;
    if (!known) this.options.log.log('error', error instanceof Error ? (error.stack ?? error.message) : String(error));
    this.finish({ reason: 'error', kind: known ? error.kind : 'internal', message: known ? error.message : `internal error: ${String(error)}` });
  }

  /** Runs `work` while the machine stands still; afterwards it goes on, unless something else was asked for meanwhile. */
  async whilePaused<T>(work: () => Promise<T>): Promise<T> {
    this.holds++;
    try {
      await this.options.loop().stop();
      return await work();
    } finally {
      this.holds--;
      this.settle();
    }
  }

  /** Runs until exactly this many instructions have retired since power-on, then pauses. */
  async runUntil(instructions: number): Promise<void> {
    const loop = this.options.loop();
    await loop.stop();
    loop.stopAtInstructions = instructions;
    await new Promise<void>((resolve) => {
      loop.onStopped = () => {
        loop.onStopped = undefined;
        resolve();
      };
      this.start();
    });
    this.wanted = false;
    loop.stopAtInstructions = Infinity;
    this.options.flushOutput();
    if (this.exit === undefined) this.setState('paused');
  }
}
