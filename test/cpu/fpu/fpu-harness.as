// AssemblyScript: runs batches of case records (layout in fpu-cases.ts) through executeX87 and executeMmx, with memory, faults
// and segments stubbed by fpu-module.ts. Not part of the interpreter.

import { arithmeticFlags, setArithmeticFlags } from './flags';
import {
  CC_AUX, CC_RESULT, CR0, FPU_CW, FPU_REG, FPU_SW, FPU_TAG, FPU_TOP, FPU_IP, FPU_DP, FPU_CS, FPU_DS, FPU_OPCODE, GPR, MXCSR, OP_HANDLER,
} from './generated/layout';
import { faultVector, setFaultVector } from './fault';
import { executeMmx } from './mmx';
import { FLAG_INVALID, sseBegin, sseEnd, sseUnmasked } from './softfloat';
import * as s from './softfloat32';
import * as d from './softfloat64';
import { cpu } from './state';
import { executeX87 } from './x87';
import { statusWord, tagWord } from './x87-control';

const IN_BYTES: usize = 240;
const OUT_BYTES: usize = 176;

/** One instruction on the register file as it is; the vector of its fault, or 0. */
export function executeOne(group: u32, op: usize): void {
  setFaultVector(0);
  if (group == 0) executeX87(op);
  else executeMmx(op);
}

export function lastFault(): u32 {
  return faultVector;
}

export function runBatch(count: u32, input: usize, output: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    runCase(input, output);
    input += IN_BYTES;
    output += OUT_BYTES;
  }
}

function runCase(input: usize, output: usize): void {
  const image = input + 48;
  store<u64>(cpu, 0x80000031, CR0);
  store<u32>(cpu, (load<u16>(image) & 0x1f7f) | 0x40, FPU_CW);
  let sw = <u32>load<u16>(image, 4);
  store<u32>(cpu, sw & 0x477f, FPU_SW);
  const top = (sw >> 11) & 7;
  store<u32>(cpu, top, FPU_TOP);
  store<u32>(cpu, load<u16>(image, 8), FPU_TAG);
  for (let k: u32 = 0; k < 8; k++) {
    const at = cpu + (((top + k) & 7) << 4);
    store<u64>(at, load<u64>(image + 28 + k * 10), FPU_REG);
    store<u16>(at, load<u16>(image + 28 + k * 10, 8), FPU_REG + 8);
  }
  setArithmeticFlags(load<u32>(input, 156));
  memory.copy(output + 112, input + 160, 32);
  store<u64>(cpu, output + 112, GPR + 56);
  store<u64>(cpu, load<u32>(input, 228), GPR);
  setFaultVector(0);
  memory.copy(output + 144, input + 192, 16);
  store<u32>(output, load<u32>(input, 224), 160);
  const group = load<u16>(input + 16, OP_HANDLER);
  if (group == 0) executeX87(input + 16);
  else if (group == 1) executeMmx(input + 16);
  else executeScalar(load<u32>(input + 40), input, output);
  const status = statusWord();
  store<u32>(output, 0xffff0000 | load<u32>(cpu, FPU_CW));
  store<u32>(output, 0xffff0000 | status, 4);
  store<u32>(output, 0xffff0000 | tagWord(), 8);
  store<u64>(output, 0, 12);
  store<u64>(output, 0, 20);
  for (let k: u32 = 0; k < 8; k++) {
    const at = cpu + (((load<u32>(cpu, FPU_TOP) + k) & 7) << 4);
    store<u64>(output + 28 + k * 10, load<u64>(at, FPU_REG));
    store<u16>(output + 28 + k * 10, load<u16>(at, FPU_REG + 8), 8);
  }
  store<u32>(output, arithmeticFlags(), 108);
  store<u32>(output, load<u32>(cpu, GPR), 164);
  store<u32>(output, faultVector, 168);
  store<u32>(output, 0, 172);
}

/** Scalar SSE operations on the low elements, numbered by fpu-cases.ts. */
function executeScalar(kind: u32, input: usize, output: usize): void {
  const a4 = load<u32>(input, 192);
  const b4 = load<u32>(input, 208);
  const a8 = load<u64>(input, 192);
  const b8 = load<u64>(input, 208);
  const imm = load<u32>(input + 32);
  sseBegin(load<u32>(input, 224));
  let wide: u64 = a8;
  let eax = load<u32>(cpu, GPR);
  let flags = load<u32>(input, 156);
  switch (kind) {
    case 0: wide = d.f64Add(a8, b8); break;
    case 1: wide = d.f64Sub(a8, b8); break;
    case 2: wide = d.f64Mul(a8, b8); break;
    case 3: wide = d.f64Div(a8, b8); break;
    case 4: wide = d.f64Sqrt(b8); break;
    case 5: wide = d.f64Min(a8, b8); break;
    case 6: wide = d.f64Max(a8, b8); break;
    case 7: wide = d.f64RoundToInt(b8, imm); break;
    case 8: eax = d.f64ToI32(b8, false); break;
    case 9: eax = d.f64ToI32(b8, true); break;
    case 10: flags = order(d.f64CompareSignaling(a8, b8)); break;
    case 11: flags = order(d.f64CompareQuiet(a8, b8)); break;
    case 12: wide = (a8 & 0xffffffff00000000) | <u64>d.f64ToF32(b8); break;
    case 13: wide = d.f32ToF64(b4); break;
    case 14: wide = d.i64ToF64(load<i64>(input, 160)); break;
    case 15: wide = <u64>d.f64ToI64(b8, false); eax = <u32>wide; wide = a8; break;
    case 16: eax = <u32>d.f64ToI64(b8, true); break;
    default: {
      let r = a4;
      switch (kind - 32) {
        case 0: r = s.f32Add(a4, b4); break;
        case 1: r = s.f32Sub(a4, b4); break;
        case 2: r = s.f32Mul(a4, b4); break;
        case 3: r = s.f32Div(a4, b4); break;
        case 4: r = s.f32Sqrt(b4); break;
        case 5: r = s.f32Min(a4, b4); break;
        case 6: r = s.f32Max(a4, b4); break;
        case 7: r = s.f32RoundToInt(b4, imm); break;
        case 8: eax = s.f32ToI32(b4, false); break;
        case 9: eax = s.f32ToI32(b4, true); break;
        case 10: flags = order(s.f32CompareSignaling(a4, b4)); break;
        case 11: flags = order(s.f32CompareQuiet(a4, b4)); break;
        case 14: r = s.i64ToF32(load<i64>(input, 160)); break;
        case 15: eax = <u32>s.f32ToI64(b4, false); break;
        case 16: eax = <u32>s.f32ToI64(b4, true); break;
        default: unreachable();
      }
      wide = (a8 & 0xffffffff00000000) | <u64>r;
    }
  }
  const raised = sseEnd();
  store<u32>(output, load<u32>(input, 224) | raised, 160);
  if ((raised & sseUnmasked) != 0) {
    setFaultVector(19);
    return;
  }
  store<u64>(output, wide, 144);
  store<u64>(cpu, <u64>eax, GPR);
  setArithmeticFlags(flags);
}

function order(o: i32): u32 {
  return o == 2 ? 0x45 : o == 0 ? 0x40 : o == -1 ? 1 : 0;
}
