// The interpreter's main loop and code cache: exact budgets and counts, changed code, page ends, limits, prefixes.

import { describe, expect, it } from 'vitest';
import { AREA, BLOCK, OP } from '../../../core/cpu/isa/layout.ts';
import { type BareInterpreter, EXIT, bareInterpreter, enterFlat32, enterReal } from './bare-interpreter.ts';
import { inEveryJitMode, jitThresholdNow } from '../../support/jit-modes.ts';

const count = (cpu: BareInterpreter): number => cpu.exports.currentInstructionCount();
const reg = (cpu: BareInterpreter, index: number): number => Number(cpu.file.get64('GPR', index));
const rip = (cpu: BareInterpreter): number => Number(cpu.file.get64('RIP'));

/** A program in flat 32-bit mode at `at`. */
function flat(code: readonly number[], at = 0x1000): BareInterpreter {
  const cpu = bareInterpreter();
  cpu.ram.set(code, at);
  enterFlat32(cpu, at);
  return cpu;
}

function real(code: readonly number[], cs = 0, ip = 0x1000): BareInterpreter {
  const cpu = bareInterpreter();
  enterReal(cpu, cs, ip);
  cpu.ram.set(code, cs * 16 + ip);
  return cpu;
}

/** mov ecx,40; L: add eax,ecx; rol eax,3; push eax; pop edx; xor ebx,edx; test cl,1; jz M; inc esi; M: call F; dec ecx; jnz L;
 * mov edi,20000h; mov ecx,50; rep stosd; hlt; F: lea ebp,[ebp+ecx*2+5]; ret */
const MIXED = [
  0xb9, 40, 0, 0, 0, 0x01, 0xc8, 0xc1, 0xc0, 3, 0x50, 0x5a, 0x31, 0xd3, 0xf6, 0xc1, 1, 0x74, 1, 0x46, 0xe8, 16, 0, 0, 0,
  0x49, 0x75, 0xe9, 0xbf, 0, 0, 2, 0, 0xb1, 50, 0xf3, 0xab, 0xf4, 0x90, 0x90, 0x90, 0x8d, 0x6c, 0x4d, 5, 0xc3,
];

function state(cpu: BareInterpreter): string {
  return (
    [...Array(16).keys()].map((i) => cpu.file.get64('GPR', i).toString(16)).join(' ') +
    ` ${rip(cpu).toString(16)} ${cpu.exports.readEflags()}`
  );
}

