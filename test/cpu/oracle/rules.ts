// Which rows the oracle runs, and what of their result the manuals leave open: only what is written here is ignored.

import type { OpcodeRow } from '../../../core/cpu/isa/opcode-row.ts';
import { tokensOf, type Mode } from './encode.ts';
import { FX_AT, GPR_AT, NO_FAULT, RFLAGS_AT, type Result } from './records.ts';
import type { TestCase } from './cases.ts';
import { isStateImage } from './images.ts';

export const FLAG_BITS: Readonly<Record<string, number>> = { o: 0x800, s: 0x80, z: 0x40, a: 0x10, p: 4, c: 1 };

/** CPUID feature names of the opcode table where Linux has another word for them. */
const LINUX_FEATURE: Readonly<Record<string, string>> = {
  sse3: 'pni', sha: 'sha_ni', clfsh: 'clflush', lzcnt: 'abm', cx8: 'cx8', cx16: 'cx16', cmpxchg16b: 'cx16', sse4_1: 'sse4_1', fsgsbase: 'fsgsbase',
};

export const TRANSCENDENTAL = /^f(2xm1|yl2x|yl2xp1|ptan|patan|sin|cos|sincos)$/;

/** Why a row is not run, or undefined when it is. */
export function skipReason(row: OpcodeRow, mode: Mode, features: ReadonlySet<string>): string | undefined {
  if (row.modes === 'no64' && mode === 64) return 'not in 64-bit mode';
  if (row.modes === 'only64' && mode !== 64) return 'only in 64-bit mode';
  if (row.feature !== undefined && !features.has(LINUX_FEATURE[row.feature] ?? row.feature)) return `the host lacks ${row.feature}`;
  const name = row.mnemonic;
  if (/^(cpuid|rdtscp?|rdpmc|rdrand|rdseed|rdpid|xgetbv|monitor|mwait)$/.test(name)) return 'not deterministic, or the model differs';
  if (/^vmm?call$/.test(name)) return 'asks the hypervisor that the host may run on';
  if (/^(syscall|sysenter|int1|int3)$/.test(name)) return 'enters the operating system';
  if (/^(sgdt|sidt|sldt|str|smsw)$/.test(name)) return 'shows tables of the operating system (UMIP)';
  if (/^((rd|wr)[fg]sbase)$/.test(name)) return 'changes a base that the native runner needs';
  if (name === 'sysexit') return 'undefined in long mode on AMD, privileged on Intel';
  if (/^(lfs|lgs)$/.test(name) || (name === 'pop' && /^[FG]S$/.test(row.operands ?? ''))) return 'changes a segment that the native runner needs';
  if (row.sub === 'MOV_SE' || row.handler === 'MOV_SE') return row.reg === 4 || row.reg === 5 ? 'changes a segment that the native runner needs' : undefined;
  if (name === 'into') return 'needs an interrupt table';
  if (row.opcode === 0x0d && row.map === '0f' && row.mod === 'reg') return 'undefined on AMD, a hint on Intel';
  return undefined;
}

/** Undefined arithmetic flags of one case, as a mask of RFLAGS bits. */
export function undefinedFlags(test: TestCase, faulted: boolean): number {
  if (test.openFlags !== undefined) return faulted ? test.openFlags.fault : test.openFlags.end;
  return undefinedFlagsOf(test);
}

/** The same of one instruction. */
export function undefinedFlagsOf(test: TestCase): number {
  const { row, operandBits } = test.encoded;
  let mask = 0;
  for (const letter of row.flagsUndefined ?? '') mask |= FLAG_BITS[letter] ?? 0;
  // AF of shifts and the like is undefined only when they shift: the count is seen below.
  const count = shiftCount(test);
  if (count !== undefined) {
    const bits = /^(E|M)b/.test(row.operands ?? '') ? 8 : operandBits;
    const masked = count & (bits === 64 ? 63 : 31);
    if (masked === 0) return 0;
    if (masked !== 1) mask |= 0x800;
    if (/^sh[lr]/.test(row.mnemonic) && masked >= bits) mask |= 1;
    if (/^sh[lr]d/.test(row.mnemonic) && masked > bits) mask |= 0x8d5;
    // RCL, RCR rotate through CF: counts modulo size + 1 decide OF.
  }
  return mask;
}

