import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { compileCacheFolder } from './compile-cache.ts';

it("keeps compiled modules among the user's caches, or where the user says", () => {
  expect(compileCacheFolder({ XDG_CACHE_HOME: '/caches' })).toBe(join('/caches', 'nestbox', 'compile'));
  expect(compileCacheFolder({ XDG_CACHE_HOME: '/caches', NODE_COMPILE_CACHE: '/mine' })).toBe('/mine');
  expect(compileCacheFolder({})).toMatch(/nestbox.compile$/);
});

it('is filled by the command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nestbox-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const env: NodeJS.ProcessEnv = { ...process.env, XDG_CACHE_HOME: folder };
  delete env.NODE_COMPILE_CACHE;
  const result = spawnSync(process.execPath, [fileURLToPath(new URL('../../bin/nestbox.mjs', import.meta.url)), '--version'], { env, encoding: 'utf8' });
  expect(result).toMatchObject({ status: 0 });
  expect(readdirSync(compileCacheFolder({ XDG_CACHE_HOME: folder })).length).toBeGreaterThan(0);
});
