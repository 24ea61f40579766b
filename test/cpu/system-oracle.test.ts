// The same ROM on our interpreter and on QEMU's software CPU must print the same: modes, segments, gates, tasks, paging,
// interrupts, system calls. Where QEMU is known to differ from the manuals see system-manual.test.ts.

import { describe, expect, it } from 'vitest';
import { FEATURES } from '../../core/cpu/isa/generated/decoder.ts';
import { TestMachine } from './system/machine.ts';
import { qemuMissing, runOnQemu } from './system/qemu.ts';
import { buildRom } from './system/rom.ts';
import { inEveryJitMode } from '../support/jit-modes.ts';

const skipReason = qemuMissing();

inEveryJitMode(() => {
describe.skipIf(skipReason !== undefined)(`system ROMs print what they print on QEMU ${skipReason ?? ''}`, () => {
  it.each([
    ['real mode', ['real.asm'], 50],
    ['protected mode', ['prelude32.asm', 'protected.asm'], 120],
    ['32-bit and PAE paging', ['prelude32.asm', 'paging.asm'], 50],
    ['virtual-8086 mode', ['prelude32.asm', 'v86.asm'], 30],
    ['IA-32e mode', ['prelude32.asm', 'long.asm'], 60],
  ] as const)('%s', (_name, files, leastLines) => {
    const rom = buildRom(['prelude.asm', ...files]);
    const machine = new TestMachine({ rom: rom.bytes, featureOrder: FEATURES });
    machine.run(1_000_000);
    const theirs = runOnQemu(rom.bytes);
    expect(theirs).toMatch(/done\n$/);
    expect(theirs.split('\n').length).toBeGreaterThan(leastLines);
    expect(machine.output).toBe(theirs);
  }, 60_000);
});
});
