// Compares two results of a case and writes reproducible reports.

import type { TestCase } from './cases.ts';
import {
  CODE_START, DATA_AT, DATA_BYTES, dataPattern, FX_AT, GPR_AT, NO_FAULT, READ_ONLY_BYTES, RECORD_BYTES, RFLAGS_AT, SEGMENTS_AT,
  type Result,
} from './records.ts';
import { approximation, comparedMemory, faultAddressOpen, faultOpen, memoryOpen, normalize, resultUndefined } from './rules.ts';

const GPR_NAMES = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];
const SEGMENT_NAMES = ['es', 'ss', 'ds', 'cs'];
const PF = 14;

/** Null selectors are all one: an interrupt of the host may clear their RPL (IRET, Intel SDM volume 2). */
function selectorOf(state: DataView, index: number): number {
  const selector = state.getUint16(SEGMENTS_AT + index * 2, true);
  return selector < 4 ? 0 : selector;
}

/** What differs, in words; empty when the results agree. */
export function differences(test: TestCase, host: Result, ours: Result): string[] {
  const list: string[] = [];
  if (faultOpen(test, host, ours)) return [];
  if (host.vector !== ours.vector) {
    return [`exception ${vectorName(host.vector)} on the host, ${vectorName(ours.vector)} here`];
  }
  if (host.vector !== NO_FAULT) {
    const open = host.vector === PF && presenceOpen(host.cr2) ? 1 : 0;
    if ((host.error | open) !== (ours.error | open)) list.push(`error code ${host.error} on the host, ${ours.error} here`);
    if (host.vector === PF && host.cr2 !== ours.cr2 && !faultAddressOpen(test)) list.push(`CR2 ${hex(host.cr2)} on the host, ${hex(ours.cr2)} here`);
  }
  if (host.rip !== ours.rip) list.push(`RIP ${hex(host.rip)} on the host, ${hex(ours.rip)} here`);
  const a = host.state;
  const b = ours.state;
  normalize(a, test, host.vector !== NO_FAULT);
  normalize(b, test, host.vector !== NO_FAULT);
  const view = new DataView(a.buffer, a.byteOffset, a.byteLength);
  const other = new DataView(b.buffer, b.byteOffset, b.byteLength);
  if (!resultUndefined(test, host)) {
    for (let i = 0; i < (test.mode === 64 ? 16 : 8); i++) {
      const x = view.getBigUint64(GPR_AT + i * 8, true);
      const y = other.getBigUint64(GPR_AT + i * 8, true);
      if (x !== y) list.push(`${GPR_NAMES[i] ?? ''} ${hex(x)} on the host, ${hex(y)} here`);
    }
    for (const [i, name] of SEGMENT_NAMES.entries()) {
      const x = selectorOf(view, i);
      const y = selectorOf(other, i);
      if (x !== y) list.push(`${name} ${hex(x)} on the host, ${hex(y)} here`);
    }
    const x = view.getUint32(RFLAGS_AT, true);
    const y = other.getUint32(RFLAGS_AT, true);
    if (x !== y) list.push(`flags ${flagNames(x)} on the host, ${flagNames(y)} here`);
    if (!memoryOpen(test, host) && !sameMemory(test, host, ours)) {
      list.push(`memory ${memoryText(host)} on the host, ${memoryText(ours)} here`);
    }
  }
  if (Buffer.compare(a.subarray(FX_AT, RECORD_BYTES), b.subarray(FX_AT, RECORD_BYTES)) !== 0) compareFx(test, view, other, list);
  return list;
}

/** Where "not present" or "protected" depends on the host: its own mappings, and a read-only page that it may have reclaimed. */
function presenceOpen(cr2: bigint): boolean {
  return cr2 >= 0x500000000000n || (cr2 >= BigInt(DATA_AT + DATA_BYTES) && cr2 < BigInt(DATA_AT + DATA_BYTES + READ_ONLY_BYTES));
}

function sameMemory(test: TestCase, host: Result, ours: Result): boolean {
  if (host.changedOffset === ours.changedOffset && Buffer.compare(host.changed, ours.changed) === 0) return true;
  const a = new Uint8Array(DATA_BYTES + READ_ONLY_BYTES);
  const b = new Uint8Array(DATA_BYTES + READ_ONLY_BYTES);
  for (const pages of [a, b]) {
    pages.set(dataPattern());
    pages.set(test.patch, test.patchOffset);
  }
  return comparedMemory(test, host, a) && comparedMemory(test, ours, b) && Buffer.compare(a, b) === 0;
}

