// One sample a second of each running VM, from what its process reports; the last ten minutes are kept.

import type { VmMetrics } from '../protocol/library.ts';
import type { VmStats } from '../protocol/vm-messages.ts';

const SAMPLES_MAX = 600;
/** Reports that come closer together (a machine that stood still answers several at once) say nothing by the second. */
const INTERVAL_MIN_MS = 500;

export class MetricsHistory {
  private readonly list: VmMetrics[] = [];
  private last: VmStats | undefined;
  private lastAtMs = 0;

  /** @returns the new sample; undefined for the first report of a process, which only sets the base, and for one that comes too soon */
  add(stats: VmStats, atMs: number): VmMetrics | undefined {
    const { last } = this;
    const passedMs = atMs - this.lastAtMs;
    if (last !== undefined && stats.cpuMs >= last.cpuMs && passedMs < INTERVAL_MIN_MS) return undefined;
    this.last = stats;
    this.lastAtMs = atMs;
    if (last === undefined || stats.cpuMs < last.cpuMs) return undefined;
    const rate = (now: number, before: number): number => (Math.max(0, now - before) * 1000) / passedMs;
    const sample: VmMetrics = {
      atMs: Math.round(atMs),
      cpuShare: round(rate(stats.cpuMs, last.cpuMs) / 1000, 1000),
      mips: round(rate(stats.instructions, last.instructions) / 1e6, 10),
      memoryMib: stats.rssMib,
      diskReadBytesPerS: Math.round(rate(stats.diskReadBytes, last.diskReadBytes)),
      diskWrittenBytesPerS: Math.round(rate(stats.diskWrittenBytes, last.diskWrittenBytes)),
      netReceivedBytesPerS: Math.round(rate(stats.netReceivedBytes, last.netReceivedBytes)),
      netSentBytesPerS: Math.round(rate(stats.netSentBytes, last.netSentBytes)),
      compiledShare: round(stats.jit.compiledShare, 1000),
    };
    this.list.push(sample);
    if (this.list.length > SAMPLES_MAX) this.list.shift();
    return sample;
  }

  get samples(): readonly VmMetrics[] {
    return this.list;
  }
}

function round(value: number, steps: number): number {
  return Math.round(value * steps) / steps;
}
