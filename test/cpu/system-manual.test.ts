// What the manuals say and QEMU's software CPU does not do: segment limits, reserved-bit and selector error codes, PDPTE
// caching, implicit SMAP checks, VME and PVI, instruction and I/O breakpoints, canonical checks. Each expectation in
// system/expected/ was derived from the Intel SDM volumes 2 and 3.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ALL_FEATURES } from '../../core/cpu/isa/cpuid.ts';
import { EXIT } from '../../core/cpu/isa/layout.ts';
import { FEATURES } from '../../core/cpu/isa/generated/decoder.ts';
import { TestMachine } from './system/machine.ts';
import { buildRom, nameAddresses } from './system/rom.ts';
import { inEveryJitMode } from '../support/jit-modes.ts';

inEveryJitMode(() => {
describe('system ROMs print what the manuals say', () => {
  it.each(['intel', 'paging', 'v86', 'long'])('%s', (name) => {
    const rom = buildRom(['prelude.asm', 'prelude32.asm', `${name}.asm`], { MANUAL: '1' });
    const machine = new TestMachine({ rom: rom.bytes, featureOrder: FEATURES });
    expect(machine.run(1_000_000)).toBe(EXIT.YIELD);
    expect(machine.exitValue).toBe(0);
    const expected = readFileSync(new URL(`system/expected/${name}.txt`, import.meta.url), 'utf8');
    expect(nameAddresses(machine.output, rom.symbols)).toBe(expected);
  });
});

describe('features that are not shown', () => {
  it('reserve their control bits', () => {
    const features = ALL_FEATURES.filter((feature) => !['pdpe1gb', 'smep', 'umip', 'rdtscp'].includes(feature));
    const long = buildRom(['prelude.asm', 'prelude32.asm', 'long.asm']);
    const machine = new TestMachine({ rom: long.bytes, featureOrder: FEATURES, features });
    machine.run(1_000_000);
    expect(machine.output).toMatch(/giga page: {2}V=000E E=0009 /);
    const paging = buildRom(['prelude.asm', 'prelude32.asm', 'paging.asm']);
    const second = new TestMachine({ rom: paging.bytes, featureOrder: FEATURES, features });
    second.run(1_000_000);
    expect(second.output).toMatch(/smep on: {2}V=0D E=0000 /);
  });
});
});
