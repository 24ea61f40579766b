// Runs case records (fpu-cases.ts) as instructions on the whole processor, interpreted or with the JIT: decoder, main loop and
// compiled code are between the record and the functions that fpu-module.ts runs alone.

import type { TestCase } from '../oracle/cases.ts';
import type { Encoded } from '../oracle/encode.ts';
import type { InterpreterEngine } from '../oracle/interpreter.ts';
import { DATA_AT, FLAT_DATA, FX_AT, GPR_AT, NO_FAULT, RECORD_BYTES, RFLAGS_AT, SEGMENTS_AT, type Result } from '../oracle/records.ts';
import { IN, OUT } from './fpu-cases.ts';

/** The memory operand in the engine's data pages; RDI points to it. */
const OPERAND = 0x400;
const OPERAND_BYTES = 16;
const RAX = GPR_AT;
const RDI = GPR_AT + 7 * 8;
const MXCSR_AT = FX_AT + 24;
const ST_AT = FX_AT + 32;
const XMM_AT = FX_AT + 160;
const ARITHMETIC = 0x8d5;
/** Only the handler of an encoding is looked at here, and only for segments. */
const ENCODED = { rep: false, row: { map: '1', opcode: 0, mnemonic: '', handler: 'X87' } } as unknown as Encoded;

/** @returns result records as runOurs() does */
export function runOnProcessor(engine: InterpreterEngine, cases: Uint8Array, count: number): Uint8Array {
  const results = new Uint8Array(count * OUT.BYTES);
  for (let i = 0; i < count; i++) {
    const record = cases.subarray(i * IN.BYTES, (i + 1) * IN.BYTES);
    writeResult(results.subarray(i * OUT.BYTES, (i + 1) * OUT.BYTES), record, engine.run(testCase(record)));
  }
  return results;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function testCase(record: Uint8Array): TestCase {
  const from = viewOf(record);
  const state = new Uint8Array(RECORD_BYTES);
  const view = viewOf(state);
  view.setUint32(RAX, from.getUint32(IN.EAX, true), true);
  view.setBigUint64(RDI, BigInt(DATA_AT + OPERAND), true);
  view.setUint32(RFLAGS_AT, 0x202 | from.getUint32(IN.EFLAGS, true), true);
  for (let i = 0; i < 3; i++) view.setUint16(SEGMENTS_AT + 2 * i, FLAT_DATA, true);
  view.setUint16(FX_AT, from.getUint16(IN.FSAVE, true), true);
  view.setUint16(FX_AT + 2, from.getUint16(IN.FSAVE + 4, true), true);
  const tags = from.getUint16(IN.FSAVE + 8, true);
  for (let i = 0; i < 8; i++) {
    if (((tags >> (2 * i)) & 3) !== 3) view.setUint8(FX_AT + 4, view.getUint8(FX_AT + 4) | (1 << i));
    state.set(record.subarray(IN.FSAVE + 28 + i * 10, IN.FSAVE + 38 + i * 10), ST_AT + i * 16);
  }
  view.setUint32(MXCSR_AT, from.getUint32(IN.MXCSR, true), true);
  state.set(record.subarray(IN.XMM0, IN.XMM0 + 32), XMM_AT);
  return {
    mode: 64, code: record.slice(IN.CODE, IN.CODE + (record[IN.LENGTH] ?? 0)), state, patchOffset: OPERAND, patch: record.slice(IN.MEMORY, IN.MEMORY + OPERAND_BYTES), encoded: ENCODED,
  };
}

function writeResult(out: Uint8Array, record: Uint8Array, result: Result): void {
  const to = viewOf(out);
  const view = viewOf(result.state);
  const status = view.getUint16(FX_AT + 2, true);
  to.setUint32(OUT.FSAVE, view.getUint16(FX_AT, true), true);
  to.setUint32(OUT.FSAVE + 4, status, true);
  let tags = 0;
  for (let i = 0; i < 8; i++) {
    out.set(result.state.subarray(ST_AT + i * 16, ST_AT + i * 16 + 10), OUT.FSAVE + 28 + i * 10);
    const slot = ((status >> 11) + i) & 7;
    const tag = ((view.getUint8(FX_AT + 4) >> slot) & 1) === 0 ? 3 : tagOf(view, ST_AT + i * 16);
    tags |= tag << (2 * slot);
  }
  to.setUint32(OUT.FSAVE + 8, tags, true);
  to.setUint32(OUT.EFLAGS, view.getUint32(RFLAGS_AT, true) & ARITHMETIC, true);
  out.set(record.subarray(IN.MEMORY, IN.MEMORY + OPERAND_BYTES), OUT.MEMORY);
  for (let i = 0; i < result.changed.length; i++) {
    const at = result.changedOffset + i - OPERAND;
    if (at >= 0 && at < OPERAND_BYTES) out[OUT.MEMORY + at] = result.changed[i] ?? 0;
  }
  out.set(result.state.subarray(XMM_AT, XMM_AT + 16), OUT.XMM0);
  to.setUint32(OUT.MXCSR, view.getUint32(MXCSR_AT, true), true);
  to.setUint32(OUT.EAX, view.getUint32(RAX, true), true);
  to.setUint32(OUT.STATUS, result.vector === NO_FAULT ? 0 : result.vector, true);
}

/** Tag of a register that is not empty: 0 valid, 1 zero, 2 anything else (Intel SDM volume 1, 8.1.7). */
function tagOf(view: DataView, at: number): number {
  const exponent = view.getUint16(at + 8, true) & 0x7fff;
  const significand = view.getBigUint64(at, true);
  if (exponent === 0) return significand === 0n ? 1 : 2;
  return exponent === 0x7fff || significand >> 63n === 0n ? 2 : 0;
}
