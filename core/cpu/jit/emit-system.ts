// Instructions of the system inside a region. The interpreter's routine executes them, with only the registers that it looks at
// brought to the register file; those that end a block are the region's frame's (region-emitter.ts). None here touches memory
// or EVENTS, and each raises its faults before it changes anything.

import { storeFlags } from './emit-flags.ts';
import { noteRunning, noteStackPage } from './emit-memory.ts';
import { emitPush, pushStackPointer } from './emit-stack.ts';
import { STORED } from './flag-kinds.ts';
import type { Op } from './op-record.ts';
import type { RegionCode } from './region-code.ts';
import type { Translation, Translations } from './translation.ts';
import { W } from './wasm-encoder.ts';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;

interface Operands {
  readonly reads?: readonly number[];
  readonly writes?: readonly number[];
}

function emitCall(c: RegionCode, op: Op, { reads = [], writes = [] }: Operands): void {
  for (const register of reads) c.storeField(c.wide ? W.i64_store : W.i32_store, 'GPR', () => c.getWord(register), register);
  noteRunning(c, op);
  c.i32(op.address | 0);
  c.call('executeSystem');
  for (const register of writes) {
    c.loadField(c.wide ? W.i64_load : W.i32_load, 'GPR', register);
    c.setWord(register);
  }
}

const calls = (operandsOf: (op: Op) => Operands): Translation => ({ exits: true, emit: (c, op) => emitCall(c, op, operandsOf(op)) });

/** CLAC and STAC choose another TLB. */
const accessControl: Translation = {
  exits: true,
  emit: (c, op) => {
    emitCall(c, op, {});
    c.loadField(W.i32_load, 'TLB_ACTIVE');
    c.set(c.local.tlb);
    if (!c.usesStack) return;
    pushStackPointer(c, c.wide ? -8 : -4);
    noteStackPage(c);
  },
};

/** RDFSBASE and RDGSBASE write the register that WRFSBASE and WRGSBASE read. */
const segmentBase = ({ reg, rm }: Op): Operands => ((reg & 3) < 2 ? { writes: [rm] } : { reads: [rm] });

export function addSystemTranslations(table: Translations): void {
  const set = (name: string, translation: Translation): void => void table.set(`SYSTEM ${name}`, translation);
  set('SWAPGS', calls(() => ({})));
  set('CLI', calls(() => ({})));
  set('CLAC', accessControl);
  set('STAC', accessControl);
  set('RDTSC', calls(() => ({ writes: [RAX, RDX] })));
  set('RDTSCP', calls(() => ({ writes: [RAX, RCX, RDX] })));
  set('RDMSR', calls(() => ({ reads: [RCX], writes: [RAX, RDX] })));
  set('RDPID', calls(({ rm }) => ({ writes: [rm] })));
  set('CPUID', calls(() => ({ reads: [RAX, RCX], writes: [RAX, RBX, RCX, RDX] })));
  set('MOV_FROM_CR', calls(({ rm }) => ({ writes: [rm] })));
  set('FSGSBASE', calls(segmentBase));
  table.set('PUSHF', {
    accepts: (c, op) => op.size === (c.wide ? 3 : 2),
    exits: true,
    kind: () => STORED,
    emit: (c, op) => {
      storeFlags(c);
      emitPush(c, op, () => {
        c.i32(op.address | 0);
        c.call('jitPushedFlags');
        if (!c.wide) c.op(W.i32_wrap_i64);
      });
    },
  });
}
