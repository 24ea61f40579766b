// 64-bit code for tests over the bare interpreter: the first 2 MiB mapped in pages of 4 KiB, and interpreter and JIT side by side.

import { expect } from 'vitest';
import { assemble } from '../../../core/firmware/asm/assembler.ts';
import { type BareInterpreter, bareInterpreter, EXIT } from './bare-interpreter.ts';

export const PAGE_TABLE = 0x30_3000;
const [PML4, PDPT, PD] = [0x30_0000, 0x30_1000, 0x30_2000];
/** Present, writable, user. */
const USER = 7;
const SUPERVISOR = 3;

export interface LongProgram {
  /** Source by address. */
  readonly parts: Readonly<Record<number, string>>;
  readonly start: number;
  readonly level: 0 | 3;
  /** First and last byte of what only level 0 may touch. */
  readonly supervisor?: readonly [number, number];
  readonly fields?: Readonly<Record<string, bigint>>;
}

export function startLong({ parts, start, level, supervisor = [1, 0], fields = {} }: LongProgram, jitThreshold: number): BareInterpreter {
  const cpu = bareInterpreter({ jitThreshold });
  const { file, ram } = cpu;
  for (const [address, source] of Object.entries(parts)) ram.set(assemble(`bits 64\norg ${address}\n${source}`).bytes, Number(address));
  const view = new DataView(ram.buffer, ram.byteOffset);
  const entry = (at: number, value: number): void => view.setUint32(at, value, true);
  entry(PML4, PDPT | USER);
  entry(PDPT, PD | USER);
  entry(PD, PAGE_TABLE | USER);
  for (let page = 0; page < 512; page++) entry(PAGE_TABLE + page * 8, (page << 12) | (page << 12 >= supervisor[0] && page << 12 < supervisor[1] ? SUPERVISOR : USER));
  // The page tables themselves, for code that changes them.
  for (let page = 0; page < 4; page++) entry(PAGE_TABLE + (508 + page) * 8, (PML4 + page * 4096) | SUPERVISOR);
  for (let i = 0; i < 6; i++) {
    file.set32('SEG_SELECTOR', (i === 1 ? 8 : 16) | level, i);
    file.set64('SEG_BASE', 0n, i);
    file.set32('SEG_LIMIT', 0xffff_ffff, i);
    file.set32('SEG_ACCESS', (i === 1 ? 0xa09b : 0xc093) | (level << 5), i);
  }
  // PE, ET, NE, WP, PG; PAE, OSFXSR, SMAP; SCE, LME, LMA.
  for (const [name, value] of Object.entries({ CR0: 0x8001_0031n, CR4: 0x20_0220n, CR3: BigInt(PML4), EFER: 0x501n, RIP: BigInt(start), ...fields })) file.set64(name, value);
  file.set64('GPR', 0x8_0000n, 4);
  file.set32('CPL', level);
  cpu.exports.refreshDerived();
  return cpu;
}

/** Linear address at which code finds the entry that maps a page. */
export const entryOf = (address: number): number => 0x1f_f000 + (address >>> 12) * 8;

export const stateOf = (cpu: BareInterpreter): string =>
  `${[...Array(16).keys()].map((i) => cpu.file.get64('GPR', i).toString(16)).join(' ')} rip ${cpu.file.get64('RIP').toString(16)} flags ${cpu.exports.readEflags().toString(16)} level ${cpu.file.get32('CPL')} gs ${cpu.file.get64('SEG_BASE', 5).toString(16)} count ${cpu.exports.currentInstructionCount()} faults ${cpu.faults.length}`;

/** Runs to HLT or the end in slices, interpreted and compiled, with the same state after each; returns the share that ran compiled. */
export function expectSameLong(program: LongProgram, threshold: number, slice: number, end: number = EXIT.HALTED): number {
  const reference = startLong(program, 0);
  const cpu = startLong(program, threshold);
  for (let wanted = -1; wanted !== end; ) {
    wanted = reference.run(slice);
    expect(cpu.run(slice)).toBe(wanted);
    cpu.jit?.poll();
    expect(stateOf(cpu)).toBe(stateOf(reference));
    if (wanted !== end && wanted !== EXIT.BUDGET) throw new Error(`ended with ${wanted}: ${stateOf(reference)}`);
  }
  expect(cpu.faults).toEqual(reference.faults);
  expect(Buffer.compare(cpu.ram, reference.ram)).toBe(0);
  return (cpu.jit?.stats().retired ?? 0) / cpu.exports.currentInstructionCount();
}
