import { expect, it } from 'vitest';
import type { VmStats } from '../protocol/vm-messages.ts';
import { MetricsHistory } from './metrics.ts';

function stats(cpuMs: number, instructions: number): VmStats {
  return { cpuMs, instructions, rssMib: 100, diskReadBytes: 0, diskWrittenBytes: 0, netReceivedBytes: 0, netSentBytes: 0, jit: { compiledShare: 0 } } as unknown as VmStats;
}

it('counts by the second', () => {
  const history = new MetricsHistory();
  expect(history.add(stats(100, 0), 1000)).toBeUndefined();
  expect(history.add(stats(600, 5e6), 2000)).toMatchObject({ atMs: 2000, cpuShare: 0.5, mips: 5 });
});

it('makes no spike of two reports that come together after a machine stood still', () => {
  const history = new MetricsHistory();
  history.add(stats(100, 0), 1000);
  history.add(stats(200, 0), 6000);
  expect(history.add(stats(650, 0), 6001)).toBeUndefined();
  // What that report had belongs to the next whole interval.
  expect(history.add(stats(700, 0), 7000)).toMatchObject({ cpuShare: 0.5 });
});

it('begins anew when a machine goes on in another process, whose counters are its own', () => {
  const history = new MetricsHistory();
  history.add(stats(9000, 9e9), 1000);
  expect(history.add(stats(450, 9e9), 2000)).toBeUndefined();
  expect(history.add(stats(550, 9.1e9), 3000)).toMatchObject({ cpuShare: 0.1, mips: 100 });
  expect(history.samples).toHaveLength(1);
});
