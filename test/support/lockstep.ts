// Lock-step: two machines of one configuration on different engines (interpreter and JIT) run the same instructions and
// are compared: registers often, memory and devices at checkpoints. On a difference both go back to the last equal
// checkpoint and the first instruction count at which they differ is found by halving; then the report says what differs
// and which instructions led there. Both machines need the instruction clock.

import type { CpuState } from '../../core/cpu/contract.ts';
import type { Machine, MachineState } from '../../core/machine/machine.ts';

export interface LockstepOptions {
  /** The one that is believed; its instructions are listed in the report. */
  readonly reference: Machine;
  readonly subject: Machine;
  /** Stops when this many instructions have retired. */
  readonly until: number;
  /** Instructions between comparisons of registers. */
  readonly registersEvery?: number;
  /** Comparisons of registers between checkpoints, which compare memory and devices too. */
  readonly checkpointEvery?: number;
  readonly onProgress?: (instructions: number) => void;
}

export interface Divergence {
  /** Retired instructions at the first point where the two differ. */
  readonly at: number;
  /** Both were equal in everything here. */
  readonly lastCheckpoint: number;
  /** False when the difference did not come back from the checkpoint; `at` is then where it was seen. */
  readonly repeated: boolean;
  /** One line per register, memory page or device that differs, reference first. */
  readonly differences: readonly string[];
  /** The reference's last instructions before `at`, oldest first. */
  readonly trace: readonly string[];
}

export interface LockstepResult {
  readonly instructions: number;
  /** Why the machines stopped before `until`: their common exit reason. */
  readonly exit: string | undefined;
  readonly divergence: Divergence | undefined;
}

const PAGE_BYTES = 4096;
const MOST_PAGES = 8;
const TRACE_LENGTH = 40;
const GPR = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];

const hex = (value: unknown): string => (typeof value === 'bigint' ? value.toString(16) : String(value));

/** Flattens a state into named values, so that one loop compares everything a CpuState has. */
function namedValues(state: CpuState): Map<string, string> {
  const values = new Map<string, string>();
  const visit = (name: string, value: unknown): void => {
    if (value instanceof Uint8Array) for (let i = 0; i < value.length; i += 16) values.set(`${name}+${i.toString(16)}h`, Buffer.from(value.subarray(i, i + 16)).toString('hex'));
    else if (Array.isArray(value)) value.forEach((item: unknown, index) => visit(name === 'gpr' ? (GPR[index] ?? name) : `${name}[${index}]`, item));
    else if (typeof value === 'object' && value !== null) for (const [key, item] of Object.entries(value)) visit(`${name}.${key}`, item);
    else values.set(name, hex(value));
  };
  for (const [key, value] of Object.entries(state)) visit(key, value);
  return values;
}

export function registerDifferences(reference: CpuState, subject: CpuState): string[] {
  const left = namedValues(reference);
  const right = namedValues(subject);
  return [...left].filter(([name, value]) => right.get(name) !== value).map(([name, value]) => `${name}: ${value} / ${right.get(name) ?? '-'}`);
}

export function memoryDifferences(reference: Uint8Array, subject: Uint8Array): string[] {
  const left = Buffer.from(reference.buffer, reference.byteOffset, reference.length);
  const right = Buffer.from(subject.buffer, subject.byteOffset, subject.length);
  if (left.equals(right)) return [];
  const lines: string[] = [];
  for (let page = 0; page < left.length; page += PAGE_BYTES) {
    if (left.compare(right, page, page + PAGE_BYTES, page, page + PAGE_BYTES) === 0) continue;
    let at = page;
    while (left[at] === right[at]) at++;
    const from = at & ~7;
    if (lines.length < MOST_PAGES) lines.push(`RAM offset ${at.toString(16)}h (8 bytes at ${from.toString(16)}h): ${left.toString('hex', from, from + 8)} / ${right.toString('hex', from, from + 8)}`);
    else if (lines.length === MOST_PAGES) lines.push('more pages differ');
  }
  return lines;
}

function deviceDifferences(reference: MachineState, subject: MachineState): string[] {
  const text = (value: unknown): string => JSON.stringify(value, (_name, item: unknown) => (typeof item === 'bigint' ? `${item}` : item instanceof Uint8Array ? Buffer.from(item).toString('base64') : item));
  const lines = Object.keys(reference.devices)
    .filter((id) => text(reference.devices[id]) !== text(subject.devices[id]))
    .map((id) => `device ${id}: ${text(reference.devices[id]).slice(0, 400)} / ${text(subject.devices[id]).slice(0, 400)}`);
  if (reference.timeNs !== subject.timeNs) lines.push(`time: ${reference.timeNs} / ${subject.timeNs} ns`);
  if (text(reference.random) !== text(subject.random)) lines.push('random stream');
  if (Buffer.compare(reference.vram, subject.vram) !== 0) lines.push('video RAM');
  return lines;
}

export class Lockstep {
  private readonly options: LockstepOptions;
  private readonly machines: readonly [Machine, Machine];
  private readonly exits: (string | undefined)[] = [undefined, undefined];
  private checkpoint: MachineState | undefined;
  private checkpointAt = 0;

