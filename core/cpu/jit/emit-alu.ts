// Arithmetic, logic and moves: ADD to CMP, TEST, INC, DEC, NEG, NOT, MOV, MOVZX, MOVSX, LEA, XCHG, XADD, CMPXCHG.

import { getA, getB, mask, ops, pushCarry, pushKeptCarry, setA, setB, signExtend } from './emit-flags.ts';
import { addressable, hostOfAddress, hostOfOperand, loadHost, pushOffset, storeHost } from './emit-memory.ts';
import { FLAG_OP, type FlagOp, kindOf } from './flag-kinds.ts';
import { isMemory, type Op } from './op-record.ts';
import type { RegionCode } from './region-code.ts';
import type { Translation, Translations } from './translation.ts';
import { W } from './wasm-encoder.ts';

type Form = 'EG' | 'GE' | 'EI';
const CARRY = 2;

const operandAccepted = (c: RegionCode, op: Op): boolean => !isMemory(op) || addressable(c, op);

/** Pushes the r/m operand; memory has been brought to `host` before. */
export function pushE(c: RegionCode, op: Op, size: number): void {
  if (isMemory(op)) loadHost(c, size);
  else c.getRegister(op.rm, size);
}

/** Writes the r/m operand. */
export function setE(c: RegionCode, op: Op, size: number, value: () => void): void {
  if (isMemory(op)) {
    storeHost(c, size, value);
  } else {
    value();
    c.setRegister(op.rm, size);
  }
}

interface Binary {
  readonly flag: FlagOp;
  readonly carries?: true;
  readonly compares?: true;
  readonly logic?: 'and' | 'or' | 'xor';
}

const BINARY: Readonly<Record<string, Binary>> = {
  ADD: { flag: FLAG_OP.ADD },
  OR: { flag: FLAG_OP.LOGIC, logic: 'or' },
  ADC: { flag: FLAG_OP.ADC, carries: true },
  SBB: { flag: FLAG_OP.SBB, carries: true },
  AND: { flag: FLAG_OP.LOGIC, logic: 'and' },
  SUB: { flag: FLAG_OP.SUB },
  XOR: { flag: FLAG_OP.LOGIC, logic: 'xor' },
  CMP: { flag: FLAG_OP.SUB, compares: true },
};

function emitBinary(c: RegionCode, op: Op, binary: Binary, form: Form, live: boolean): void {
  const { size } = op.handler;
  const memory = isMemory(op);
  const toMemory = memory && form !== 'GE';
  if (memory) hostOfOperand(c, op, 1 << size, toMemory && binary.compares !== true ? 'write' : 'read');
  const left = (): void => (form === 'GE' ? c.getRegister(op.reg, size) : pushE(c, op, size));
  const right = (): void => {
    if (form === 'EI') c.immediate(op, size);
    else if (form === 'EG') c.getRegister(op.reg, size);
    else pushE(c, op, size);
  };
  const write = (value: () => void): void => {
    if (form === 'GE') {
      value();
      c.setRegister(op.reg, size);
    } else {
      setE(c, op, size, value);
    }
  };
  const o = ops(size);
  const { logic } = binary;
  if (logic !== undefined) {
    // XOR of a register with itself does not depend on it.
    const clears = logic === 'xor' && form !== 'EI' && !memory && op.reg === op.rm;
    const compute = (): void => {
      if (clears) {
        if (size === 3) c.i64(0);
        else c.i32(0);
        return;
      }
      left();
      right();
      c.op(o[logic]);
    };
    if (!live) {
      write(compute);
      return;
    }
    compute();
    setA(c, size);
    write(() => getA(c, size));
    c.flags = kindOf(FLAG_OP.LOGIC, size);
    return;
  }
  if (binary.carries === true) {
    pushCarry(c);
    c.set(c.local.t0);
    left();
    setA(c, size);
    right();
    setB(c, size);
    c.get(c.local.t0);
    c.set(c.local.flagC);
    write(() => {
      getA(c, size);
      getB(c, size);
      c.op(binary.flag === FLAG_OP.ADC ? o.add : o.sub);
      c.get(c.local.flagC);
      if (size === 3) c.op(W.i64_extend_i32_u);
      c.op(binary.flag === FLAG_OP.ADC ? o.add : o.sub);
    });
    c.flags = kindOf(binary.flag, size);
    return;
  }
  const operation = binary.flag === FLAG_OP.ADD ? o.add : o.sub;
  if (!live) {
    if (binary.compares === true) return;
    write(() => {
      left();
      right();
      c.op(operation);
    });
    return;
  }
  left();
  setA(c, size);
  right();
  setB(c, size);
  if (binary.compares !== true) {
    write(() => {
      getA(c, size);
      getB(c, size);
      c.op(operation);
    });
  }
  c.flags = kindOf(binary.flag, size);
}

