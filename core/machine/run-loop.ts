// Runs one vCPU in slices on the device thread: timers, completions of host work, idle waiting, pausing. A slice ends at
// the next timer's deadline, and often enough that messages and screens are served.

import { blockThread } from '../base/blocking-sleep.ts';
import type { TimerQueue } from '../base/timer-queue.ts';
import type { RunExit, Vcpu } from '../cpu/contract.ts';
import type { IoQueue } from './io-queue.ts';
import { HostTime, InstructionTime, NS_PER_INSTRUCTION, type TimeSource } from './virtual-clock.ts';

/** The longest the event loop is kept waiting, in host milliseconds. */
const MAX_SLICE_MS = 2;
/** Iterations of REP count as instructions and run ten times as fast: the estimate may be that much too high for what follows. */
const MAX_SLICE_INSTRUCTIONS = 1 << 22;
const MIN_SLICE_INSTRUCTIONS = 200;
/** Pieces of a slice at most, between which the guest's speed is looked at, and how short they need not be. */
const SLICE_PIECES = 8;
const LEAST_PIECE = 1 << 18;
/** A piece this much slower than expected is looked into. */
const SLOW_FACTOR = 2;
/** A slice that goes wrong may be this long: deadlines that are farther away are for the next one. */
const LONGEST_PIECE_MS = 100;
const ALARM_EARLY_MS = 0.1;
/** What ran less says nothing about the speed. */
const LEAST_MEASURED = 2000;
/** Idle waits end with the timer tick or after a second at the latest. */
const LONG_HALT_ROUNDS = 16;
/** Instruction clock: slices need not follow host time closely. */
const DETERMINISTIC_SLICE = 1 << 18;

export interface RunLoopOptions {
  readonly vcpu: Vcpu;
  readonly timers: TimerQueue;
  readonly time: TimeSource;
  readonly io: IoQueue;
  /** Monotonic host milliseconds. */
  readonly readHostMs: () => number;
  /** True while the vCPU has something to wake it from HLT. */
  readonly interruptPending: () => boolean;
  /** Called with every exit that is not routine. Returning false stops the loop. */
  readonly onExit: (exit: RunExit) => boolean;
  /** Called once when the processor has been halted through many wake-ups that it did not hear. */
  readonly onLongHalt?: (() => void) | undefined;
  /** Runs between slices, on the device thread: resets and other changes of the processor's state. */
  readonly beforeSlice: () => void;
  /** Runs before each instruction, for tracing; undefined in normal runs. */
  readonly beforeInstruction?: (() => void) | undefined;
}

export class RunLoop {
  private readonly options: RunLoopOptions;
  private readonly deterministic: InstructionTime | undefined;
  private running = false;
  private stopRequested = false;
  private inSlice = false;
  /** Started again before a stop was done: how that start hears of failures. */
  private restart: ((error: unknown) => void) | undefined;
  private sleeping: (() => void) | undefined;
  private finished: Promise<void> = Promise.resolve();
  private halted = false;
  private deaf = false;
  /** Idle waits since the processor last did anything. */
  private haltRounds = 0;
  /** Estimate of guest instructions a host millisecond, follows what was seen. */
  private instructionsPerMs = 20_000;
  /** What the last piece showed when it was much slower than that. */
  private suspectedPerMs: number | undefined;
  /** Host milliseconds spent in guest code. */
  guestMs = 0;
  /** The loop pauses by itself when this many instructions have retired. */
  stopAtInstructions = Infinity;
  onStopped: (() => void) | undefined;

  constructor(options: RunLoopOptions) {
    this.options = options;
    this.deterministic = options.time instanceof InstructionTime ? options.time : undefined;
    options.timers.onEarlierDeadline = () => {
      if (this.running) options.vcpu.requestYield();
    };
    // A guest that polls a clock while it waits for a timer interrupt must not run to the end of a slice first.
    if (this.deterministic === undefined) {
      options.timers.onOverdue = () => {
        if (this.inSlice) options.vcpu.requestYield();
      };
    }
  }

  get isRunning(): boolean {
    return this.running;
  }