function shiftCount(test: TestCase): number | undefined {
  const { row } = test.encoded;
  if (!/^(ro[lr]|rc[lr]|s[ha][lr]|sh[lr]d)$/.test(row.mnemonic)) return undefined;
  if (row.operands?.endsWith(',1') === true) return 1;
  if (row.operands?.endsWith('Ib') === true) return test.code[test.code.length - 1] ?? 0;
  return test.state[GPR_AT + 8] ?? 0;
}

/** True when the manuals leave the destination open as well. */
export function resultUndefined(test: TestCase, host: Result): boolean {
  const { row, operandBits } = test.encoded;
  // Which registers were loaded when the stack came to an end.
  if (row.mnemonic === 'popa') return host.vector !== NO_FAULT;
  const count = shiftCount(test);
  if (count === undefined || !/^sh[lr]d$/.test(row.mnemonic)) return false;
  return (count & (operandBits === 64 ? 63 : 31)) > operandBits;
}

/** True when vendors differ about the x87 part: Intel switches to MMX use for CVTPI2PS with a memory operand, AMD does not. */
function x87Open(test: TestCase): boolean {
  return test.encoded.row.mnemonic === 'cvtpi2ps' && test.encoded.rm === undefined;
}

/**
 * Cases that are not judged: AMD does not check the alignment of SHA operands, the manuals ask for #GP(0); whether masked
 * stores with nothing selected fault is up to the implementation, and so is when MASKMOVQ switches the x87 to MMX use.
 */
export function faultOpen(test: TestCase, host: Result, ours: Result): boolean {
  const name = test.encoded.row.mnemonic;
  if (name.startsWith('sha')) return ours.vector === 13;
  // No I/O at all with a count of zero: AMD checks the permission nevertheless. ARPL that changes nothing need not write.
  if (/^(ins|outs)$/.test(name) && test.encoded.rep) return host.vector === 13 && ours.vector === NO_FAULT;
  // CALL to a non-canonical target with a bad stack: which is found first.
  if (name === 'call') return host.vector === 14 && ours.vector === 13;
  // Alignment checks: their place among page faults; of a segment register's 32-bit slot (see memoryOpen); of x87 stores
  // that an unmasked exception stops.
  if (host.vector === 14 && ours.vector === NO_FAULT && memoryOpen(test, host)) return true;
  // POPF of 16 bits: AMD does not check its alignment.
  if (name === 'popf' && test.encoded.operandBits === 16 && ours.vector === 17) return true;
  if (host.vector === 17) {
    if (ours.vector === 14) return true;
    if (ours.vector === NO_FAULT && (memoryOpen(test, host) || test.encoded.row.handler === 'X87')) return true;
  }
  // MOVSXD to 16 bits reads 32 bits on AMD, 16 by the manual.
  if (name === 'movsxd' && test.encoded.operandBits === 16) return host.vector !== NO_FAULT;
  if (name === 'cmps') return host.vector !== NO_FAULT && ours.vector !== NO_FAULT;
  if (name === 'arpl') return host.vector === NO_FAULT && ours.vector !== NO_FAULT;
  if (name.startsWith('maskmov')) return host.vector !== NO_FAULT;
  // Far pointers, ten bytes and more are accessed in parts: whether the limit or the page is looked at first is open.
  return (isStateImage(name) || /^l[des]s$|^lss$/.test(name) || /M80$|^FB/.test(test.encoded.row.sub ?? '')) && host.vector !== NO_FAULT && ours.vector !== NO_FAULT;
}

/** CR2 of operands that are wider than one access, or of instructions with two: which byte is touched first is open. */
export function faultAddressOpen(test: TestCase): boolean {
  return test.encoded.row.mnemonic === 'cmps' || isStateImage(test.encoded.row.mnemonic);
}

/**
 * PUSH of a segment register: vendors differ about the upper half of a 32-bit slot. ENTER and PUSHA that fault: what
 * was pushed by then.
 */
export function memoryOpen(test: TestCase, host: Result): boolean {
  if (/^(enter|pusha)$/.test(test.encoded.row.mnemonic) && host.vector !== NO_FAULT) return true;
  return test.encoded.row.mnemonic === 'push' && test.encoded.operandBits === 32 && tokensOf(test.encoded.row).some((token) => /^[CDEFGS]S$/.test(token));
}