inEveryJitMode(() => {
describe('budgets', () => {
  it('stop at exactly the asked instruction, whatever the slices are', () => {
    const whole = flat(MIXED);
    expect(whole.run(1_000_000)).toBe(EXIT.HALTED);
    const total = count(whole);
    // 2 + per round 10 and the INC of odd counts and 2 in F, then the tail with 50 iterations.
    expect(total).toBe(1 + 40 * 12 + 20 + 2 + 50 + 1);
    for (const slice of [1, 2, 3, 7, 33]) {
      const cpu = flat(MIXED);
      const reference = flat(MIXED);
      while (count(cpu) + slice <= total - 1) {
        expect(cpu.run(slice)).toBe(EXIT.BUDGET);
        reference.run(slice);
      }
      expect(count(cpu)).toBe(Math.floor((total - 1) / slice) * slice);
      expect(state(cpu)).toBe(state(reference));
      expect(cpu.run(1000)).toBe(EXIT.HALTED);
      expect(state(cpu)).toBe(state(whole));
      expect(count(cpu)).toBe(total);
    }
  });

  it('give the same state after n instructions as n single ones', () => {
    for (const n of [5, 17, 100, 251, 500, 520]) {
      const many = flat(MIXED);
      many.run(n);
      const single = flat(MIXED);
      for (let i = 0; i < n; i++) single.run(1);
      expect(count(many)).toBe(n);
      expect(state(many)).toBe(state(single));
    }
  });

  it('are exact inside port callbacks', () => {
    const seen: number[] = [];
    const cpu: BareInterpreter = bareInterpreter({ portOut: () => seen.push(count(cpu)) });
    // nop; nop; out 80h,al; nop; out 80h,al; hlt
    cpu.ram.set([0x90, 0x90, 0xe6, 0x80, 0x90, 0xe6, 0x80, 0xf4], 0x1000);
    enterFlat32(cpu, 0x1000);
    cpu.run(100);
    expect(seen).toEqual([2, 4]);
  });

  it('do not count a faulting instruction', () => {
    const cpu = real([0x90, 0x90, 0x0f, 0x0b]);
    expect(cpu.run(100)).toBe(EXIT.HALTED);
    expect(cpu.faults).toEqual([{ vector: 6, error: 0, rip: 0x1002n }]);
    expect(count(cpu)).toBe(3);
    expect(rip(cpu)).toBe(0x807);
    // FLAGS, CS, IP of the UD2 on the stack.
    expect([cpu.ram[0x6ffa], cpu.ram[0x6ffb]]).toEqual([0x02, 0x10]);
  });
});

describe('REP', () => {
  const program = (ecx: number): BareInterpreter => {
    // rep stosb; hlt
    const cpu = flat([0xf3, 0xaa, 0xf4]);
    cpu.file.set64('GPR', BigInt(ecx), 1);
    cpu.file.set64('GPR', 0x20ff0n, 7);
    cpu.file.set64('GPR', 0x5an, 0);
    return cpu;
  };

  it('counts one instruction an iteration, one for none', () => {
    const cpu = program(100);
    cpu.run(1000);
    expect(count(cpu)).toBe(101);
    expect(cpu.ram.subarray(0x20ff0, 0x20ff0 + 100).every((byte) => byte === 0x5a)).toBe(true);
    const none = program(0);
    none.run(1000);
    expect(count(none)).toBe(2);
  });

  it('stops in the middle and goes on', () => {
    const cpu = program(100);
    expect(cpu.run(37)).toBe(EXIT.BUDGET);
    expect([reg(cpu, 1), reg(cpu, 7), rip(cpu), cpu.ram[0x20ff0 + 37]]).toEqual([63, 0x20ff0 + 37, 0x1000, 0]);
    // The HLT is the last instruction of the budget: the halt shows in the next call.
    expect(cpu.run(64)).toBe(EXIT.BUDGET);
    expect(cpu.run(1)).toBe(EXIT.HALTED);
    expect(count(cpu)).toBe(101);
  });

  it('repeats the pattern when source and target overlap', () => {
    // rep movsw; hlt with EDI = ESI + 2
    const cpu = flat([0x66, 0xf3, 0xa5, 0xf4]);
    cpu.ram.set([1, 2], 0x3000);
    cpu.file.set64('GPR', 20n, 1);
    cpu.file.set64('GPR', 0x3000n, 6);
    cpu.file.set64('GPR', 0x3002n, 7);
    cpu.run(1000);
    expect([...cpu.ram.subarray(0x3000, 0x302c)]).toEqual([...Array.from({ length: 21 }, () => [1, 2]).flat(), 0, 0]);
  });

  it('compares until the condition fails, also backwards and over page ends', () => {
    for (const down of [false, true]) {
      // repe cmpsb; hlt
      const cpu = flat([down ? 0xfd : 0xfc, 0xf3, 0xa6, 0xf4]);
      cpu.ram.fill(7, 0x2f00, 0x3100);
      cpu.ram.fill(7, 0x4f80, 0x5180);
      cpu.ram[down ? 0x4f90 : 0x5170] = 9;
      cpu.file.set64('GPR', 0x1000n, 1);
      cpu.file.set64('GPR', down ? 0x30f0n : 0x2f10n, 6);
      cpu.file.set64('GPR', down ? 0x5170n : 0x4f90n, 7);
      cpu.run(100_000);
      const compared = 0x5170 - 0x4f90 + 1;
      expect(reg(cpu, 1)).toBe(0x1000 - compared);
      expect(count(cpu)).toBe(1 + compared + 1);
      // 7 - 9: CF and SF, not ZF.
      expect(cpu.exports.readEflags() & 0xc1).toBe(0x81);
    }
  });
});

describe('changed code', () => {
  it('takes effect with the next instruction of the running block', () => {
    // mov byte [1007h],48h; inc eax (becomes dec eax); hlt
    const cpu = flat([0xc6, 0x05, 0x07, 0x10, 0, 0, 0x48, 0x40, 0xf4]);
    cpu.file.set64('GPR', 5n, 0);
    cpu.run(100);
    expect(reg(cpu, 0)).toBe(4);
    expect(count(cpu)).toBe(3);
  });

  it('takes effect in a loop whose blocks are linked', () => {
    // mov ecx,10; L: inc eax; cmp ecx,5; jne M; mov byte [1005h],48h; M: dec ecx; jnz L; hlt
    const cpu = flat([
      0xb9, 10, 0, 0, 0, 0x40, 0x83, 0xf9, 5, 0x75, 7, 0xc6, 0x05, 0x05, 0x10, 0, 0, 0x48, 0x49, 0x75, 0xf0, 0xf4,
    ]);
    expect(cpu.run(1000)).toBe(EXIT.HALTED);
    // 6 increments (10 to 5), 4 decrements.
    expect(reg(cpu, 0)).toBe(2);
  });

  it('written by a string instruction or from outside is noticed', () => {
    // call 2000h; mov edi,2000h; mov al,48h; stosb; call 2000h; hlt
    const cpu = flat([0xe8, 0xfb, 0x0f, 0, 0, 0xbf, 0, 0x20, 0, 0, 0xb0, 0x48, 0xaa, 0xe8, 0xee, 0x0f, 0, 0, 0xf4]);
    cpu.ram.set([0x43, 0xc3], 0x2000);
    cpu.run(6);
    expect(reg(cpu, 3)).toBe(1);
    cpu.run(100);
    // The byte is DEC EAX now.
    expect([reg(cpu, 3), reg(cpu, 0) & 0xff]).toEqual([1, 0x47]);
    cpu.ram[0x2000] = 0x43;
    cpu.exports.codeWritten(2, 0, 1);
    enterFlat32(cpu, 0x1000);
    cpu.file.set32('ACTIVITY', 0);
    cpu.run(2);
    expect(reg(cpu, 3)).toBe(2);
  });

  it('near data does not throw the code away', () => {
    // mov ecx,1000; L: inc dword [1010h]; loop L; hlt; the data lies behind the code, in its granule
    const cpu = flat([0xb9, 0xe8, 3, 0, 0, 0xff, 0x05, 0x10, 0x10, 0, 0, 0xe2, 0xf8, 0xf4]);
    cpu.run(10_000);
    expect(cpu.memory.read32(0x1010)).toBe(1000);
    expect(cpu.exports.blocksKilledCount()).toBe(0);
    expect(cpu.exports.blocksDecodedCount()).toBeLessThan(5);
  });
});

describe('code of another page', () => {
  /** mov ecx,300; L: call 5000h; cmp ecx,150; jne M; (change); M: dec ecx; jnz L; hlt */
  const caller = (change: readonly number[]): number[] => [
    0xb9, 0x2c, 1, 0, 0, 0xe8, 0xf6, 0x3f, 0, 0, 0x81, 0xf9, 150, 0, 0, 0, 0x75, change.length, ...change, 0x49, 0x75, -(16 + change.length) & 0xff, 0xf4,
  ];
  /** inc eax; ret */
  const FIRST = [0x40, 0xc3];
  /** inc ebx; ret */
  const SECOND = [0x43, 0xc3];

  it('is found anew when the page is mapped to other memory', () => {
    // mov dword [11014h],6003h; invlpg [5000h]
    const cpu = flat(caller([0xc7, 0x05, 0x14, 0x10, 1, 0, 0x03, 0x60, 0, 0, 0x0f, 0x01, 0x3d, 0, 0x50, 0, 0]));
    cpu.ram.set(FIRST, 0x5000);
    cpu.ram.set(SECOND, 0x6000);
    const tables = new DataView(cpu.ram.buffer, cpu.ram.byteOffset);
    tables.setUint32(0x10000, 0x11003, true);
    for (let page = 0; page < 1024; page++) tables.setUint32(0x11000 + page * 4, page * 4096 + 3, true);
    cpu.file.set64('CR3', 0x10000n);
    cpu.file.set64('CR0', cpu.file.get64('CR0') | 0x8000_0000n);
    cpu.exports.refreshDerived();
    cpu.exports.pageMapChanged();
    expect(cpu.run(10_000)).toBe(EXIT.HALTED);
    expect([reg(cpu, 0), reg(cpu, 3)]).toEqual([151, 149]);
    expect(cpu.faults).toEqual([]);
  });

  it('is found anew when it was written', () => {
    // mov byte [5000h],43h
    const cpu = flat(caller([0xc6, 0x05, 0, 0x50, 0, 0, 0x43]));
    cpu.ram.set(FIRST, 0x5000);
    expect(cpu.run(10_000)).toBe(EXIT.HALTED);
    expect([reg(cpu, 0), reg(cpu, 3)]).toEqual([151, 149]);
  });

  it('stops at exactly the asked instruction', () => {
    for (const budget of [3, 5, 8, 9, 10, 11, 600, 601, 1009]) {
      const cpu = flat(caller([]));
      cpu.ram.set(FIRST, 0x5000);
      expect(cpu.run(budget)).toBe(EXIT.BUDGET);
      expect(count(cpu)).toBe(budget);
      // A round is seven instructions, the third of them INC.
      expect(reg(cpu, 0)).toBe(Math.floor((budget - 1 + 5) / 7));
    }
  });
});

describe('page ends', () => {
  it('an instruction over a page end sees changes of both pages', () => {
    // 1ffdh: mov eax,imm32 (three bytes in the next page); ret
    const cpu = flat([0xe8, 0xf8, 0x0f, 0, 0, 0xe8, 0xf3, 0x0f, 0, 0, 0xf4]);
    cpu.ram.set([0xb8, 0x78, 0x56, 0x34, 0x12, 0xc3], 0x1ffd);
    cpu.run(3);
    expect(reg(cpu, 0)).toBe(0x12345678);
    cpu.ram[0x2001] = 0x99;
    cpu.exports.codeWritten(2, 1, 1);
    cpu.run(10);
    expect(reg(cpu, 0)).toBe(0x99345678);
    expect(count(cpu)).toBe(7);
  });

  it('the pool is dropped when it is full and work goes on', () => {
    // JMP to the next instruction, more often than there is room for, then HLT.
    const jumps = 750_000;
    expect(jumps * (BLOCK.HEADER_BYTES + 2 * OP.BYTES)).toBeGreaterThan(AREA.POOL_END - AREA.POOL);
    // None of the blocks runs often enough to be compiled.
    const cpu = bareInterpreter({ jitThreshold: jitThresholdNow() === 0 ? 0 : 3 });
    for (let i = 0; i < jumps; i++) cpu.ram.set([0xeb, 0], 0x100000 + i * 2);
    cpu.ram[0x100000 + jumps * 2] = 0xf4;
    enterFlat32(cpu, 0x100000);
    expect(cpu.run(1_000_000)).toBe(EXIT.HALTED);
    expect(count(cpu)).toBe(jumps + 1);
    expect(cpu.exports.blocksDecodedCount()).toBeGreaterThanOrEqual(jumps);
  });
});

describe('limits and prefixes', () => {
  it('an instruction over the end of the code segment is #GP', () => {
    const cpu = real([0x90, 0xb0], 0x100, 0xfffe);
    cpu.run(10);
    expect(cpu.faults).toEqual([{ vector: 13, error: 0, rip: 0xffffn }]);
    expect(count(cpu)).toBe(2);
  });

  it('running off the end of the segment is #GP at 10000h', () => {
    const cpu = real([0x90, 0x90], 0x100, 0xfffe);
    cpu.run(10);
    expect(cpu.faults).toEqual([{ vector: 13, error: 0, rip: 0x10000n }]);
  });

  it('blocks of a page that the segment covers in part work like others', () => {
    // CS base 108h: the first page is partial. L: inc ax; loop L; hlt
    const cpu = real([0x40, 0xe2, 0xfd, 0xf4], 0x10, 0x20);
    cpu.file.set64('GPR', 500n, 1);
    cpu.run(10_000);
    expect([reg(cpu, 0), count(cpu)]).toEqual([500, 1001]);
  });

  it('LOCK is #UD without a memory operand that is modified', () => {
    for (const code of [
      [0xf0, 0x90],
      [0xf0, 0x01, 0xc8],
      [0xf0, 0x8b, 0x07],
      [0xf0, 0x39, 0x07],
    ]) {
      const cpu = real(code);
      cpu.run(10);
      expect(cpu.faults.map((fault) => fault.vector)).toEqual([6]);
    }
    const cpu = real([0xf0, 0x01, 0x07, 0xf4]);
    cpu.run(10);
    expect(cpu.faults).toEqual([]);
  });

  it('15 bytes are allowed, 16 are #GP', () => {
    const nops = (prefixes: number): number[] => [...Array<number>(prefixes).fill(0x66), 0x90, 0xf4];
    const good = real(nops(14));
    good.run(10);
    expect(good.faults).toEqual([]);
    const bad = real(nops(15));
    bad.run(10);
    expect(bad.faults).toEqual([{ vector: 13, error: 0, rip: 0x1000n }]);
  });

  it('VEX is #UD in real mode and an instruction in protected mode, also over the same bytes', () => {
    // andn eax,ecx,edx; hlt
    const code = [0xc4, 0xe2, 0x70, 0xf2, 0xc2, 0xf4];
    const cpu = real(code);
    cpu.run(10);
    expect(cpu.faults.map((fault) => fault.vector)).toEqual([6]);
    cpu.file.set32('ACTIVITY', 0);
    enterFlat32(cpu, 0x1000);
    // 16-bit code segment: the same mode key as before but for protection.
    cpu.file.set32('SEG_ACCESS', 0x809b, 1);
    cpu.exports.refreshDerived();
    cpu.file.set64('GPR', 0xffn, 1);
    cpu.file.set64('GPR', 0xf0fn, 2);
    cpu.run(10);
    expect(cpu.faults.length).toBe(1);
    expect(reg(cpu, 0)).toBe(0xf00);
  });

  it('undefined encodings are #UD', () => {
    for (const code of [
      [0x0f, 0xff, 0xc0],
      [0x0f, 0xb9, 0xc0],
      [0x0f, 0x0b],
      [0x0f, 0x04],
      [0x8e, 0xc8],
      [0x8c, 0xf0],
      [0x8c, 0x38],
      [0xfe, 0xd0],
      [0xff, 0xf8],
      [0xc6, 0xc8, 0],
    ]) {
      const cpu = real(code);
      cpu.run(10);
      expect(cpu.faults.map((fault) => fault.vector)).toEqual([6]);
    }
  });
});

describe('single step', () => {
  it('traps after every instruction but not after the one behind MOV SS', () => {
    // mov ax,0; mov ss,ax; nop; nop; hlt with TF set
    const cpu = real([0xb8, 0, 0, 0x8e, 0xd0, 0x90, 0x90, 0xf4]);
    // The handler of #DB keeps the return address and returns: push bp; mov bp,sp; mov bp,[bp+2]; mov [di],bp; add di,2; pop bp; iret
    cpu.ram.set([0x55, 0x89, 0xe5, 0x8b, 0x6e, 2, 0x89, 0x2d, 0x83, 0xc7, 2, 0x5d, 0xcf], 0x900);
    cpu.ram.set([0, 9, 0, 0], 4);
    cpu.file.set64('GPR', 0x4000n, 7);
    cpu.exports.setEflags(0x102);
    // Four instructions and three visits of the handler with seven.
    cpu.run(4 + 3 * 7);
    const stops = (reg(cpu, 7) - 0x4000) / 2;
    expect([...Array(stops).keys()].map((i) => cpu.memory.read16(0x4000 + i * 2))).toEqual([0x1003, 0x1006, 0x1007]);
  });
});
});
