// How often each cluster of a file is used, while an image is checked. Memory follows the number of uses that were
// found, not the length of the file, which costs a hostile image nothing.

const CHUNK = 4096;

export class ClusterCounts {
  private readonly chunks = new Map<number, Uint32Array>();
  private end = 0;

  /** One more than the highest cluster in use. */
  get endCluster(): number {
    return this.end;
  }

  add(cluster: number, times = 1): void {
    const key = Math.floor(cluster / CHUNK);
    let chunk = this.chunks.get(key);
    if (chunk === undefined) this.chunks.set(key, (chunk = new Uint32Array(CHUNK)));
    chunk[cluster % CHUNK] = (chunk[cluster % CHUNK] ?? 0) + times;
    if (cluster >= this.end) this.end = cluster + 1;
  }

  get(cluster: number): number {
    return this.chunks.get(Math.floor(cluster / CHUNK))?.[cluster % CHUNK] ?? 0;
  }

  /** All clusters in use, in ascending order, with their counts. */
  *entries(): Generator<readonly [number, number]> {
    for (const key of [...this.chunks.keys()].sort((a, b) => a - b)) {
      const chunk = this.chunks.get(key) as Uint32Array;
      for (let index = 0; index < CHUNK; index++) {
        const count = chunk[index] ?? 0;
        if (count > 0) yield [key * CHUNK + index, count];
      }
    }
  }
}
