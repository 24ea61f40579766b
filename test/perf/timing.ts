// What the benchmark measures with: marks on a guest's serial port, the wall time or the processor time of a process tree,
// medians and geometric means.

import { readFileSync, readdirSync } from 'node:fs';

/** Milliseconds a workload took, by name, and the checksum it printed. */
export interface KernelTimes {
  readonly ms: Map<string, number>;
  readonly checksum: Map<string, string>;
}

/** Turns `BEGIN name` and `END name checksum` lines of a serial port into times. */
export class LineTimer {
  readonly times: KernelTimes = { ms: new Map(), checksum: new Map() };
  private started = 0;
  private partial = '';
  done = false;
  private readonly now: () => number;
  /** Called with the workload's name at each BEGIN and END. */
  onMark: ((kind: 'BEGIN' | 'END', name: string) => void) | undefined;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  take(text: string): void {
    const lines = (this.partial + text).split('\n');
    this.partial = lines.pop() ?? '';
    for (const line of lines) {
      const [word, name = '', sum = ''] = line.trim().split(' ');
      if (word === 'BEGIN') {
        this.started = this.now();
        this.onMark?.('BEGIN', name);
      } else if (word === 'END') {
        this.times.ms.set(name, this.now() - this.started);
        this.times.checksum.set(name, sum);
        this.onMark?.('END', name);
      } else if (word === 'DONE') this.done = true;
    }
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number));
  } catch {
    return [];
  }
}

function ownCpuMs(pid: number): number {
  try {
    let sum = 0;
    for (const task of readdirSync(`/proc/${pid}/task`)) sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    return sum / 1e6;
  } catch {
    return 0;
  }
}

/** Processor time of a process and its descendants so far, in milliseconds, all threads. Linux only; else NaN. */
export function treeCpuMs(pid: number | undefined): number {
  if (process.platform !== 'linux' || pid === undefined) return NaN;
  return ownCpuMs(pid) + childrenOf(pid).reduce((sum, child) => sum + treeCpuMs(child), 0);
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
