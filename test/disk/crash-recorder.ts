// A file that remembers every change, and what may be left of them after a power cut: everything before the last flush,
// and any part of what came after.

import { MemoryHostFile } from '../../core/host/files/memory-host-file.ts';

export type Change =
  | { readonly op: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly op: 'truncate'; readonly sizeBytes: number }
  | { readonly op: 'punch'; readonly offset: number; readonly length: number }
  | { readonly op: 'flush' };

export class RecordingFile extends MemoryHostFile {
  readonly log: Change[] = [];

  override async write(offset: number, source: Uint8Array): Promise<void> {
    this.log.push({ op: 'write', offset, bytes: source.slice() });
    await super.write(offset, source);
  }

  override async truncate(sizeBytes: number): Promise<void> {
    this.log.push({ op: 'truncate', sizeBytes });
    await super.truncate(sizeBytes);
  }

  override async punchHole(offset: number, length: number): Promise<boolean> {
    this.log.push({ op: 'punch', offset, length });
    return super.punchHole(offset, length);
  }

  override async flush(): Promise<void> {
    await super.flush();
    this.log.push({ op: 'flush' });
  }

  override async close(): Promise<void> {
    // Looked at afterwards.
  }
}

/** A file's content that changes can be applied to. */
export class Platter {
  private bytes: Uint8Array;
  private size: number;

  constructor(content: Uint8Array) {
    this.bytes = content.slice();
    this.size = content.length;
  }

  copy(): Platter {
    return new Platter(this.bytes.subarray(0, this.size));
  }

  content(): Uint8Array {
    return this.bytes.slice(0, this.size);
  }

  apply(change: Change): void {
    if (change.op === 'write') {
      this.resize(Math.max(this.size, change.offset + change.bytes.length));
      this.bytes.set(change.bytes, change.offset);
    } else if (change.op === 'truncate') this.resize(change.sizeBytes);
    else if (change.op === 'punch')
      this.bytes.fill(0, change.offset, Math.min(this.size, change.offset + change.length));
  }

  private resize(size: number): void {
    if (size < this.size) this.bytes.fill(0, size, this.size);
    if (size > this.bytes.length) {
      const bigger = new Uint8Array(size * 2);
      bigger.set(this.bytes.subarray(0, this.size));
      this.bytes = bigger;
    }
    this.size = size;
  }
}

export interface CrashState {
  /** How many changes had been started. */
  readonly position: number;
  readonly content: Uint8Array;
  readonly what: string;
}

/** States after a crash at every point: everything, nothing, one lost, one alone, and some mixtures of what was not flushed. */
export function* crashStates(
  start: Uint8Array,
  log: readonly Change[],
  random: (below: number) => number,
): Generator<CrashState> {
  const flushed = new Platter(start);
  let open: Change[] = [];
  for (let position = 0; position <= log.length; position++) {
    const keep = (what: string, chosen: (index: number) => boolean): CrashState => {
      const platter = flushed.copy();
      for (let index = 0; index < open.length; index++) if (chosen(index)) platter.apply(open[index] as Change);
      return { position, content: platter.content(), what };
    };
    yield keep('all', () => true);
    const last = open.length - 1;
    if (last > 0) {
      yield keep('only the last', (index) => index === last);
      const lost = random(open.length);
      yield keep(`all but ${lost}`, (index) => index !== lost);
      const mask = Array.from(open, () => random(2) === 1);
      yield keep(`mixture ${mask.map(Number).join('')}`, (index) => mask[index] === true);
      const cut = open[last];
      if (cut?.op === 'write' && cut.bytes.length > 512) {
        const platter = flushed.copy();
        for (const change of open.slice(0, last)) platter.apply(change);
        const length = 512 * (1 + random(Math.floor(cut.bytes.length / 512)));
        platter.apply({ op: 'write', offset: cut.offset, bytes: cut.bytes.subarray(0, length) });
        yield { position, content: platter.content(), what: `last one torn at ${length}` };
      }
    }
    const next = log[position];
    if (next === undefined) return;
    if (next.op === 'flush') {
      for (const change of open) flushed.apply(change);
      open = [];
    } else open.push(next);
  }
}
