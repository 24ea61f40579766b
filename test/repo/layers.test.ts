// Every folder of core/ that holds code is a project of its own, and `tsc -b` knows it: a new layer cannot stay unchecked.

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../support/nestbox.ts';

/** Compiled by the AssemblyScript compiler, which checks it. */
const NOT_TYPESCRIPT = ['core/cpu/interp'];

function folders(path: string): string[] {
  return readdirSync(join(projectRoot, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${path}/${entry.name}`);
}

describe('layers', () => {
  it('have a tsconfig each, named in the root project', () => {
    const root = JSON.parse(readFileSync(join(projectRoot, 'tsconfig.json'), 'utf8')) as { references: { path: string }[] };
    const known = root.references.map((entry) => entry.path);
    const layers = [...folders('core'), ...folders('core/cpu')].filter((path) => !NOT_TYPESCRIPT.includes(path));
    expect(layers.length).toBeGreaterThan(15);
    expect(layers.filter((path) => !known.includes(path))).toEqual([]);
    expect(known.filter((path) => path.startsWith('core/') && !existsSync(join(projectRoot, path, 'tsconfig.json')))).toEqual([]);
  });
});
