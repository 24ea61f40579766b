// SSE under the control of CR0, CR4 and XCR0, which the host-CPU oracle cannot change: #UD, #NM, #XM, and the state
// instructions at both privilege levels. Intel SDM volume 3 chapter 13, volume 1 chapter 13.

import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestCase } from './oracle/cases.ts';
import type { Encoded } from './oracle/encode.ts';
import { InterpreterEngine } from './oracle/interpreter.ts';
import { inEveryJitMode } from '../support/jit-modes.ts';
import { DATA_AT, FLAT_DATA, FX_AT, GPR_AT, NO_FAULT, RECORD_BYTES, RFLAGS_AT, SEGMENTS_AT, type Result } from './oracle/records.ts';

const WASM = new URL('../../dist/interp.wasm', import.meta.url);
const UD = 6;
const NM = 7;
const GP = 13;
const XM = 19;
const CR0 = 0x80050033;
const CR0_EM = 4;
const CR0_TS = 8;
const CR4 = 0x40620;
const OSFXSR = 0x200;
const OSXMMEXCPT = 0x400;
const OSXSAVE = 0x40000;
const MXCSR_AT = FX_AT + 24;
const XMM_AT = FX_AT + 160;

// Instructions with [RBX] as memory operand; RBX points to 64-byte aligned data.
const ADDPS = '0f58c1';
const DIVSS = 'f30f5ec1';
const MOVNTI = '0fc303';
const CRC32 = 'f20f38f1c3';
const SFENCE = '0faef8';
const CLFLUSH = '0fae3b';
const PREFETCH = '0f180b';
const FXSAVE = '0fae03';
const FXRSTOR = '0fae0b';
const XSAVE = '0fae23';
const XRSTOR = '0fae2b';
const XSAVEOPT = '0fae33';
const XGETBV = '0f01d0';
const XSETBV = '0f01d1';

