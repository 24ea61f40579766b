import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

describe('compiling the interpreter in advance', () => {
  it('keeps a process alive that waits for nothing else', () => {
    const module = new URL('./interpreter-module.ts', import.meta.url).href;
    const program = `const { prepareInterpreter } = await import(${JSON.stringify(module)}); await prepareInterpreter(); process.stdout.write('ready');`;
    const { status, stdout } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', '--no-wasm-lazy-compilation', '--input-type=module', '-e', program], { encoding: 'utf8', timeout: 60_000 });
    expect([status, stdout]).toEqual([0, 'ready']);
  });
});
