// The figures of one section of the benchmark and their table: medians, ratios to Nestbox, geometric means, and whether all
// engines computed the same.

import { type EngineName, titleOf } from './engines.ts';
import { type KernelTimes, geometricMean, median } from './timing.ts';

const cell = (text: string, width = 11): string => text.padStart(width);

export class Results {
  private readonly title: string;
  private readonly kind: 'wall' | 'cpu' | 'share';
  private readonly runs: number;
  private readonly samples = new Map<string, Map<EngineName, number[]>>();
  private readonly checksums = new Map<string, Set<string>>();
  private readonly engines: EngineName[] = [];

  /** @param kind what the numbers are: milliseconds, or (share) percent, where less is better too */
  constructor(title: string, kind: 'wall' | 'cpu' | 'share', runs: number) {
    this.title = title;
    this.kind = kind;
    this.runs = runs;
  }

  add(engine: EngineName, name: string, value: number): void {
    if (!this.engines.includes(engine)) this.engines.push(engine);
    const row = this.samples.get(name) ?? new Map<EngineName, number[]>();
    row.set(engine, [...(row.get(engine) ?? []), value]);
    this.samples.set(name, row);
  }

  take(engine: EngineName, times: KernelTimes): void {
    for (const [name, ms] of times.ms) {
      this.add(engine, name, ms);
      this.checksums.set(name, (this.checksums.get(name) ?? new Set()).add(times.checksum.get(name) ?? ''));
    }
  }

  /** Times of the others divided by ours. */
  private ratio(name: string, engine: EngineName): number {
    const row = this.samples.get(name);
    return median(row?.get(engine) ?? []) / median(row?.get('nestbox') ?? []);
  }

  private ratios(engine: EngineName): number[] {
    return [...this.samples.keys()].map((name) => this.ratio(name, engine)).filter((value) => Number.isFinite(value));
  }

  print(): void {
    const peers = this.engines.filter((engine) => engine !== 'nestbox');
    const unit = this.kind === 'share' ? 1 : 1000;
    console.log(`\n${this.title}${this.kind === 'share' ? '' : ' (seconds; ratios above 1: Nestbox is faster)'}`);
    console.log(`${''.padEnd(11)}${cell('Nestbox')}${peers.map((peer) => cell(titleOf(peer)) + cell('ratio', 8)).join('')}`);
    for (const [name, row] of this.samples) {
      const values = (engine: EngineName): number => median(row.get(engine) ?? []) / unit;
      const differ = (this.checksums.get(name)?.size ?? 1) > 1 ? '  CHECKSUMS DIFFER' : '';
      console.log(`${name.padEnd(11)}${cell(values('nestbox').toFixed(2))}${peers.map((peer) => cell(values(peer).toFixed(2)) + cell(this.ratio(name, peer).toFixed(2), 8)).join('')}${differ}`);
    }
    if (this.samples.size > 1 && this.kind !== 'share') {
      for (const peer of peers) console.log(`geometric mean against ${titleOf(peer)}: ${geometricMean(this.ratios(peer)).toFixed(2)}; lowest ${Math.min(...this.ratios(peer)).toFixed(2)}`);
    }
  }

  /** Everything that was measured, for files. */
  record(): object {
    return {
      title: this.title,
      unit: this.kind === 'share' ? 'percent' : 'ms',
      runs: this.runs,
      samples: Object.fromEntries([...this.samples].map(([name, row]) => [name, Object.fromEntries(row)])),
      checksumsEqual: [...this.checksums.values()].every((sums) => sums.size === 1),
      geometricMeans: Object.fromEntries(this.engines.filter((engine) => engine !== 'nestbox').map((engine) => [engine, geometricMean(this.ratios(engine))])),
    };
  }
}
