// Memory operands: the linear address, the TLB probe, the address in WebAssembly memory. On a miss the interpreter's
// helper answers, faults by unwinding (the region's frame puts the registers back), or says that the instruction is not
// for us; nothing has changed until then, so the region can leave in front of it. Loads and stores themselves cannot fail.

import { TLB } from '../isa/layout.ts';
import { DYNAMIC } from './flag-kinds.ts';
import { isFlat, type Op, RIP_BASE } from './op-record.ts';
import { PROBE_FUNCTION, RBP, RSP, type RegionCode, TLB_ENTRY_MASK, TLB_ENTRY_SHIFT } from './region-code.ts';
import { I32, W } from './wasm-encoder.ts';

const NONE = 16;
const SS = 2;

export type Access = 'read' | 'write';

/** Pushes base + (index << scale) + disp in the width of registers. */
export function pushOffset(c: RegionCode, op: Op): void {
  const add = c.wide ? W.i64_add : W.i32_add;
  let terms = 0;
  if (op.base === RIP_BASE) {
    c.get(c.local.pageRip);
    terms++;
  } else if (op.base !== NONE) {
    c.getWord(op.base);
    terms++;
  }
  if (op.index !== NONE) {
    c.getWord(op.index);
    if (op.scale !== 0) {
      c.word(op.scale);
      c.op(c.wide ? W.i64_shl : W.i32_shl);
    }
    if (terms++ > 0) c.op(add);
  }
  if (op.disp !== 0 || terms === 0) {
    // With a page in it, it may not fit 32 bits.
    if (c.wide) c.i64(op.disp | 0, Math.floor(op.disp / 0x1_0000_0000));
    else c.word(op.disp);
    if (terms > 0) c.op(add);
  }
}

/** Operands that are translated: full address size, in 64-bit code flat or with the base of FS or GS. */
export function addressable(c: RegionCode, op: Op): boolean {
  return op.addressSize === (c.wide ? 3 : 2);
}

/** Sets the local `host` for the memory operand of an instruction. */
export function hostOfOperand(c: RegionCode, op: Op, bytes: number, access: Access, aligned = false): void {
  pushOffset(c, op);
  if (c.wide && !isFlat(op) && op.seg >= 4) {
    c.loadField(W.i64_load, 'SEG_BASE', op.seg);
    c.op(W.i64_add);
  }
  hostOfAddress(c, op, op.seg, bytes, access, { aligned, stack: addressesStack(c, op) ? 'use' : 'no' });
}

/** The operand is likely to lie in the page that the last push went to. */
function addressesStack(c: RegionCode, op: Op): boolean {
  return op.base === RSP || (op.base === RBP && c.hasFramePointer);
}

/** Sets `host` for a stack slot whose offset in SS is on the WebAssembly stack. */
export function hostOfStack(c: RegionCode, op: Op, bytes: number, access: Access): void {
  hostOfAddress(c, op, SS, bytes, access, { stack: access === 'write' ? 'move' : 'use' });
}

export interface AddressOptions {
  /** The address has to be a multiple of the size. */
  readonly aligned?: boolean;
  /** Looks at the page of the stack (RegionCode.stackTag) before the TLB; `move`: and makes the access's page that page. */
  readonly stack?: 'no' | 'use' | 'move';
}

/**
 * Takes a linear address (64-bit code) or an offset in `segment` from the stack. Nothing of the guest's state may have
 * changed since the instruction began.
 */
