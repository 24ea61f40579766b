// SSE floating point. When MXCSR rounds to nearest, ordinary operands with an ordinary result change nothing but the destination
// if the result is exact, or if MXCSR masks PE and has it set already: then the operation is WebAssembly's. Else the
// interpreter's routine computes result and flags. Operands and results are looked at as bits: |x| doubled, so that the sign is gone.

import { callSse, emitSseCall, operandAccepted, pushLow, pushV, xmmHost } from './emit-xmm.ts';
import { noteFlags } from './emit-memory.ts';
import { isMemory, type Op } from './op-record.ts';
import type { RegionCode } from './region-code.ts';
import { V } from './simd.ts';
import type { Translation, Translations } from './translation.ts';
import { W } from './wasm-encoder.ts';

/** RC, PM and PE of MXCSR: to nearest, PE masked and set. */
const MXCSR_LOOK = 0x7020;
const MXCSR_FAST = 0x1020;
const MXCSR_ROUNDING = 0x6000;
/** The local fpOk: 0 never the short way, EXACT when the result is exact, INEXACT also when it is rounded. */
const EXACT = 1;
const INEXACT = EXACT << 1;
/** Numbers of core/cpu/interp/assembly/sse-float.ts. */
const KIND = { ADD: 0, SUB: 1, MUL: 2, DIV: 3, MIN: 4, MAX: 5, SQRT: 6 } as const;

/** Whether floating point may go the short way now: at the region's entry and after anything that may set PE. */
export function noteFloat(c: RegionCode): void {
  c.loadField(W.i32_load, 'MXCSR');
  c.i32(MXCSR_LOOK);
  c.op(W.i32_and);
  c.tee(c.local.t0);
  c.i32(MXCSR_ROUNDING);
  c.op(W.i32_and, W.i32_eqz);
  c.get(c.local.t0);
  c.i32(MXCSR_FAST);
  c.op(W.i32_eq, W.i32_shl);
  c.set(c.local.fpOk);
}

function helperArguments(c: RegionCode, op: Op): void {
  c.i32(op.address | 0);
  c.i32(c.blockAddress | 0);
  c.get(c.local.budget);
}

/** Of |x| * 2, by the halves of a double and as a single: what is taken away, and what the rest is compared with. */
interface Range {
  readonly double: { readonly from: readonly [low: number, high: number]; readonly bound: readonly [low: number, high: number]; readonly leave: number };
  readonly single: { readonly from: number; readonly bound: number; readonly leave: number };
}

/** |x| * 2 - 1 is below that of the smallest normal number. */
const DENORMAL: Range = {
  double: { from: [1, 0], bound: [-1, 0x001f_ffff], leave: W.i64_lt_u },
  single: { from: 1, bound: 0x00ff_ffff, leave: W.i32_lt_u },
};
/** Not normal and above the smallest exponent (tininess is detected after rounding), or not finite. */
const NOT_PLAIN: Range = {
  double: { from: [0, 0x0040_0000], bound: [0, 0xffa0_0000 | 0], leave: W.i64_ge_u },
  single: { from: 0x0200_0000, bound: 0xfd00_0000 | 0, leave: W.i32_ge_u },
};

/** The short way is left for `slow` when the number in a floating-point local lies in the range. */
function leaveIfIn(c: RegionCode, range: Range, local: number, double: boolean, slow: number): void {
  c.get(local);
  if (double) {
    const { from, bound, leave } = range.double;
    c.op(W.i64_reinterpret_f64);
    c.i64(1);
    c.op(W.i64_shl);
    c.w.i64(...from);
    c.op(W.i64_sub);
    c.w.i64(...bound);
    c.op(leave);
  } else {
    const { from, bound, leave } = range.single;
    c.op(W.i32_reinterpret_f32);
    c.i32(1);
    c.op(W.i32_shl);
    c.i32(from);
    c.op(W.i32_sub);
    c.i32(bound);
    c.op(leave);
  }
  c.brIfRarely(slow);
}

