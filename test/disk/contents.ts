// Contents for disk tests.

/** Islands of data between zeroes, some of which compress well and some of which do not. */
export function islands(sizeBytes: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  let state = seed;
  for (let at = 0; at < sizeBytes; at += 512) {
    const island = (at >> 15) % 5;
    if (island === 0) continue;
    for (let index = at; index < Math.min(at + 512, sizeBytes); index++) {
      state = (state * 1103515245 + 12345) & 0x7fffffff;
      bytes[index] = island === 1 ? state >>> 16 : island === 2 ? at >> 9 : 65 + (index % 7);
    }
  }
  return bytes;
}

/** Deterministic numbers below a limit. */
export function randomStream(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