function emitTest(c: RegionCode, op: Op, form: 'EG' | 'EI', live: boolean): void {
  const { size } = op.handler;
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'read');
  if (!live) return;
  pushE(c, op, size);
  if (form === 'EI') c.immediate(op, size);
  else c.getRegister(op.reg, size);
  c.op(ops(size).and);
  setA(c, size);
  c.flags = kindOf(FLAG_OP.LOGIC, size);
}

/** INC, DEC: the carry stays. */
function emitStep(c: RegionCode, op: Op, up: boolean, live: boolean): void {
  const { size } = op.handler;
  const o = ops(size);
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'write');
  const compute = (): void => {
    pushE(c, op, size);
    if (size === 3) c.i64(1);
    else c.i32(1);
    c.op(up ? o.add : o.sub);
    if (live) mask(c, size);
  };
  if (!live) {
    setE(c, op, size, compute);
    return;
  }
  pushKeptCarry(c);
  c.set(c.local.flagC);
  compute();
  setA(c, size);
  setE(c, op, size, () => getA(c, size));
  c.flags = kindOf(up ? FLAG_OP.INC : FLAG_OP.DEC, size);
}

function emitNeg(c: RegionCode, op: Op, live: boolean): void {
  const { size } = op.handler;
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'write');
  const zero = (): void => (size === 3 ? c.i64(0) : c.i32(0));
  if (!live) {
    setE(c, op, size, () => {
      zero();
      pushE(c, op, size);
      c.op(ops(size).sub);
    });
    return;
  }
  pushE(c, op, size);
  setB(c, size);
  zero();
  setA(c, size);
  setE(c, op, size, () => {
    zero();
    getB(c, size);
    c.op(ops(size).sub);
  });
  c.flags = kindOf(FLAG_OP.SUB, size);
}

function emitNot(c: RegionCode, op: Op): void {
  const { size } = op.handler;
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'write');
  setE(c, op, size, () => {
    pushE(c, op, size);
    if (size === 3) c.i64(-1);
    else c.i32(-1);
    c.op(ops(size).xor);
  });
}

/** MOVZX, MOVSX, MOVSXD. */
function emitExtend(c: RegionCode, op: Op, from: number, signed: boolean): void {
  const { size } = op.handler;
  if (isMemory(op)) hostOfOperand(c, op, 1 << from, 'read');
  pushE(c, op, from);
  if (signed) signExtend(c, from);
  if (size === 3) c.op(signed ? W.i64_extend_i32_s : W.i64_extend_i32_u);
  c.setRegister(op.reg, size);
}

function emitXchg(c: RegionCode, op: Op): void {
  const { size } = op.handler;
  const temporary = size === 3 ? c.local.q0 : c.local.t0;
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'write');
  pushE(c, op, size);
  c.set(temporary);
  setE(c, op, size, () => c.getRegister(op.reg, size));
  c.get(temporary);
  c.setRegister(op.reg, size);
}

function emitXadd(c: RegionCode, op: Op): void {
  const { size } = op.handler;
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'write');
  pushE(c, op, size);
  setA(c, size);
  c.getRegister(op.reg, size);
  setB(c, size);
  const sum = (): void => {
    getA(c, size);
    getB(c, size);
    c.op(ops(size).add);
  };
  if (isMemory(op)) setE(c, op, size, sum);
  getA(c, size);
  c.setRegister(op.reg, size);
  if (!isMemory(op)) setE(c, op, size, sum);
  c.flags = kindOf(FLAG_OP.ADD, size);
}

function emitCmpxchg(c: RegionCode, op: Op): void {
  const { size } = op.handler;
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'write');
  c.getRegister(0, size);
  setA(c, size);
  pushE(c, op, size);
  setB(c, size);
  const equal = (): void => {
    getA(c, size);
    getB(c, size);
    c.op(ops(size).eq);
  };
  if (isMemory(op)) {
    storeHost(c, size, () => {
      c.getRegister(op.reg, size);
      getB(c, size);
      equal();
      c.op(W.select);
    });
    equal();
    c.op(W.i32_eqz);
    c.open(W.if);
    getB(c, size);
    c.setRegister(0, size);
    c.end();
  } else {
    equal();
    c.open(W.if);
    c.getRegister(op.reg, size);
    c.setRegister(op.rm, size);
    c.else();
    getB(c, size);
    c.setRegister(0, size);
    c.end();
  }
  c.flags = kindOf(FLAG_OP.SUB, size);
}

