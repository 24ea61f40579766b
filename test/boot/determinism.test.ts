// `--clock instructions`: the same number of instructions gives the same state hash in every run, whatever of it was compiled.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nullLogger } from '../../core/base/logger.ts';
import { buildDemoImage } from '../../core/firmware/demo/demo-image.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { type VmConfigInput, vmConfigSchema } from '../../core/protocol/vm-config.ts';
import { temporaryFolder } from '../support/nestbox.ts';

/** Stops at every point; hashes the state at those from `hashFrom` on (hashing finishes the disk requests under way). */
async function hashesAt(image: string, points: readonly number[], hashFrom = 0, jit: Pick<VmConfigInput, 'jit' | 'jitThreshold'> = {}): Promise<string[]> {
  const machine = await createPcMachine(
    vmConfigSchema.parse({ name: 'det', memoryMib: 32, clock: 'instructions', ...jit, media: [{ kind: 'floppy', path: image, snapshot: true }] }),
    nullLogger,
  );
  try {
    const hashes: string[] = [];
    for (const point of points) {
      await machine.runUntil(point);
      expect(machine.stats().instructions).toBe(point);
      if (point >= hashFrom) hashes.push(await machine.stateHash());
    }
    return hashes;
  } finally {
    await machine.dispose();
  }
}

describe('deterministic mode', () => {
  it('repeats the demo guest exactly, also when it is stopped at other points on the way', async () => {
    const image = join(temporaryFolder(), 'demo.img');
    writeFileSync(image, buildDemoImage());
    const points = [100_000, 1_000_000, 5_000_000];
    const first = await hashesAt(image, points);
    expect(new Set(first).size).toBe(points.length);
    expect(await hashesAt(image, points)).toEqual(first);
    const end = 5_000_000;
    expect(await hashesAt(image, [37, 77_777, 1_234_567, end], end)).toEqual(await hashesAt(image, [end]));
  });

  it('does not depend on what was compiled, and when', async () => {
    const image = join(temporaryFolder(), 'demo.img');
    writeFileSync(image, buildDemoImage());
    const points = [1_000_000, 8_000_000];
    const interpreted = await hashesAt(image, points, 0, { jit: false });
    for (const jitThreshold of [1, 3, 50]) expect(await hashesAt(image, points, 0, { jit: true, jitThreshold })).toEqual(interpreted);
    // By the compiler's thread, each time at other instructions.
    expect(await hashesAt(image, points, 0, { jit: true })).toEqual(interpreted);
  });
});