/** Ranges of a state image in memory, relative to the operand, that are not compared. */
function openMemory(test: TestCase): readonly (readonly [from: number, to: number])[] {
  const sub = test.encoded.row.sub ?? '';
  // x87 pointers (see normalize) and MXCSR_MASK.
  if (sub === 'FXSAVE' || sub.startsWith('XSAVE')) return [[6, 24], [28, 32]];
  return [];
}

/** Writes the bytes of a result's data pages that are compared into `pages`, which hold what the case began with. */
export function comparedMemory(test: TestCase, result: Result, pages: Uint8Array): boolean {
  const open = openMemory(test);
  if (open.length === 0) return false;
  pages.set(result.changed, result.changedOffset);
  for (const [from, to] of open) pages.fill(0, test.patchOffset + from, test.patchOffset + to);
  return true;
}

/** Clears what is not compared, in a host result and in ours alike. */
export function normalize(state: Uint8Array, test: TestCase, faulted: boolean): void {
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
  view.setBigUint64(RFLAGS_AT, view.getBigUint64(RFLAGS_AT, true) & 0x247ed5n & ~BigInt(undefinedFlags(test, faulted)), true);
  // Last instruction, operand and opcode of the x87: AMD keeps them only while an exception is pending.
  state.fill(0, FX_AT + 6, FX_AT + 24);
  // MXCSR_MASK differs between processors.
  state.fill(0, FX_AT + 28, FX_AT + 32);
  for (let i = 0; i < 8; i++) state.fill(0, FX_AT + 42 + i * 16, FX_AT + 48 + i * 16);
  state.fill(0, FX_AT + 416, FX_AT + 512);
  // C1 tells which way a transcendental result was rounded.
  if (TRANSCENDENTAL.test(test.encoded.row.mnemonic)) view.setUint16(FX_AT + 2, view.getUint16(FX_AT + 2, true) & ~0x200, true);
  if (x87Open(test)) {
    state.fill(0, FX_AT, FX_AT + 24);
    state.fill(0, FX_AT + 32, FX_AT + 160);
  }
  // LAR: bits 16-19 are undefined.
  if (test.encoded.row.mnemonic === 'lar' && test.encoded.reg !== undefined) {
    const at = GPR_AT + test.encoded.reg * 8;
    view.setUint32(at, view.getUint32(at, true) & ~0xf0000, true);
  }
  // The upper half of RSP is lost on the way from 64-bit code to compatibility code.
  if (/^(callf|jmpf|retf|iret)$/.test(test.encoded.row.mnemonic)) view.setUint32(GPR_AT + 4 * 8 + 4, 0, true);
  if (test.mode !== 64) for (let i = 0; i < 8; i++) view.setUint32(GPR_AT + i * 8 + 4, 0, true);
}

/** Magnitude of a normal extended number as an integer: neighbours differ by one, also over a power of two. */
function placeOf(view: DataView): bigint {
  return (BigInt(view.getUint16(8, true) & 0x7fff) << 63n) | (view.getBigUint64(0, true) & ((1n << 63n) - 1n));
}

/**
 * Results that are approximations by their definition. RCP and RSQRT give about 12 bits that every processor chooses for
 * itself: |relative error| <= 1.5 * 2^-12. Transcendental functions of the x87 are good to one unit in the last place.
 */
export function approximation(test: TestCase, host: Uint8Array, ours: Uint8Array): boolean {
  const a = new DataView(host.buffer, host.byteOffset, 16);
  const b = new DataView(ours.buffer, ours.byteOffset, 16);
  if (TRANSCENDENTAL.test(test.encoded.row.mnemonic)) {
    const distance = placeOf(a) - placeOf(b);
    return a.getUint16(8, true) >> 15 === b.getUint16(8, true) >> 15 && distance >= -2n && distance <= 2n;
  }
  if (!/^r(cp|sqrt)[ps]s$/.test(test.encoded.row.mnemonic)) return false;
  for (let i = 0; i < 16; i += 4) {
    const x = a.getFloat32(i, true);
    const y = b.getFloat32(i, true);
    if (a.getUint32(i, true) === b.getUint32(i, true)) continue;
    if (!(Math.abs(x - y) <= Math.abs(y) * 2 * 1.5 * 2 ** -12)) return false;
  }
  return true;
}