/** The short way is left when the rounding is not to nearest, or when PE would have to be set. */
function leaveIfInexact(c: RegionCode, kind: 'ADD' | 'SUB' | 'MUL' | 'DIV', double: boolean, slow: number): void {
  const { local } = c;
  const known = c.open(W.block);
  c.get(local.fpOk);
  c.i32(INEXACT);
  c.op(W.i32_eq);
  c.brIf(known);
  if (kind === 'DIV') {
    c.br(slow);
    c.end();
    return;
  }
  c.get(local.fpOk);
  c.op(W.i32_eqz);
  c.brIfRarely(slow);
  if (kind !== 'MUL') pushSumError(c, kind === 'ADD', double);
  else if (double) pushTooLong(c);
  else pushDifference(c);
  c.brIfRarely(slow);
  c.end();
}

/** Pushes whether a sum is rounded: the error of the addition, which is a number of the same format (Knuth's TwoSum). */
function pushSumError(c: RegionCode, up: boolean, double: boolean): void {
  const { local } = c;
  const [a, b, r, t] = double ? [local.d0, local.d1, local.d2, local.d3] : [local.s0, local.s1, local.s2, local.s3];
  const [add, sub, ne] = double ? [W.f64_add, W.f64_sub, W.f64_ne] : [W.f32_add, W.f32_sub, W.f32_ne];
  // t is what of the second operand is in the sum: r - a, for a - b it has the other sign.
  c.get(r);
  c.get(a);
  c.op(sub);
  c.set(t);
  c.get(a);
  c.get(r);
  c.get(t);
  c.op(sub, sub);
  if (up) {
    c.get(b);
    c.get(t);
    c.op(sub, add);
  } else {
    c.get(b);
    c.get(t);
    c.op(add, sub);
  }
  c.w.floatZero(double);
  c.op(ne);
}

/** Pushes whether a product of doubles may be rounded: the significands without their low zeros have more than 53 bits together. */
function pushTooLong(c: RegionCode): void {
  const { local } = c;
  for (const operand of [local.d0, local.d1]) {
    c.get(operand);
    c.op(W.i64_reinterpret_f64, W.i64_ctz);
  }
  c.op(W.i64_add);
  c.i64(53);
  c.op(W.i64_lt_u);
}

/** Pushes whether a product of singles is rounded: as a product of doubles it is not. */
function pushDifference(c: RegionCode): void {
  const { local } = c;
  for (const operand of [local.s0, local.s1]) {
    c.get(operand);
    c.op(W.f64_promote_f32);
  }
  c.op(W.f64_mul);
  c.get(local.s2);
  c.op(W.f64_promote_f32, W.f64_ne);
}

/** ADDSD to DIVSD, ADDSS to DIVSS: the value goes from operation to operation as a floating-point number, the looks are beside it. */
function emitScalar(c: RegionCode, op: Op, kind: 'ADD' | 'SUB' | 'MUL' | 'DIV', double: boolean): void {
  const { local } = c;
  const [a, b, r] = double ? [local.d0, local.d1, local.d2] : [local.s0, local.s1, local.s2];
  const extract = double ? V.f64x2_extract_lane : V.f32x4_extract_lane;
  const toBits = double ? W.i64_reinterpret_f64 : W.i32_reinterpret_f32;
  xmmHost(c, op, double ? 8 : 4, 'read');
  c.usesFloat = true;
  if (isMemory(op)) {
    c.get(local.host);
    c.w.memory(double ? W.f64_load : W.f32_load, 0, 0);
  } else {
    c.getXmm(op.rm);
    c.w.simdLane(extract, 0);
  }
  c.set(b);
  c.getXmm(op.reg);
  c.w.simdLane(extract, 0);
  c.tee(a);
  c.get(b);
  const table = double ? { ADD: W.f64_add, SUB: W.f64_sub, MUL: W.f64_mul, DIV: W.f64_div } : { ADD: W.f32_add, SUB: W.f32_sub, MUL: W.f32_mul, DIV: W.f32_div };
  c.op(table[kind]);
  c.set(r);
  const done = c.open(W.block);
  const slow = c.open(W.block);
  leaveIfInexact(c, kind, double, slow);
  leaveIfIn(c, DENORMAL, a, double, slow);
  leaveIfIn(c, DENORMAL, b, double, slow);
  leaveIfIn(c, NOT_PLAIN, r, double, slow);
  c.br(done);
  c.end();
  noteFlags(c);
  c.i32(KIND[kind]);
  c.get(a);
  c.op(toBits);
  c.get(b);
  c.op(toBits);
  helperArguments(c, op);
  c.call(double ? 'jitDouble' : 'jitSingle');
  c.op(double ? W.f64_reinterpret_i64 : W.f32_reinterpret_i32);
  c.set(r);
  noteFloat(c);
  c.end();
  c.getXmm(op.reg);
  c.get(r);
  c.w.simdLane(double ? V.f64x2_replace_lane : V.f32x4_replace_lane, 0);
  c.setXmm(op.reg);
}

