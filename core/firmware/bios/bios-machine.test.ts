import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { nullLogger } from '../../base/logger.ts';
import { createPcMachine } from '../../machine/pc-machine.ts';
import type { Machine } from '../../machine/machine.ts';
import { vmConfigSchema } from '../../protocol/vm-config.ts';
import { assemble } from '../asm/assembler.ts';

const FLOPPY_BYTES = 1474560;
const LIMIT_MS = 50_000;

const folder = mkdtempSync(join(tmpdir(), 'nestbox-bios-'));
let machine: Machine | undefined;
afterAll(async () => {
  await machine?.dispose();
  rmSync(folder, { recursive: true });
});

const lines = (): string => (machine?.textScreen()?.lines ?? []).map((line) => line.trimEnd()).join('\n');

async function until(pattern: RegExp): Promise<string> {
  const end = Date.now() + LIMIT_MS;
  while (!pattern.test(lines())) {
    if (Date.now() > end) throw new Error(`no ${String(pattern)} on the screen:\n${lines()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return lines();
}

it('serves a program on the real machine: disk, memory, waits, interrupts, BIOS32, mouse, resets', async () => {
  const image = new Uint8Array(FLOPPY_BYTES);
  image.set(assemble(readFileSync(new URL('testdata/services.asm', import.meta.url), 'utf8')).bytes);
  const path = join(folder, 'services.img');
  writeFileSync(path, image);
  machine = await createPcMachine(
    vmConfigSchema.parse({
      name: 'bios',
      engine: 'software',
      // Virtual time, so that waits and ticks do not depend on how busy the host is.
      clock: 'instructions',
      memoryMib: 16,
      media: [{ kind: 'floppy', path, snapshot: true }],
    }),
    nullLogger,
  );
  machine.start();
  await until(/mouse (ready|FAILED)/);
  machine.mouse(5, 3, 0, 0);
  await until(/press a key/);
  await machine.typeText('k');
  expect(await until(/press another/)).toBe(
    `${[
      'read ok',
      'base memory ok',
      'memory map ok',
      'block move ok',
      'wait ok',
      'key buffer ok',
      'user tick ok',
      'alarm ok',
      'BIOS32 ok',
      'mouse ready',
      'mouse ok',
      'press a key',
      'key ok',
      'press another',
    ].join('\n')}${'\n'.repeat(11)}`,
  );
  // The processor alone is reset with a shutdown code, then the whole machine by the keyboard.
  await machine.typeText('x');
  await until(/resume after reset ok\nall done/);
}, 60_000);

it('restarts the machine with Ctrl-Alt-Del', async () => {
  machine?.reset();
  await until(/mouse ready/);
  machine?.mouse(5, 3, 0, 0);
  await until(/press a key/);
  await machine?.keyCombination('ctrl-alt-delete');
  expect(await until(/mouse ready\n+$/)).not.toMatch(/press a key/);
}, 60_000);