inEveryJitMode(() => {
describe('SSE and control registers', () => {
  let engine: InterpreterEngine;
  let patch: Uint8Array;
  let state: Uint8Array;
  let view: DataView;

  beforeAll(() => {
    engine = new InterpreterEngine(WASM);
  });

  beforeEach(() => {
    patch = new Uint8Array(0);
    state = new Uint8Array(RECORD_BYTES);
    view = new DataView(state.buffer);
    for (let i = 0; i < 16; i++) view.setBigUint64(GPR_AT + i * 8, BigInt(DATA_AT + 0x400), true);
    view.setBigUint64(RFLAGS_AT, 0x202n, true);
    for (let i = 0; i < 3; i++) view.setUint16(SEGMENTS_AT + 2 * i, FLAT_DATA, true);
    view.setUint16(FX_AT, 0x37f, true);
    view.setUint32(MXCSR_AT, 0x1f80, true);
    engine.setControl('CR0', CR0);
    engine.setControl('CR4', CR4);
    engine.setControl('XCR0', 3);
    engine.setControl('CPL', 3);
  });

  function run(code: string): Result {
    const encoded = { rep: false, row: { map: '1', opcode: 0, mnemonic: '', handler: 'SSE' } } as unknown as Encoded;
    const test: TestCase = { mode: 64, code: Buffer.from(code, 'hex'), state, patchOffset: 0x400, patch, encoded };
    return engine.run(test);
  }

  function resultView(result: Result): DataView {
    return new DataView(result.state.buffer, result.state.byteOffset, result.state.byteLength);
  }

  it('needs CR4.OSFXSR and CR0.EM clear, else #UD', () => {
    expect(run(ADDPS).vector).toBe(NO_FAULT);
    engine.setControl('CR4', CR4 & ~OSFXSR);
    expect(run(ADDPS).vector).toBe(UD);
    engine.setControl('CR4', CR4);
    engine.setControl('CR0', CR0 | CR0_EM | CR0_TS);
    expect(run(ADDPS).vector).toBe(UD);
  });

  it('raises #NM when CR0.TS is set', () => {
    engine.setControl('CR0', CR0 | CR0_TS);
    expect(run(ADDPS).vector).toBe(NM);
  });

  it('leaves instructions without XMM registers alone', () => {
    engine.setControl('CR0', CR0 | CR0_EM | CR0_TS);
    engine.setControl('CR4', CR4 & ~OSFXSR);
    for (const code of [MOVNTI, CRC32, SFENCE, CLFLUSH, PREFETCH]) expect(run(code).vector, code).toBe(NO_FAULT);
  });

  it('delivers an unmasked exception as #XM without changing the destination', () => {
    // 1.0 / 0.0 with ZM clear.
    view.setUint32(MXCSR_AT, 0x1d80, true);
    view.setUint32(XMM_AT, 0x3f800000, true);
    const result = run(DIVSS);
    expect(result.vector).toBe(XM);
    expect(resultView(result).getUint32(XMM_AT, true)).toBe(0x3f800000);
    expect(resultView(result).getUint32(MXCSR_AT, true)).toBe(0x1d84);
  });

  it('delivers it as #UD when the system does not expect #XM', () => {
    engine.setControl('CR4', CR4 & ~OSXMMEXCPT);
    view.setUint32(MXCSR_AT, 0x1d80, true);
    view.setUint32(XMM_AT, 0x3f800000, true);
    expect(run(DIVSS).vector).toBe(UD);
  });

  it('FXSAVE and FXRSTOR raise #NM for EM and TS, and need no OSFXSR', () => {
    engine.setControl('CR4', CR4 & ~OSFXSR);
    expect(run(FXSAVE).vector).toBe(NO_FAULT);
    for (const bit of [CR0_EM, CR0_TS]) {
      engine.setControl('CR0', CR0 | bit);
      expect(run(FXSAVE).vector).toBe(NM);
      expect(run(FXRSTOR).vector).toBe(NM);
    }
  });

  it('FXSAVE shows the MXCSR bits that may be set', () => {
    patch = new Uint8Array(512).fill(0xaa);
    const result = run(FXSAVE);
    const image = new Uint8Array(512).fill(0xaa);
    image.set(result.changed, result.changedOffset - 0x400);
    expect(new DataView(image.buffer).getUint32(28, true)).toBe(0xffff);
    // The last 96 bytes belong to software.
    expect([...image.subarray(416)].every((byte) => byte === 0xaa)).toBe(true);
  });

  it('the XSAVE family needs CR4.OSXSAVE, else #UD, and TS clear, else #NM', () => {
    for (const code of [XSAVE, XRSTOR, XSAVEOPT]) {
      engine.setControl('CR0', CR0 | CR0_TS);
      expect(run(code).vector, code).toBe(NM);
      engine.setControl('CR4', CR4 & ~OSXSAVE);
      expect(run(code).vector, code).toBe(UD);
      engine.setControl('CR4', CR4);
    }
    engine.setControl('CR4', CR4 & ~OSXSAVE);
    expect(run(XGETBV).vector).toBe(UD);
    expect(run(XSETBV).vector).toBe(UD);
  });

  it('XGETBV reads XCR0 and nothing else', () => {
    view.setBigUint64(GPR_AT + 8, 0n, true);
    const result = run(XGETBV);
    expect(result.vector).toBe(NO_FAULT);
    expect(resultView(result).getBigUint64(GPR_AT, true)).toBe(3n);
    expect(resultView(result).getBigUint64(GPR_AT + 16, true)).toBe(0n);
    view.setBigUint64(GPR_AT + 8, 1n, true);
    expect(run(XGETBV).vector).toBe(GP);
  });

  it('XSETBV is for CPL 0 and for values that make sense', () => {
    const set = (value: bigint, ecx = 0n, edx = 0n): number => {
      view.setBigUint64(GPR_AT, value, true);
      view.setBigUint64(GPR_AT + 8, ecx, true);
      view.setBigUint64(GPR_AT + 16, edx, true);
      return run(XSETBV).vector;
    };
    expect(set(1n)).toBe(GP);
    engine.setControl('CPL', 0);
    expect(set(1n)).toBe(NO_FAULT);
    expect(engine.getControl('XCR0')).toBe(1);
    for (const bad of [0n, 2n, 7n, 0x203n]) expect(set(bad), String(bad)).toBe(GP);
    expect(set(3n, 1n)).toBe(GP);
    expect(set(3n, 0n, 1n)).toBe(GP);
    expect(engine.getControl('XCR0')).toBe(1);
    expect(set(3n)).toBe(NO_FAULT);
    expect(engine.getControl('XCR0')).toBe(3);
  });

  it('XSAVE writes what XCR0 and EDX:EAX select', () => {
    engine.setControl('XCR0', 1);
    view.setBigUint64(GPR_AT, 0xffffffffn, true);
    view.setBigUint64(GPR_AT + 16, 0xffffffffn, true);
    view.setUint32(XMM_AT, 0x12345678, true);
    patch = new Uint8Array(576);
    const image = new Uint8Array(576);
    const result = run(XSAVE);
    image.set(result.changed, result.changedOffset - 0x400);
    const saved = new DataView(image.buffer);
    expect(saved.getUint16(0, true)).toBe(0x37f);
    expect(saved.getUint32(24, true)).toBe(0);
    expect(saved.getUint32(160, true)).toBe(0);
    expect(saved.getUint32(512, true) & ~1).toBe(0);
  });

  it('XRSTOR refuses components that XCR0 has not', () => {
    engine.setControl('XCR0', 1);
    patch = new Uint8Array(576);
    view.setBigUint64(GPR_AT, 1n, true);
    expect(run(XRSTOR).vector).toBe(NO_FAULT);
    new DataView(patch.buffer).setUint32(512, 2, true);
    expect(run(XRSTOR).vector).toBe(GP);
  });
});
});
