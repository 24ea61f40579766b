// A budget ends at exactly its instruction and a kick ends a run at the same one in every mode of the JIT, inside loops, long straight
// code, calls, returns and REP. How long a kick takes by the host's clock is measured by `npm run bench -- --only latency`.

import { describe, expect, it } from 'vitest';
import { inEveryJitMode } from '../../support/jit-modes.ts';
import { type BareInterpreter, EVENT, EXIT, bareInterpreter, enterFlat32, offsetOf } from './bare-interpreter.ts';
import { assemble } from '../../../core/firmware/asm/assembler.ts';
import { ENDLESS_PROGRAMS, type EndlessProgram, ORIGIN, RAM_MIB, startEndless } from './endless-programs.ts';

/** Every slice is another one, so that they end everywhere; large ones among them let loops get hot. */
const SLICES = [1, 2, 3, 7, 64, 997, 12_289, 40_009];
const ROUNDS = 6;

function started(program: EndlessProgram, jitThreshold?: number): BareInterpreter {
  const cpu = bareInterpreter({ ramMib: RAM_MIB, ...(jitThreshold === undefined ? {} : { jitThreshold }) });
  startEndless(cpu, program);
  return cpu;
}

const count = (cpu: BareInterpreter): number => cpu.exports.currentInstructionCount();

function state(cpu: BareInterpreter): string {
  const registers = [...Array(8).keys()].map((i) => cpu.file.get64('GPR', i).toString(16));
  return `${registers.join(' ')} ${cpu.file.get64('RIP').toString(16)} ${cpu.exports.readEflags().toString(16)}`;
}

const kick = (cpu: BareInterpreter): void => void Atomics.or(new Int32Array(cpu.memory.buffer, cpu.file.base + offsetOf('EVENTS'), 1), 0, EVENT.YIELD);
const forgetKick = (cpu: BareInterpreter): void => void Atomics.and(new Int32Array(cpu.memory.buffer, cpu.file.base + offsetOf('EVENTS'), 1), 0, ~EVENT.YIELD);

/** A loop that asks the host in its middle. */
const ASKING = `
again:
  inc eax
  lea ebx, [ebx + eax*2]
  test al, 7
  jne quiet
  out 0x80, al
quiet:
  xor ecx, ebx
  call more
  jmp again
more:
  add edx, ecx
  ret`;

inEveryJitMode(({ threshold }) => {
  describe('budgets of endless programs', () => {
    it.each(ENDLESS_PROGRAMS)('$name: end at exactly the asked instruction, in the interpreter\'s state', (program) => {
      const cpu = started(program);
      // One instruction more or less would show at the next comparison at the latest.
      const reference = started(program, 0);
      let total = 0;
      for (let round = 0; round < ROUNDS; round++) {
        for (const slice of SLICES) {
          total += slice;
          expect(cpu.run(slice)).toBe(EXIT.BUDGET);
          expect(reference.run(slice)).toBe(EXIT.BUDGET);
          expect(count(cpu)).toBe(total);
          expect(state(cpu)).toBe(state(reference));
        }
      }
      const whole = started(program, 0);
      whole.run(total);
      expect(state(cpu)).toBe(state(whole));
      const compiled = cpu.jit?.stats().retired ?? 0;
      if (threshold === 0) expect(compiled).toBe(0);
      else if (program.compiled) expect(compiled).toBeGreaterThan(total / 2);
    });
  });

  describe('kicks', () => {
    it.each(ENDLESS_PROGRAMS)('$name: one that is there already lets nothing run', (program) => {
      const cpu = started(program);
      cpu.run(50_000);
      const before = state(cpu);
      kick(cpu);
      expect(cpu.run(50_000)).toBe(EXIT.YIELD);
      expect(count(cpu)).toBe(50_000);
      expect(state(cpu)).toBe(before);
      forgetKick(cpu);
      expect(cpu.run(1)).toBe(EXIT.BUDGET);
      expect(count(cpu)).toBe(50_001);
    });

    it('end a run at the same instruction as the interpreter', () => {
      const ends = (jitThreshold?: number): string[] => {
        let calls = 0;
        const cpu: BareInterpreter = bareInterpreter({
          ...(jitThreshold === undefined ? {} : { jitThreshold }),
          portOut: () => {
            if (++calls % 37 === 0) kick(cpu);
          },
        });
        cpu.ram.set(assemble(`bits 32\norg ${ORIGIN}\n${ASKING}`).bytes, ORIGIN);
        enterFlat32(cpu, ORIGIN);
        const list: string[] = [];
        for (let i = 0; i < 20; i++) {
          expect(cpu.run(1_000_000)).toBe(EXIT.YIELD);
          forgetKick(cpu);
          list.push(`${count(cpu)}: ${state(cpu)}`);
        }
        return list;
      };
      expect(ends()).toEqual(ends(0));
    });
  });
});
