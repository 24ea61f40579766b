// The two sources of virtual time. Host: monotonic host time less the time the machine stood still. Instructions:
// retired instructions times a fixed duration, plus the time skipped while halted; nothing else moves it.

export interface TimeSource {
  /** Virtual nanoseconds, an integer. */
  nowNs(): number;
  /** The machine stands still from now on. */
  pause(): void;
  resume(): void;
  /** Continues from a saved instant. */
  restore(nowNs: number): void;
}

export class HostTime implements TimeSource {
  private offsetNs: number;
  private pausedAtNs: number | undefined;
  private readonly readHostMs: () => number;

  /** @param readHostMs monotonic milliseconds with fractions, such as performance.now */
  constructor(readHostMs: () => number) {
    this.readHostMs = readHostMs;
    this.offsetNs = this.hostNs();
    this.pausedAtNs = 0;
  }

  private hostNs(): number {
    return Math.floor(this.readHostMs() * 1e6);
  }

  nowNs(): number {
    return this.pausedAtNs ?? this.hostNs() - this.offsetNs;
  }

  pause(): void {
    this.pausedAtNs ??= this.nowNs();
  }

  resume(): void {
    if (this.pausedAtNs === undefined) return;
    this.offsetNs = this.hostNs() - this.pausedAtNs;
    this.pausedAtNs = undefined;
  }

  restore(nowNs: number): void {
    if (this.pausedAtNs !== undefined) this.pausedAtNs = nowNs;
    else this.offsetNs = this.hostNs() - nowNs;
  }
}

/** Virtual duration of one instruction: a machine of 100 million instructions a second. */
export const NS_PER_INSTRUCTION = 10;

export class InstructionTime implements TimeSource {
  private skippedNs = 0;
  private readonly readInstructions: () => number;

  constructor(readInstructions: () => number) {
    this.readInstructions = readInstructions;
  }

  nowNs(): number {
    return this.readInstructions() * NS_PER_INSTRUCTION + this.skippedNs;
  }

  /** The processor is halted: time jumps to `deadlineNs`. */
  skipTo(deadlineNs: number): void {
    const now = this.nowNs();
    if (deadlineNs > now) this.skippedNs += deadlineNs - now;
  }

  pause(): void {
    // Instructions stop, so time stops.
  }

  resume(): void {
    // See pause().
  }

  restore(nowNs: number): void {
    this.skippedNs = nowNs - this.readInstructions() * NS_PER_INSTRUCTION;
  }
}