  constructor(options: LockstepOptions) {
    this.options = options;
    this.machines = [options.reference, options.subject];
    this.machines.forEach((machine, index) => machine.onExit((exit) => (this.exits[index] = exit.reason)));
  }

  async run(): Promise<LockstepResult> {
    const { until, registersEvery = 250_000, checkpointEvery = 100, onProgress } = this.options;
    let at = 0;
    let steps = 0;
    await this.takeCheckpoint(0);
    while (at < until) {
      const next = Math.min(until, at + registersEvery);
      await this.runBoth(next);
      const ended = this.ended();
      let different = this.exits[0] !== this.exits[1] || this.registersDiffer();
      if (!different && (++steps % checkpointEvery === 0 || ended || next === until)) {
        different = ended ? this.memoryDiffers() : !(await this.takeCheckpoint(next));
        onProgress?.(next);
      }
      if (different) return { instructions: at, exit: undefined, divergence: await this.findFirst(at, next) };
      if (ended) return { instructions: this.options.reference.stats().instructions, exit: this.exits[0], divergence: undefined };
      at = next;
    }
    return { instructions: at, exit: undefined, divergence: undefined };
  }

  private async runBoth(to: number): Promise<void> {
    for (const machine of this.machines) if (machine.state !== 'stopped') await machine.runUntil(to);
    // A machine that ended tells a little later than it stops.
    await new Promise((resolve) => void setImmediate(resolve));
  }

  private ended(): boolean {
    return this.machines.some((machine) => machine.state === 'stopped');
  }

  private registersDiffer(): boolean {
    return registerDifferences(this.machines[0].inspect().cpu, this.machines[1].inspect().cpu).length > 0;
  }

  private memoryDiffers(): boolean {
    return memoryDifferences(this.machines[0].inspect().ram, this.machines[1].inspect().ram).length > 0;
  }

  /** Saving finishes the host work under way, in both alike. @returns false when the two are not equal */
  private async takeCheckpoint(at: number): Promise<boolean> {
    const reference = await this.machines[0].save();
    const subject = await this.machines[1].save();
    if (this.memoryDiffers() || deviceDifferences(reference, subject).length > 0) return false;
    this.checkpoint = reference;
    this.checkpointAt = at;
    return true;
  }

  private async restore(): Promise<void> {
    const { checkpoint } = this;
    if (checkpoint === undefined) throw new Error('no checkpoint');
    for (const machine of this.machines) await machine.load(checkpoint);
  }

  /** A machine that has ended cannot be taken back. */
  private async differAt(count: number): Promise<boolean> {
    await this.restore();
    await this.runBoth(count);
    return this.registersDiffer() || this.memoryDiffers();
  }

  private async findFirst(equalRegistersAt: number, seenAt: number): Promise<Divergence> {
    const { checkpointAt } = this;
    const seen = await this.differences();
    const report = { lastCheckpoint: checkpointAt };
    if (this.ended()) return { ...report, at: seenAt, repeated: false, differences: [`exit: ${this.exits[0] ?? '-'} / ${this.exits[1] ?? '-'}`, ...seen], trace: [] };
    if (!(await this.differAt(seenAt))) return { ...report, at: seenAt, repeated: false, differences: seen, trace: [] };
    let equal = checkpointAt;
    let different = seenAt;
    // Memory may have differed long before registers did, but most differences show at once.
    if (equalRegistersAt > equal) {
      if (await this.differAt(equalRegistersAt)) different = equalRegistersAt;
      else equal = equalRegistersAt;
    }
    while (different - equal > 1) {
      const middle = Math.floor((equal + different) / 2);
      if (await this.differAt(middle)) different = middle;
      else equal = middle;
    }
    await this.differAt(different);
    const differences = await this.differences();
    return { ...report, at: different, repeated: true, differences, trace: await this.traceUpTo(different) };
  }

  private async differences(): Promise<string[]> {
    const [left, right] = [this.machines[0].inspect(), this.machines[1].inspect()];
    const lines = [...registerDifferences(left.cpu, right.cpu), ...memoryDifferences(left.ram, right.ram)];
    return this.ended() ? lines : [...lines, ...deviceDifferences(await this.machines[0].save(), await this.machines[1].save())];
  }

  private async traceUpTo(count: number): Promise<string[]> {
    const { reference } = this.options;
    await this.restore();
    const lines: string[] = [];
    for (let at = Math.max(this.checkpointAt, count - TRACE_LENGTH); at < count; at++) {
      await reference.runUntil(at);
      lines.push(`${at} ${reference.inspect().next}`);
    }
    return lines;
  }
}

/** The report as text, for people. */
export function describeDivergence(divergence: Divergence): string {
  return [
    divergence.repeated
      ? `first difference after ${divergence.at} instructions (equal in everything at ${divergence.lastCheckpoint}):`
      : `difference seen after ${divergence.at} instructions; it did not come back from the checkpoint at ${divergence.lastCheckpoint}:`,
    ...divergence.differences.map((line) => `  ${line}`),
    ...(divergence.trace.length > 0 ? ['last instructions of the reference, with their count:', ...divergence.trace.map((line) => `  ${line}`)] : []),
  ].join('\n');
}