/** Vector forms of the looks; the lanes' results are all ones or 0. */
function constant64(c: RegionCode, low: number, high: number): void {
  const bytes = [low, high, low, high].flatMap((word) => [word & 0xff, (word >> 8) & 0xff, (word >> 16) & 0xff, word >>> 24]);
  c.w.simdBytes(V.v128_const, bytes);
}

function magnitude(c: RegionCode, local: number, double: boolean): void {
  c.get(local);
  if (double) constant64(c, -1, 0x7fff_ffff);
  else constant64(c, 0x7fff_ffff, 0x7fff_ffff);
  c.w.simd(V.v128_and);
}

/** Pushes an i32: all lanes are at least `least` and below infinity, or (with `zero`) 0. */
function lanesWithin(c: RegionCode, local: number, double: boolean, least: number, zero: boolean): void {
  if (double) {
    magnitude(c, local, true);
    constant64(c, -1, least - 1);
    c.w.simd(V.i64x2_gt_s);
    magnitude(c, local, true);
    constant64(c, 0, 0x7ff0_0000);
    c.w.simd(V.i64x2_lt_s);
    c.w.simd(V.v128_and);
    if (zero) {
      magnitude(c, local, true);
      constant64(c, 0, 0);
      c.w.simd(V.i64x2_eq);
      c.w.simd(V.v128_or);
    }
    c.w.simd(V.i64x2_all_true);
    return;
  }
  magnitude(c, local, false);
  constant64(c, least, least);
  c.w.simd(V.i32x4_sub);
  constant64(c, 0x7f80_0000 - least, 0x7f80_0000 - least);
  c.w.simd(V.i32x4_lt_u);
  if (zero) {
    magnitude(c, local, false);
    constant64(c, 0, 0);
    c.w.simd(V.i32x4_eq);
    c.w.simd(V.v128_or);
  }
  c.w.simd(V.i32x4_all_true);
}

function emitPacked(c: RegionCode, op: Op, kind: 'ADD' | 'SUB' | 'MUL' | 'DIV', double: boolean): void {
  const { local } = c;
  xmmHost(c, op, 16, 'read');
  c.usesFloat = true;
  pushV(c, op);
  c.set(local.v1);
  c.getXmm(op.reg);
  c.set(local.v0);
  c.get(local.fpOk);
  c.i32(INEXACT);
  c.op(W.i32_eq);
  lanesWithin(c, local.v0, double, double ? 0x0010_0000 : 0x0080_0000, true);
  c.op(W.i32_and);
  lanesWithin(c, local.v1, double, double ? 0x0010_0000 : 0x0080_0000, true);
  c.op(W.i32_and);
  c.get(local.v0);
  c.get(local.v1);
  const table = double
    ? { ADD: V.f64x2_add, SUB: V.f64x2_sub, MUL: V.f64x2_mul, DIV: V.f64x2_div }
    : { ADD: V.f32x4_add, SUB: V.f32x4_sub, MUL: V.f32x4_mul, DIV: V.f32x4_div };
  c.w.simd(table[kind]);
  c.set(local.v1);
  lanesWithin(c, local.v1, double, double ? 0x0020_0000 : 0x0100_0000, false);
  c.op(W.i32_and);
  c.openExpected(true);
  c.get(local.v1);
  c.setXmm(op.reg);
  c.else();
  emitSseCall(c, op);
  c.loadXmm(op.reg);
  noteFloat(c);
  c.end();
}