  /** Starts or continues, after a stop that is still under way too; returns at once. `failed` hears of the loop's own failure. */
  start(failed: (error: unknown) => void): void {
    if (this.running) {
      if (this.stopRequested) this.restart = failed;
      return;
    }
    this.running = true;
    this.stopRequested = false;
    this.options.time.resume();
    this.finished = this.loop().catch(failed);
  }

  /** Stops between two instructions. */
  async stop(): Promise<void> {
    this.restart = undefined;
    this.stopRequested = true;
    this.options.vcpu.requestYield();
    this.options.io.interrupt();
    this.wake();
    await this.finished;
  }

  /** The processor was reset or given another state: it is not known to be halted any more. */
  forgetHalt(): void {
    this.halted = false;
    this.deaf = false;
    this.haltRounds = 0;
  }

  /** Something arrived that may end an idle wait or should be delivered soon. */
  wake(): void {
    this.sleeping?.();
    this.options.vcpu.requestYield();
  }

  private async loop(): Promise<void> {
    const { vcpu, timers, time, io, readHostMs } = this.options;
    let lastTurnMs = readHostMs();
    try {
      while (!this.stopRequested) {
        if (this.deterministic === undefined) io.deliverReady();
        else if (!(await io.deliverDue(time.nowNs()))) continue;
        timers.runDue(time.nowNs());
        this.options.beforeSlice();
        if (this.stopRequested) return;
        if (vcpu.instructionCount() >= this.stopAtInstructions) return;
        if (this.halted && (this.deaf || !this.options.interruptPending())) {
          this.deaf = false;
          if (++this.haltRounds === LONG_HALT_ROUNDS) this.options.onLongHalt?.();
          await this.idle();
          lastTurnMs = readHostMs();
          continue;
        }
        this.halted = false;
        if (!this.slice()) return;
        if (readHostMs() - lastTurnMs >= MAX_SLICE_MS || (io.hasOutstanding && this.deterministic === undefined)) {
          await nextTurn();
          lastTurnMs = readHostMs();
        }
      }
    } finally {
      this.running = false;
      vcpu.standStill?.();
      time.pause();
      this.onStopped?.();
      const { restart } = this;
      this.restart = undefined;
      if (restart !== undefined) this.start(restart);
    }
  }

  /** @returns false when the loop must end */
  private slice(): boolean {
    const { vcpu, readHostMs } = this.options;
    const before = vcpu.instructionCount();
    const budget = this.options.beforeInstruction === undefined ? this.sliceBudget(before) : 1;
    this.options.beforeInstruction?.();
    const startMs = readHostMs();
    this.inSlice = true;
    const exit = this.deterministic === undefined ? this.runUntilDeadline(budget, startMs) : vcpu.run(budget);
    this.inSlice = false;
    this.guestMs += readHostMs() - startMs;
    const ran = vcpu.instructionCount() - before;
    switch (exit) {
      case 'budget':
      case 'yield':
        return true;
      case 'halted':
        this.halted = true;
        // Nothing ran: what is pending is masked, and asking again before something changes would only burn time.
        this.deaf = ran === 0;
        if (ran > 0) this.haltRounds = 0;
        return true;
      default:
        return this.options.onExit(exit);
    }
  }

  /** Instructions alone may take a hundred times as long as they were thought to: a timer's deadline ends the slice by the clock, too. */
  private runUntilDeadline(budget: number, startMs: number): RunExit {
    const { vcpu, timers, time } = this.options;
    const untilMs = (timers.nextDeadlineNs() - time.nowNs()) / 1e6;
    const alarmed = untilMs <= LONGEST_PIECE_MS;
    // Somewhat early, for a thread needs time to wake: what is left is a slice of its own, by the speed that this one showed.
    if (alarmed) vcpu.setAlarm?.(untilMs > 2 * ALARM_EARLY_MS ? untilMs - ALARM_EARLY_MS : untilMs);
    const exit = this.runPieces(budget, startMs);
    if (alarmed) vcpu.setAlarm?.(undefined);
    return exit;
  }

