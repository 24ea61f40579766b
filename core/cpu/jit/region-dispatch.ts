// The way from one region to the next: a function in every module that looks RIP up in the table at AREA.JIT (filled by
// core/cpu/interp/assembly/blocks.ts) and jumps to the region there, without growing the stack. The look-up holds when mode
// and CS are as they were, the fetch TLB still translates the page to the same physical one, nothing waits in EVENTS and the
// budget suffices; else it returns 0, and the interpreter looks.

import { AREA, JIT_TARGET, offsetOf, TLB } from '../isa/layout.ts';
import { NO_STACK_PAGE, TLB_ENTRY_MASK, TLB_ENTRY_SHIFT } from './region-code.ts';
import { type FunctionBody, I32, I64, W, WasmWriter } from './wasm-encoder.ts';

const RIP = 0;
const ENTRY = 1;
const FETCH = 2;

export const DISPATCHER = 'dispatch';

/** Replaces the linear address on the stack by the address of its entry in the TLB that a field of the register file names. */
function tlbEntry(w: WasmWriter, cpu: number, tlb: 'TLB_EXEC' | 'TLB_ACTIVE'): void {
  w.op(W.i32_wrap_i64);
  w.i32(TLB_ENTRY_SHIFT);
  w.op(W.i32_shr_u);
  w.i32(TLB_ENTRY_MASK);
  w.op(W.i32_and);
  w.i32(0);
  w.memory(W.i32_load, 0, cpu + offsetOf(tlb));
  w.op(W.i32_add);
}

/** `cpu`: address of the vCPU's register file. */
export function dispatcher(cpu: number): FunctionBody {
  const w = new WasmWriter(512);
  const field = (opcode: number, name: string, index = 0): void => {
    w.i32(0);
    w.memory(opcode, 0, cpu + offsetOf(name, index));
  };
  const refuseIf = (): void => w.brIf(0);
  const refuseIfDifferent = (): void => {
    w.op(W.i32_ne);
    refuseIf();
  };
  w.open(W.block);
  field(W.i32_load, 'EVENTS');
  refuseIf();
  field(W.i64_load, 'RIP');
  w.tee(RIP);
  w.op(W.i32_wrap_i64);
  w.get(RIP);
  w.i64Small(12);
  w.op(W.i64_shr_u);
  w.op(W.i32_wrap_i64);
  w.op(W.i32_xor);
  w.i32(JIT_TARGET.COUNT - 1);
  w.op(W.i32_and);
  w.i32(Math.log2(JIT_TARGET.ENTRY_BYTES));
  w.op(W.i32_shl);
  w.tee(ENTRY);
  w.memory(W.i64_load, 3, cpu + AREA.JIT + JIT_TARGET.RIP);
  w.get(RIP);
  w.op(W.i64_ne);
  refuseIf();
  w.get(ENTRY);
  w.memory(W.i32_load, 2, cpu + AREA.JIT + JIT_TARGET.CONTEXT);
  field(W.i32_load, 'JIT_CONTEXT');
  refuseIfDifferent();
  w.get(RIP);
  tlbEntry(w, cpu, 'TLB_EXEC');
  w.tee(FETCH);
  w.memory(W.i64_load, 3, TLB.TAG_EXEC);
  w.get(RIP);
  w.i64Small(-4096);
  w.op(W.i64_and);
  w.op(W.i64_ne);
  refuseIf();
  w.get(FETCH);
  w.memory(W.i32_load, 2, TLB.PHYS_PAGE);
  w.get(ENTRY);
  w.memory(W.i32_load, 2, cpu + AREA.JIT + JIT_TARGET.PHYS_PAGE);
  refuseIfDifferent();
  field(W.i32_load, 'BUDGET');
  w.get(ENTRY);
  w.memory(W.i32_load, 2, cpu + AREA.JIT + JIT_TARGET.NEED);
  w.op(W.i32_lt_s);
  refuseIf();
  w.i32(0);
  w.i32(0);
  w.memory(W.i32_store, 0, cpu + offsetOf('CAME_FROM'));
  w.i32(0);
  w.get(RIP);
  w.i64Small(-4096);
  w.op(W.i64_and);
  w.memory(W.i64_store, 0, cpu + offsetOf('GPR', 17));
  w.get(ENTRY);
  w.memory(W.i32_load, 2, cpu + AREA.JIT + JIT_TARGET.FUNCTION);
  w.op(W.return_call_indirect);
  w.u32(0);
  w.byte(0);
  w.op(W.end);
  w.i32(0);
  return { type: 0, name: DISPATCHER, locals: [{ count: 1, type: I64 }, { count: 2, type: I32 }], code: w };
}

/** (linear address) => page that it lies in and its TLB addend when that page can be read and written, else NO_STACK_PAGE and 0. */
export function stackProbe(cpu: number, type: number): FunctionBody {
  const w = new WasmWriter(128);
  const [LINEAR, SLOT, PAGE] = [0, 1, 2];
  w.get(LINEAR);
  w.i64Small(-4096);
  w.op(W.i64_and);
  w.tee(PAGE);
  w.get(LINEAR);
  tlbEntry(w, cpu, 'TLB_ACTIVE');
  w.tee(SLOT);
  w.memory(W.i64_load, 3, TLB.TAG_WRITE);
  w.op(W.i64_ne);
  w.open(W.if);
  w.i64Small(NO_STACK_PAGE);
  w.i32(0);
  w.op(W.return);
  w.op(W.end);
  w.get(PAGE);
  w.get(SLOT);
  w.memory(W.i32_load, 2, TLB.ADDEND);
  return { type, name: 'stack', locals: [{ count: 1, type: I32 }, { count: 1, type: I64 }], code: w };
}
