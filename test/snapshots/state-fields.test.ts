// Every named field of a saved machine is replaced by what it may not be: another type, a number out of range, too few or too
// many bytes, nothing, something unknown beside it. The state is refused with a reason and the machine is as it was, or what
// was taken is harmless: the machine runs on with it and goes back to a good state.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isNestboxError } from '../../core/base/errors.ts';
import { nullLogger } from '../../core/base/logger.ts';
import { buildDemoImage } from '../../core/firmware/demo/demo-image.ts';
import type { Machine, MachineState } from '../../core/machine/machine.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { vmConfigSchema } from '../../core/protocol/vm-config.ts';
import { temporaryFolder } from '../support/nestbox.ts';

type Path = readonly (string | number)[];
type Parts = Record<string, unknown>;

/** Every value of the state by its path, containers included. */
function* places(value: unknown, path: Path = []): Generator<{ readonly path: Path; readonly value: unknown }> {
  if (path.length > 0) yield { path, value };
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
  for (const [name, part] of Object.entries(value)) {
    // One rule holds for all items of a list of numbers.
    if (Array.isArray(value) && typeof part !== 'object' && Number(name) > 0 && Number(name) < value.length - 1) continue;
    yield* places(part, [...path, Array.isArray(value) ? Number(name) : name]);
  }
}

function withValue(state: unknown, path: Path, change: (container: Parts, name: string) => void): unknown {
  const copy = structuredClone(state);
  let container = copy as Parts;
  for (const name of path.slice(0, -1)) container = container[name] as Parts;
  change(container, String(path.at(-1)));
  return copy;
}

/** What a value may not be, or hardly. */
function wrongFor(value: unknown): unknown[] {
  if (value instanceof Uint8Array) return [new Uint8Array(value.length + 1), value.subarray(0, Math.max(0, value.length - 1)), new Uint8Array(1 << 20), [...value.subarray(0, 4)], 'bytes', 7, null];
  switch (typeof value) {
    case 'number':
      return [-1, 0.5, NaN, Infinity, 2 ** 33, 2 ** 60, -(2 ** 53), '7', 7n, true, null, [value], {}];
    case 'bigint':
      return [-1n, 1n << 64n, 1n << 200n, 7, '7', null, [], 0.5];
    case 'boolean':
      return [0, 1, 'true', null, {}, 2n];
    case 'string':
      return [7, null, '', 'x'.repeat(100_000), '__proto__', [value], 1n, false];
    default:
      if (Array.isArray(value)) return [[...(value as unknown[]), value[0] ?? 0], value.slice(1), Array.from({ length: 70_000 }, () => 0), {}, 'list', null, 7];
      return [null, [], 7, 'fields', { ...(value as Parts), unknownField: 1 }];
  }
}

describe('a saved state', () => {
  it('with any field wrong is refused with a reason, or harmless', { timeout: 600_000 }, async () => {
    const image = join(temporaryFolder(), 'demo.img');
    writeFileSync(image, buildDemoImage());
    const config = vmConfigSchema.parse({ name: 'fields', memoryMib: 16, clock: 'instructions', media: [{ kind: 'floppy', path: image, snapshot: true }] });
    const machine: Machine = await createPcMachine(config, nullLogger);
    try {
      await machine.runUntil(3_000_000);
      const good = await machine.save();
      const hash = await machine.stateHash();
      const { ram, vram, ...fields } = good;
      let tried = 0;
      let refused = 0;
      let group = '';
      for (const { path, value } of places(fields)) {
        const mutations: ((container: Parts, name: string) => void)[] = wrongFor(value).map((wrong) => (container, name) => {
          container[name] = wrong;
        });
        mutations.push((container, name) => {
          if (Array.isArray(container)) container.splice(Number(name), 1);
          else delete container[name];
        });
        for (const mutate of mutations) {
          tried++;
          const state = { ...(withValue(fields, path, mutate) as object), ram, vram } as MachineState;
          try {
            await machine.load(state);
          } catch (error) {
            refused++;
            if (!isNestboxError(error)) throw new Error(`${path.join('.')}: ${String(error)}`, { cause: error });
            expect(error.kind, path.join('.')).toBe('bad-input');
            expect(error.message.length, path.join('.')).toBeGreaterThan(15);
            continue;
          }
          // Taken over: the machine must live with it.
          const target = machine.stats().instructions + 200;
          if (Number.isSafeInteger(target)) await machine.runUntil(target);
          await machine.load(good);
        }
        const next = path.slice(0, 2).join('.');
        if (next !== group) expect(await machine.stateHash(), `after ${group}`).toBe(hash);
        group = next;
      }
      expect(await machine.stateHash()).toBe(hash);
      expect(tried).toBeGreaterThan(2000);
      expect(refused).toBeGreaterThan(tried * 0.8);
    } finally {
      await machine.dispose();
    }
  });
});
