import { afterEach, describe, expect, it, vi } from 'vitest';
import { Results } from './results.ts';
import { LineTimer, geometricMean, median, treeCpuMs } from './timing.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

function printed(results: Results): string {
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line));
  results.print();
  return lines.join('\n');
}

describe('the benchmark', () => {
  it('times marks that arrive in pieces, with carriage returns, between other lines', () => {
    let now = 0;
    const timer = new LineTimer(() => now);
    const marks: string[] = [];
    timer.onMark = (kind, name) => marks.push(`${kind} ${name}`);
    timer.take('[    1.0] kernel\r\nBEGIN so');
    now = 10;
    timer.take('rt\r\n');
    now = 35;
    timer.take('noise\r\nEND sort 1234\r\nDO');
    expect(timer.done).toBe(false);
    timer.take('NE\r\n');
    expect(timer.done).toBe(true);
    expect(timer.times.ms.get('sort')).toBe(25);
    expect(timer.times.checksum.get('sort')).toBe('1234');
    expect(marks).toEqual(['BEGIN sort', 'END sort']);
  });

  it('takes medians and geometric means', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(geometricMean([1, 4])).toBeCloseTo(2);
  });

  it('prints ratios, the lowest one, and results that differ', () => {
    const results = new Results('set', 'wall', 1);
    const times = (ms: number, other: number, sum: string): Parameters<Results['take']>[1] => ({ ms: new Map([['a', ms], ['b', other]]), checksum: new Map([['a', sum], ['b', '7']]) });
    results.take('nestbox', times(1000, 1000, '1'));
    results.take('qemu', times(4000, 1000, '2'));
    const text = printed(results);
    expect(text).toMatch(/^a +1\.00 +4\.00 +4\.00 {2}CHECKSUMS DIFFER$/m);
    expect(text).toMatch(/^b +1\.00 +1\.00 +1\.00$/m);
    expect(text).toContain('geometric mean against QEMU TCG: 2.00; lowest 1.00');
    expect(results.record()).toMatchObject({ checksumsEqual: false });
  });

  (process.platform === 'linux' ? it : it.skip)(process.platform === 'linux' ? 'sees processor time grow' : 'processor time (skipped: Linux only)', () => {
    const before = treeCpuMs(process.pid);
    for (const end = process.cpuUsage().user + 30_000; process.cpuUsage().user < end; );
    expect(treeCpuMs(process.pid)).toBeGreaterThan(before);
  });
});