function direct(c: RegionCode, op: Op, access: 'read' | 'write'): void {
  if (c.wide) c.w.i64(op.immLow, op.immHigh);
  else c.i32(op.immLow);
  if (c.wide && op.seg >= 4) {
    c.loadField(W.i64_load, 'SEG_BASE', op.seg);
    c.op(W.i64_add);
  }
  hostOfAddress(c, op, op.seg, 1 << op.handler.size, access);
}

export function addAluTranslations(table: Translations): void {
  const all = (): boolean => true;
  for (const [name, binary] of Object.entries(BINARY)) {
    for (const form of ['EG', 'GE', 'EI'] as const) {
      table.set(`${name}_${form}`, {
        accepts: operandAccepted,
        emit: (c, op, live) => emitBinary(c, op, binary, form, live),
        overwrites: all,
        kind: (op) => kindOf(binary.flag, op.handler.size),
        ...(binary.carries === true ? { reads: () => CARRY } : {}),
      });
    }
  }
  const plain = (emit: Translation['emit'], extra: Partial<Translation> = {}): Translation => ({ accepts: operandAccepted, emit, ...extra });
  for (const form of ['EG', 'EI'] as const) {
    table.set(`TEST_${form}`, plain((c, op, live) => emitTest(c, op, form, live), { overwrites: all, kind: (op) => kindOf(FLAG_OP.LOGIC, op.handler.size) }));
  }
  table.set('INC', plain((c, op, live) => emitStep(c, op, true, live), { partial: true, kind: (op) => kindOf(FLAG_OP.INC, op.handler.size) }));
  table.set('DEC', plain((c, op, live) => emitStep(c, op, false, live), { partial: true, kind: (op) => kindOf(FLAG_OP.DEC, op.handler.size) }));
  table.set('NEG', plain(emitNeg, { overwrites: all, kind: (op) => kindOf(FLAG_OP.SUB, op.handler.size) }));
  table.set('NOT', plain(emitNot));
  table.set('MOV_EG', plain((c, op) => {
    const { size } = op.handler;
    if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'write');
    setE(c, op, size, () => c.getRegister(op.reg, size));
  }));
  table.set('MOV_GE', plain((c, op) => {
    const { size } = op.handler;
    if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'read');
    pushE(c, op, size);
    c.setRegister(op.reg, size);
  }));
  table.set('MOV_EI', plain((c, op) => {
    const { size } = op.handler;
    if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'write');
    setE(c, op, size, () => c.immediate(op, size));
  }));
  table.set('MOV_AO', plain((c, op) => {
    direct(c, op, 'read');
    loadHost(c, op.handler.size);
    c.setRegister(0, op.handler.size);
  }, { accepts: addressable, exits: true }));
  table.set('MOV_OA', plain((c, op) => {
    direct(c, op, 'write');
    storeHost(c, op.handler.size, () => c.getRegister(0, op.handler.size));
  }, { accepts: addressable, exits: true }));
  table.set('MOVZX_B', plain((c, op) => emitExtend(c, op, 0, false)));
  table.set('MOVZX_W', plain((c, op) => emitExtend(c, op, 1, false)));
  table.set('MOVSX_B', plain((c, op) => emitExtend(c, op, 0, true)));
  table.set('MOVSX_W', plain((c, op) => emitExtend(c, op, 1, true)));
  table.set('MOVSXD', plain((c, op) => emitExtend(c, op, op.handler.size === 1 ? 1 : 2, op.handler.size !== 2)));
  table.set('LEA', {
    accepts: addressable,
    emit: (c, op) => {
      const { size } = op.handler;
      pushOffset(c, op);
      if (c.wide && size < 3) c.op(W.i32_wrap_i64);
      c.setRegister(op.reg, size);
    },
  });
  table.set('XCHG_EG', plain(emitXchg));
  table.set('XCHG_A', plain((c, op) => {
    const { size } = op.handler;
    const temporary = size === 3 ? c.local.q0 : c.local.t0;
    c.getRegister(op.rm, size);
    c.set(temporary);
    c.getRegister(0, size);
    c.setRegister(op.rm, size);
    c.get(temporary);
    c.setRegister(0, size);
  }));
  table.set('XADD', plain(emitXadd, { overwrites: all, kind: (op) => kindOf(FLAG_OP.ADD, op.handler.size) }));
  table.set('CMPXCHG', plain(emitCmpxchg, { overwrites: all, kind: (op) => kindOf(FLAG_OP.SUB, op.handler.size) }));
  table.set('NOP', { emit: () => undefined });
}