function compareFx(test: TestCase, host: DataView, ours: DataView, list: string[]): void {
  const fields: readonly [string, number][] = [['fcw', 0], ['fsw', 2], ['ftw', 4]];
  for (const [name, at] of fields) {
    const x = host.getUint16(FX_AT + at, true);
    const y = ours.getUint16(FX_AT + at, true);
    if (x !== y) list.push(`${name} ${hex(x)} on the host, ${hex(y)} here`);
  }
  const x = host.getUint32(FX_AT + 24, true);
  const y = ours.getUint32(FX_AT + 24, true);
  if (x !== y) list.push(`mxcsr ${hex(x)} on the host, ${hex(y)} here`);
  for (let i = 0; i < 24; i++) {
    const at = FX_AT + 32 + i * 16;
    const p = bytesAt(host, at);
    const q = bytesAt(ours, at);
    if (Buffer.compare(p, q) === 0) continue;
    if (approximation(test, p, q)) continue;
    list.push(`${i < 8 ? `st${i}` : `xmm${i - 8}`} ${backwards(p)} on the host, ${backwards(q)} here`);
  }
}

function bytesAt(view: DataView, at: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, 16);
}

function backwards(bytes: Uint8Array): string {
  return Buffer.from(bytes).reverse().toString('hex');
}

function hex(value: bigint | number): string {
  return value.toString(16);
}

function vectorName(vector: number): string {
  return vector === NO_FAULT ? 'none' : `#${vector}`;
}

function flagNames(flags: number): string {
  const names: readonly [number, string][] = [[0x800, 'O'], [0x400, 'D'], [0x80, 'S'], [0x40, 'Z'], [0x10, 'A'], [4, 'P'], [1, 'C']];
  return `[${names.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name).join('')}]`;
}

function memoryText(result: Result): string {
  if (result.changed.length === 0) return 'unchanged';
  return `${hex(DATA_AT + result.changedOffset)}: ${Buffer.from(result.changed.subarray(0, 32)).toString('hex')}${result.changed.length > 32 ? `… (${result.changed.length} bytes)` : ''}`;
}

/** All that is needed to run the case again by hand. */
export function describe(test: TestCase, problems: readonly string[]): string {
  const { row } = test.encoded;
  const view = new DataView(test.state.buffer, test.state.byteOffset, test.state.byteLength);
  const what = test.parts?.map((part) => `${part.row.mnemonic} ${part.row.operands ?? ''} [${Buffer.from(part.code).toString('hex')}]`).join('; ');
  const lines = [
    what !== undefined ? `sequence, ${test.mode}-bit: ${what}` : `${row.mnemonic} ${row.operands ?? ''} (${row.map} ${row.opcode.toString(16)}${row.reg === undefined ? '' : `/${row.reg}`}${row.prefix === undefined ? '' : ` ${row.prefix}`}), ${test.mode}-bit, bytes ${Buffer.from(test.code).toString('hex')}`,
    ...problems.map((problem) => `  ${problem}`),
    `  before: ${Array.from({ length: test.mode === 64 ? 16 : 8 }, (_, i) => `${GPR_NAMES[i] ?? ''}=${hex(view.getBigUint64(GPR_AT + i * 8, true))}`).join(' ')} flags=${flagNames(view.getUint32(RFLAGS_AT, true))}`,
    `  code at ${hex(CODE_START)}, memory ${hex(DATA_AT + test.patchOffset)}: ${Buffer.from(test.patch.subarray(0, 64)).toString('hex')}`,
  ];
  if (test.parts !== undefined || row.handler === 'SSE' || row.handler === 'MMX' || row.handler === 'X87') {
    const names = test.parts !== undefined ? Array.from({ length: 24 }, (_, i) => i) : row.handler === 'SSE' ? Array.from({ length: test.mode === 64 ? 16 : 8 }, (_, i) => i + 8) : [0, 1, 2, 3, 4, 5, 6, 7];
    const st = names.map((i) => `${i < 8 ? `st${i}` : `xmm${i - 8}`}=${backwards(bytesAt(view, FX_AT + 32 + i * 16))}`);
    lines.push(`  fcw=${hex(view.getUint16(FX_AT, true))} fsw=${hex(view.getUint16(FX_AT + 2, true))} ftw=${hex(view.getUint8(FX_AT + 4))} mxcsr=${hex(view.getUint32(FX_AT + 24, true))}`, `  ${st.join(' ')}`);
  }
  return lines.join('\n');
}