  /**
   * Runs a slice in pieces. The guest may have become a hundred times slower (REP or compiled code before, interpreted code now):
   * a piece that shows it shortens the slice, and the next ones when their first piece shows it again. Once alone it is
   * the host that took the thread away.
   */
  private runPieces(budget: number, startMs: number): RunExit {
    const { vcpu, readHostMs } = this.options;
    const sliceMs = budget / this.speed;
    const piece = Math.max(LEAST_PIECE, Math.ceil(budget / SLICE_PIECES));
    const before = vcpu.instructionCount();
    let fromMs = startMs;
    for (let left = budget; ; ) {
      const from = vcpu.instructionCount();
      const exit = vcpu.run(Math.min(piece, left));
      const nowMs = readHostMs();
      const ran = vcpu.instructionCount() - from;
      const spentMs = nowMs - fromMs;
      fromMs = nowMs;
      left -= ran;
      const slow = ran > LEAST_MEASURED && spentMs * this.instructionsPerMs > SLOW_FACTOR * ran;
      if (slow) {
        const perMs = ran / spentMs;
        if (this.suspectedPerMs !== undefined) this.instructionsPerMs = perMs;
        this.suspectedPerMs = perMs;
        left = Math.min(left, Math.floor((sliceMs - (nowMs - startMs)) * perMs));
      } else this.suspectedPerMs = undefined;
      if (exit === 'budget' && left >= MIN_SLICE_INSTRUCTIONS) continue;
      if (!slow) this.learn(vcpu.instructionCount() - before, nowMs - startMs);
      return exit;
    }
  }

  /** Short slices teach that the guest is faster than thought, or they would stay short for ever. */
  private learn(ran: number, spentMs: number): void {
    if (spentMs <= 0) return;
    const perMs = ran / spentMs;
    if (ran > LEAST_MEASURED || perMs > this.instructionsPerMs) this.instructionsPerMs = this.instructionsPerMs * 0.8 + perMs * 0.2;
  }

  /** Instructions a host millisecond that a slice is sized by. */
  private get speed(): number {
    return this.suspectedPerMs ?? this.instructionsPerMs;
  }

  private sliceBudget(retired: number): number {
    const { timers, time, io } = this.options;
    const untilNs = Math.min(timers.nextDeadlineNs(), io.nextDueNs()) - time.nowNs();
    const left = this.stopAtInstructions - retired;
    if (this.deterministic !== undefined) {
      const untilDeadline = Math.max(1, Math.ceil(untilNs / NS_PER_INSTRUCTION));
      return Math.min(DETERMINISTIC_SLICE, untilDeadline, left);
    }
    const sliceMs = Math.min(MAX_SLICE_MS, Math.max(0, untilNs / 1e6));
    return Math.min(Math.max(MIN_SLICE_INSTRUCTIONS, Math.floor(sliceMs * this.speed)), MAX_SLICE_INSTRUCTIONS, left);
  }

  /** Waits for the next timer, a completion or a wake-up while the processor is halted. */
  private async idle(): Promise<void> {
    const { vcpu, timers, time, io } = this.options;
    if (this.deterministic !== undefined) {
      const next = Math.min(timers.nextDeadlineNs(), io.nextDueNs());
      if (next !== Infinity) {
        this.deterministic.skipTo(next);
        await nextTurn();
        return;
      }
    }
    const untilNs = Math.max(0, timers.nextDeadlineNs() - time.nowNs());
    const waitMs = (time instanceof HostTime ? time.skip(untilNs) : untilNs) / 1e6;
    if (waitMs <= 0) return;
    if (waitMs < 1 && !io.hasOutstanding) {
      // Node's timers have a grain of 1 ms; a short blocking sleep is exact and costs no processor time.
      if (vcpu.nap === undefined) blockThread(waitMs);
      else vcpu.nap(waitMs);
      await nextTurn();
      return;
    }
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(handle);
        this.sleeping = undefined;
        resolve();
      };
      const handle = setTimeout(finish, Math.min(Math.max(1, Math.floor(waitMs)), 1000));
      this.sleeping = finish;
    });
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
