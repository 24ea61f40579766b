// Damages images for hostile-input tests, and judges how they were taken.

import { NestboxError } from '../../core/base/errors.ts';

const INTERESTING = [
  0, 1, 2, 7, 8, 9, 0x1ff, 0x200, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x00ff_ffff, 0xc000_0000, 0xffff_fffe,
];

/** Changes one word; the bytes that were there can be put back by the caller. */
export function mutateWord(bytes: Uint8Array, at: number, random: (below: number) => number, little: boolean): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const old = view.getUint32(at, little);
  const kind = random(4);
  if (kind === 0) view.setUint32(at, INTERESTING[random(INTERESTING.length)] ?? 0, little);
  else if (kind === 1) view.setUint32(at, (old ^ (1 << random(32))) >>> 0, little);
  else if (kind === 2) view.setUint32(at, (old + random(5) - 2) >>> 0, little);
  else view.setUint32(at, 512 * random(Math.max(1, bytes.length / 256)), little);
}

/** Runs it; anything but a declared error fails the test. */
export async function declared(work: () => Promise<void>, what: string): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof NestboxError) || error.kind === 'internal')
      throw new Error(`${what}: ${String(error)}`, { cause: error });
  }
}