export function hostOfAddress(c: RegionCode, op: Op, segment: number, bytes: number, access: Access, { aligned = false, stack = 'no' }: AddressOptions = {}): void {
  const { local } = c;
  const assumed = !c.wide && ((c.setup.flatSegments >> segment) & 1) !== 0;
  const checked = !c.wide && !assumed;
  if (c.wide) {
    c.tee(local.linear64);
    c.op(W.i32_wrap_i64);
    c.set(local.linear32);
  } else {
    c.set(local.t2);
    if (assumed) c.assumed |= 1 << segment;
    c.get(local.t2);
    if (checked) {
      c.loadField(W.i32_load, 'SEG_BASE', segment);
      c.op(W.i32_add);
    }
    c.set(local.linear32);
  }
  if (aligned) {
    // That fault comes before those of the page.
    c.get(local.linear32);
    c.i32(bytes - 1);
    c.op(W.i32_and);
    bailIf(c, op);
  }
  const known = stack !== 'no' && (assumed || (c.wide && isFlatStack(op, segment)));
  if (known) {
    // An aligned access that begins in the page ends there.
    c.usesStack = true;
    c.get(c.wide ? local.linear64 : local.linear32);
    c.word(-4096 | (bytes - 1));
    c.op(c.wide ? W.i64_and : W.i32_and);
    c.get(local.stackTag);
    c.op(c.wide ? W.i64_eq : W.i32_eq);
    c.openExpected(true, I32);
    c.get(local.stackAddend);
    c.else();
  }
  // The entry, and its tag against the page of the last byte: an access over a page end misses.
  c.get(local.linear32);
  c.i32(TLB_ENTRY_SHIFT);
  c.op(W.i32_shr_u);
  c.i32(TLB_ENTRY_MASK);
  c.op(W.i32_and);
  c.get(local.tlb);
  c.op(W.i32_add);
  c.tee(local.entry);
  c.w.memory(W.i64_load, 3, access === 'read' ? TLB.TAG_READ : TLB.TAG_WRITE);
  if (c.wide) {
    c.get(local.linear64);
    if (bytes > 1) {
      c.i64(bytes - 1);
      c.op(W.i64_add);
    }
    c.i64(-4096);
    c.op(W.i64_and);
  } else {
    c.get(local.linear32);
    if (bytes > 1) {
      c.i32(bytes - 1);
      c.op(W.i32_add);
    }
    c.i32(-4096);
    c.op(W.i32_and, W.i64_extend_i32_u);
  }
  c.op(W.i64_eq);
  if (checked) {
    c.get(local.t2);
    c.op(W.i64_extend_i32_u);
    c.i64(bytes);
    c.op(W.i64_add);
    c.loadField(W.i64_load, access === 'read' ? 'SEG_READ_END' : 'SEG_WRITE_END', segment);
    c.op(W.i64_le_u, W.i32_and);
  }
  c.openExpected(true, I32);
  c.get(local.entry);
  c.w.memory(W.i32_load, 2, TLB.ADDEND);
  c.else();
  slowAddress(c, op, segment, bytes, access);
  c.end();
  if (known) {
    if (stack === 'move') {
      c.get(c.wide ? local.linear64 : local.linear32);
      noteStackPage(c);
    }
    c.end();
  }
  c.get(local.linear32);
  c.op(W.i32_add);
  c.set(local.host);
}

/** In 64-bit code: FS and GS have bases that are part of the address, but no stack. */
const isFlatStack = (op: Op, segment: number): boolean => segment === SS || isFlat(op) || op.seg < 4;

/** Makes the page of the linear address on the stack (in the width of registers) the page of the stack, when it can be written. */
export function noteStackPage(c: RegionCode): void {
  if (!c.wide) c.op(W.i64_extend_i32_u);
  c.w.call(PROBE_FUNCTION);
  c.set(c.local.stackAddend);
  if (!c.wide) c.op(W.i32_wrap_i64);
  c.set(c.local.stackTag);
}

/** Pushes what has to be added to the low half of the linear address. */
function slowAddress(c: RegionCode, op: Op, segment: number, bytes: number, access: Access): void {
  noteFlags(c);
  if (c.wide) {
    c.get(c.local.linear64);
  } else {
    c.get(c.local.t2);
    c.op(W.i64_extend_i32_u);
    c.i32(segment);
  }
  c.i32(bytes);
  c.i32(op.address | 0);
  c.i32(c.blockAddress | 0);
  c.get(c.local.budget);
  c.call(c.wide ? (access === 'read' ? 'jitRead' : 'jitWrite') : access === 'read' ? 'jitReadSegment' : 'jitWriteSegment');
  c.tee(c.local.host);
  c.op(W.i32_eqz);
  c.brIfRarely(c.bailLabel);
  c.get(c.local.host);
  c.get(c.local.linear32);
  c.op(W.i32_sub);
}

/** Tells the region's frame what the flag locals mean, before anything that may end there. */
export function noteFlags(c: RegionCode): void {
  if (c.flags === DYNAMIC) return;
  c.i32(c.flags);
  c.set(c.local.flagKind);
}

/** Makes `op` the instruction that is being executed, for the frame and for the interpreter's routines. */
export function noteRunning(c: RegionCode, op: Op): void {
  noteFlags(c);
  c.storeField(W.i32_store, 'CURRENT_OP', () => c.i32(op.address | 0));
  c.storeField(W.i32_store, 'BLOCK_RUNNING', () => c.i32(c.blockAddress | 0));
  c.storeField(W.i32_store, 'BUDGET', () => c.get(c.local.budget));
}

/** Leaves in front of `op`, which the interpreter executes, and the rest of the block too. */
export function bail(c: RegionCode, op: Op): void {
  noteRunning(c, op);
  c.br(c.bailLabel);
}

/** Leaves in front of `op` when the i32 on the stack is not 0. */
export function bailIf(c: RegionCode, op: Op): void {
  c.openExpected(false);
  bail(c, op);
  c.end();
}

const LOADS = [W.i32_load8_u, W.i32_load16_u, W.i32_load, W.i64_load] as const;
const STORES = [W.i32_store8, W.i32_store16, W.i32_store, W.i64_store] as const;

/** Pushes the value at `host`. */
export function loadHost(c: RegionCode, size: number): void {
  c.get(c.local.host);
  c.w.memory(LOADS[size] as number, 0, 0);
}

/** Stores what `value` pushes at `host`. */
export function storeHost(c: RegionCode, size: number, value: () => void): void {
  c.get(c.local.host);
  value();
  c.w.memory(STORES[size] as number, 0, 0);
}

