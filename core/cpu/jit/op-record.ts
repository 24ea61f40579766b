// Decoded instructions as the JIT sees them: op records (core/cpu/isa/layout.ts OP) of the interpreter's blocks, read out
// of a copy, with the handler's name, operand size and form instead of its number.

import { HANDLER_NUMBERS, SUB_NUMBERS } from '../isa/generated/decoder.ts';
import { BLOCK, OP, OPF } from '../isa/layout.ts';

export interface Handler {
  readonly name: string;
  /** Log2 of the operand size in bytes of handlers with variants by size, else 0. */
  readonly size: number;
  readonly isMem: boolean;
  readonly rep: boolean;
}

export interface Op {
  /** Address of the record in WebAssembly memory. */
  readonly address: number;
  readonly handler: Handler;
  readonly length: number;
  readonly flags: number;
  readonly reg: number;
  readonly rm: number;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly seg: number;
  /** Log2 of operand and address size in bytes. */
  readonly size: number;
  readonly addressSize: number;
  readonly rep: number;
  /** Of operands relative to RIP, from the page of the region's head. */
  readonly disp: number;
  readonly immLow: number;
  readonly immHigh: number;
  readonly sub: number;
  /** The next instruction, from the page of the region's head. */
  readonly end: number;
}

/** A copy of one of the interpreter's blocks. */
export interface BlockCopy {
  readonly address: number;
  /** Header, op records and the END record. */
  readonly bytes: Uint8Array;
  /** Where its page lies in linear memory, in bytes from the page of the region's head; a multiple of 4096. */
  readonly page: number;
}

export interface Block {
  readonly address: number;
  /** As in BlockCopy. */
  readonly page: number;
  /** Number of the physical page. */
  readonly physicalPage: number;
  /** First instruction, from the page of the region's head. */
  readonly start: number;
  readonly ops: readonly Op[];
  /** Behind the last instruction. */
  readonly end: number;
}

const LOG2: Readonly<Record<string, number>> = { 8: 0, 16: 1, 32: 2, 64: 3 };
const handlers: Handler[] = [];
for (const [key, number] of Object.entries(HANDLER_NUMBERS)) {
  const [name = '', bits = '', form = ''] = key.split(' ');
  handlers[number] = { name, size: LOG2[bits] ?? 0, isMem: bits === 'mem' || form === 'mem', rep: form === 'rep' };
}
const UNKNOWN: Handler = { name: 'UD', size: 0, isMem: false, rep: false };

/** OP.BASE of operands relative to RIP. */
export const RIP_BASE = 17;

function readOp(view: DataView, at: number, address: number, page: number): Op {
  const sizes = view.getUint8(at + OP.SIZE);
  const base = view.getUint8(at + OP.BASE);
  return {
    address,
    handler: handlers[view.getUint16(at + OP.HANDLER, true)] ?? UNKNOWN,
    length: view.getUint8(at + OP.LENGTH),
    flags: view.getUint8(at + OP.FLAGS),
    reg: view.getUint8(at + OP.REG),
    rm: view.getUint8(at + OP.RM),
    base,
    index: view.getUint8(at + OP.INDEX),
    scale: view.getUint8(at + OP.SCALE),
    seg: view.getUint8(at + OP.SEG),
    size: sizes & 3,
    addressSize: sizes >> 4,
    rep: view.getUint8(at + OP.REP),
    disp: view.getInt32(at + OP.DISP, true) + (base === RIP_BASE ? page : 0),
    immLow: view.getInt32(at + OP.IMM, true),
    immHigh: view.getInt32(at + OP.IMM + 4, true),
    sub: view.getUint32(at + OP.SUB, true),
    end: page + view.getUint16(at + OP.END, true),
  };
}

/** Number of a block's physical page, from the header's PHYS and KEY. */
export function physicalPageOf(phys: number, key: number): number {
  return (phys >>> 12) | ((key >>> 8) << 20);
}

function blockOf({ address, page }: BlockCopy, view: DataView, ops: readonly Op[]): Block {
  const phys = view.getUint32(BLOCK.PHYS, true);
  return { address, page, physicalPage: physicalPageOf(phys, view.getUint32(BLOCK.KEY, true)), start: page + (phys & 0xfff), ops, end: ops.at(-1)?.end ?? 0 };
}

export function readBlock(copy: BlockCopy): Block {
  const { bytes, address, page } = copy;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint16(BLOCK.OPS, true);
  const ops: Op[] = [];
  for (let i = 0; i < count; i++) {
    const at = BLOCK.HEADER_BYTES + i * OP.BYTES;
    ops.push(readOp(view, at, address + at, page));
  }
  return blockOf(copy, view, ops);
}

/** A block of which only the last instruction is read: enough to see where it goes. */
export function readEnd(copy: BlockCopy): Block {
  const { bytes, address, page } = copy;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = BLOCK.HEADER_BYTES + (view.getUint16(BLOCK.OPS, true) - 1) * OP.BYTES;
  return blockOf(copy, view, at < BLOCK.HEADER_BYTES ? [] : [readOp(view, at, address + at, page)]);
}

const sseNames: string[] = [];
for (const [name, number] of Object.entries(SUB_NUMBERS['SSE'] ?? {})) sseNames[number] = name;

const systemNames: string[] = [];
for (const [name, number] of Object.entries(SUB_NUMBERS['SYSTEM'] ?? {})) systemNames[number] = name;

/** Handler name, of SSE and system instructions that of the group and the name inside it. */
export const translationName = (op: Op): string => {
  const { name } = op.handler;
  return name === 'SSE' ? `SSE ${sseNames[op.sub] ?? ''}` : name === 'SYSTEM' ? `SYSTEM ${systemNames[op.sub] ?? ''}` : name;
};

export const isMemory = (op: Op): boolean => (op.flags & OPF.MEM) !== 0;
export const isFlat = (op: Op): boolean => (op.flags & OPF.FLAT) !== 0;

const CONDITIONS = ['O', 'NO', 'B', 'AE', 'E', 'NE', 'BE', 'A', 'S', 'NS', 'P', 'NP', 'L', 'GE', 'LE', 'G'];
const jumps = new Map(CONDITIONS.map((name, cc) => [`J${name}`, cc]));

/** Condition code of Jcc, -1 of everything else. */
export const conditionOfJump = (op: Op): number => jumps.get(op.handler.name) ?? -1;

export type Terminator = 'jump' | 'branch' | 'call' | 'return' | 'jump-indirect' | 'call-indirect' | 'next' | 'system' | 'leave';

/** How a block ends as far as the JIT follows it: `system` in an instruction that the interpreter executes for the region, `leave` is everything else. */
export function terminatorOf(block: Block): Terminator {
  const last = block.ops.at(-1);
  if (last === undefined) return 'leave';
  if ((last.flags & OPF.LAST) === 0) return 'next';
  const { name, size } = last.handler;
  if (name === 'SYSTEM@control' || name === 'POPF@control') return 'system';
  if (size === 1) return 'leave';
  if (conditionOfJump(last) >= 0) return 'branch';
  if (name === 'JMP_J') return 'jump';
  if (name === 'CALL_J') return 'call';
  if (name === 'RET' || name === 'RET_I') return 'return';
  if (name === 'JMP_E') return 'jump-indirect';
  if (name === 'CALL_E') return 'call-indirect';
  return 'leave';
}

/** A direct branch's target, from the page of the region's head. */
export function targetOf(op: Op): number {
  // A displacement that does not fit 32 bits does not exist; the sum may leave the page in either direction.
  return op.end + op.immLow;
}
