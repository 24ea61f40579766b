// When the JIT hears of a block: after as many of its instructions as the threshold says, looked up or reached by a direct link.

import { describe, expect, it } from 'vitest';
import { assemble } from '../../../core/firmware/asm/assembler.ts';
import type { CompiledBatch, RegionCompiler } from '../../../core/cpu/jit/jit-engine.ts';
import type { RegionRequest } from '../../../core/cpu/jit/region-module.ts';
import { EXIT, bareInterpreter, enterFlat32 } from './bare-interpreter.ts';

const ORIGIN = 0x1000;
const THRESHOLD = 100;

/** Hears of regions and compiles nothing. */
class Listener implements RegionCompiler {
  readonly heads: number[] = [];
  readonly immediate: boolean;

  constructor(immediate: boolean) {
    this.immediate = immediate;
  }

  submit({ blocks }: RegionRequest): void {
    this.heads.push(blocks[0]?.address ?? 0);
  }

  take(): CompiledBatch | undefined {
    return undefined;
  }

  dispose(): void {
    this.heads.length = 0;
  }
}

/** Regions that are requested while a loop of one block (two instructions, and the body's) runs `rounds` times. */
function requestsOf(rounds: number, body = ''): number {
  const listener = new Listener(true);
  const cpu = bareInterpreter({ jitThreshold: THRESHOLD, compiler: listener });
  cpu.ram.set(assemble(`bits 32\norg ${ORIGIN}\n mov ecx, ${rounds}\n jmp again\nagain: ${body}\n dec ecx\n jnz again\n hlt`).bytes, ORIGIN);
  enterFlat32(cpu, ORIGIN);
  expect(cpu.run(1_000_000)).toBe(EXIT.HALTED);
  return listener.heads.length;
}

describe('a block gets hot', () => {
  it.each([
    [49, '', 0],
    [50, '', 1],
    [5000, '', 1],
    [9, 'nop\n'.repeat(8), 0],
    [10, 'nop\n'.repeat(8), 1],
  ])('in a loop that is linked to itself: %i rounds, body %j, %i regions', (rounds, body, regions) => {
    expect(requestsOf(rounds, body)).toBe(regions);
  });

  it('where every round is looked up', () => {
    // A return ends each round: `again` (one instruction), the function (one), and what follows the call (one, then two).
    const call = 'call function\n jmp behind\nfunction: ret\nbehind:';
    expect(requestsOf(49, call)).toBe(0);
    expect(requestsOf(THRESHOLD, call)).toBeGreaterThan(0);
  });
});

it('asks a compiler that takes time for what has become hottest, a few regions at a time', () => {
  const LOOPS = 20;
  const listener = new Listener(false);
  const cpu = bareInterpreter({ jitThreshold: THRESHOLD, compiler: listener });
  const loops = Array.from({ length: LOOPS }, (_, i) => ` mov ecx, ${THRESHOLD + 10 * i}\n jmp again${i}\nagain${i}: dec ecx\n jnz again${i}\n`);
  cpu.ram.set(assemble(`bits 32\norg ${ORIGIN}\n${loops.join('')} hlt`).bytes, ORIGIN);
  enterFlat32(cpu, ORIGIN);
  expect(cpu.run(1_000_000)).toBe(EXIT.HALTED);
  cpu.jit?.poll();
  // Blocks lie in the order in which they were decoded, which is that of the loops.
  const { heads } = listener;
  expect(heads.length).toBeGreaterThan(1);
  expect(heads.length).toBeLessThan(LOOPS);
  expect(heads).toEqual([...heads].sort((a, b) => b - a));
  cpu.jit?.poll();
  expect(listener.heads.length).toBe(heads.length);
});