/** Calls that may set MXCSR flags. */
function floatCall(bytes: number, writes: 'xmm' | 'register' | 'flags', generalSource = false): Translation {
  const call = callSse(bytes, writes, generalSource);
  return {
    ...call,
    emit: (c, op, live) => {
      c.usesFloat = true;
      call.emit(c, op, live);
      noteFloat(c);
    },
  };
}

export function addSseFloatTranslations(table: Translations): void {
  const set = (name: string, translation: Translation): void => {
    table.set(`SSE ${name}`, translation);
  };
  for (const kind of ['ADD', 'SUB', 'MUL', 'DIV'] as const) {
    for (const [suffix, double] of [['SD', true], ['SS', false]] as const) {
      set(`${kind}${suffix}`, { accepts: operandAccepted, exits: true, emit: (c, op) => emitScalar(c, op, kind, double) });
    }
    for (const [suffix, double] of [['PD', true], ['PS', false]] as const) {
      set(`${kind}${suffix}`, { accepts: operandAccepted, exits: true, emit: (c, op) => emitPacked(c, op, kind, double) });
    }
  }
  for (const name of ['MINPS', 'MINPD', 'MAXPS', 'MAXPD', 'SQRTPS', 'SQRTPD', 'HADDPS', 'HADDPD', 'HSUBPS', 'HSUBPD', 'ADDSUBPS', 'ADDSUBPD', 'DPPS', 'DPPD',
    'CMPPS', 'CMPPD', 'ROUNDPS', 'ROUNDPD', 'CVTDQ2PS', 'CVTPS2DQ', 'CVTTPS2DQ', 'CVTPD2PS', 'CVTPD2DQ', 'CVTTPD2DQ', 'RCPPS', 'RSQRTPS']) {
    set(name, floatCall(16, 'xmm'));
  }
  for (const name of ['MINSD', 'MAXSD', 'SQRTSD', 'CMPSD_XMM', 'ROUNDSD', 'CVTSD2SS', 'CVTPS2PD']) set(name, floatCall(8, 'xmm'));
  for (const name of ['MINSS', 'MAXSS', 'SQRTSS', 'CMPSS', 'ROUNDSS', 'CVTSS2SD', 'RCPSS', 'RSQRTSS']) set(name, floatCall(4, 'xmm'));
  for (const name of ['UCOMISD', 'COMISD']) set(name, floatCall(8, 'flags'));
  for (const name of ['UCOMISS', 'COMISS']) set(name, floatCall(4, 'flags'));
  for (const name of ['CVTSD2SI', 'CVTTSD2SI']) set(name, floatCall(8, 'register'));
  for (const name of ['CVTSS2SI', 'CVTTSS2SI']) set(name, floatCall(4, 'register'));
  const [narrowSingle, wideSingle] = [floatCall(4, 'xmm', true), floatCall(8, 'xmm', true)];
  set('CVTSI2SS', { accepts: operandAccepted, exits: true, emit: (c, op, live) => (op.size === 3 ? wideSingle : narrowSingle).emit(c, op, live) });
  const wideConversion = floatCall(8, 'xmm', true);
  set('CVTSI2SD', {
    accepts: operandAccepted,
    exits: true,
    emit: (c, op, live) => {
      if (op.size === 3) {
        wideConversion.emit(c, op, live);
        return;
      }
      // 32-bit integers are exact.
      xmmHost(c, op, 4, 'read');
      c.getXmm(op.reg);
      if (isMemory(op)) pushLow(c, op, 4);
      else c.getRegister(op.rm, 2);
      c.op(W.f64_convert_i32_s);
      c.w.simdLane(V.f64x2_replace_lane, 0);
      c.setXmm(op.reg);
    },
  });
  set('CVTDQ2PD', {
    accepts: operandAccepted,
    emit: (c, op) => {
      xmmHost(c, op, 8, 'read');
      if (isMemory(op)) {
        c.get(c.local.host);
        c.w.simdMemory(V.v128_load64_zero, 0, 0);
      } else {
        c.getXmm(op.rm);
      }
      c.w.simd(V.f64x2_convert_low_i32x4_s);
      c.setXmm(op.reg);
    },
  });
}

