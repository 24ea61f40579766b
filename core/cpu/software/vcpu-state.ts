// Converts between a software vCPU's register file and the canonical CpuState that all engines share. Cold code: BigInt is fine here.

import { NestboxError } from '../../base/errors.ts';
import { z } from 'zod';
import type { CpuState, SegmentState } from '../contract.ts';
import { ALL_FEATURES } from '../isa/cpuid.ts';
import { EVENT, offsetOf } from '../isa/layout.ts';
import { CORE_MSRS } from '../isa/msr.ts';

const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;
const ACTIVITIES = ['running', 'halted', 'mwait', 'wait-for-sipi', 'shutdown'] as const;
const MODE_64 = 2;
/** B0-B3, BS and BT of DR6. */
const DR6_TRAPS = 0xc00f;
const DR6_BS = 0x4000;
const FLAG_RF = 0x10000;
/** Bits of STEP_STATE: what held when the last instruction began (core/cpu/interp/assembly/eflags.ts). */
const STEP_TF = 1;
const STEP_RF = 2;
const STEP_SHADOW = 4;
const SHADOW_MOV_SS = 2;
/** Segments whose base is set aside in 64-bit code. */
const SAVED_BASES = 4;
const FXSAVE_BYTES = 512;
const TAG_EMPTY = 3;
const MXCSR_MASK = 0xffff;

const u64 = z.bigint().min(0n).max(0xffff_ffff_ffff_ffffn);
const u32 = z.int().min(0).max(0xffffffff);
const segmentSchema = z.strictObject({ selector: z.int().min(0).max(0xffff), base: u64, limit: u32, access: u32 });
const tableSchema = z.strictObject({ base: u64, limit: z.int().min(0).max(0xffff) });
const stateSchema = z.strictObject({
  version: z.literal(1),
  gpr: z.array(u64).length(16),
  rip: u64,
  rflags: u64,
  segments: z.strictObject({ es: segmentSchema, cs: segmentSchema, ss: segmentSchema, ds: segmentSchema, fs: segmentSchema, gs: segmentSchema, ldtr: segmentSchema, tr: segmentSchema }),
  gdtr: tableSchema,
  idtr: tableSchema,
  cr0: u64,
  cr2: u64,
  cr3: u64,
  cr4: u64,
  efer: u64,
  xcr0: u64,
  dr: z.array(u64).length(8),
  msrs: z.array(z.tuple([u32, u64])).max(CORE_MSRS.length),
  fxsave: z.instanceof(Uint8Array).refine((bytes) => bytes.length === FXSAVE_BYTES, 'expected 512 bytes'),
  activity: z.enum(ACTIVITIES),
  interruptShadow: z.union([z.literal(0), z.literal(1), z.literal(2)]),
  pendingDebug: z.int().min(0).max(0xffff).refine((bits) => (bits & ~DR6_TRAPS) === 0, 'expected bits 0-3, 14 and 15').optional(),
  nmiBlocked: z.boolean(),
  nmiPending: z.boolean(),
  instructions: z.number().int().min(0).max(2 ** 53),
  cpl: z.int().min(0).max(3),
  identity: z.strictObject({ features: z.array(z.enum(ALL_FEATURES)).max(ALL_FEATURES.length), tscHz: z.int().min(1e6).max(1e11) }).optional(),
});

/** Register file of one vCPU as typed fields. */
export class RegisterFile {
  readonly view: DataView;
  readonly base: number;

  constructor(buffer: SharedArrayBuffer, base: number) {
    this.view = new DataView(buffer);
    this.base = base;
  }

  get32(name: string, index = 0): number {
    return this.view.getUint32(this.base + offsetOf(name, index), true);
  }

  set32(name: string, value: number, index = 0): void {
    this.view.setUint32(this.base + offsetOf(name, index), value, true);
  }

  get64(name: string, index = 0): bigint {
    return this.view.getBigUint64(this.base + offsetOf(name, index), true);
  }

  set64(name: string, value: bigint, index = 0): void {
    this.view.setBigUint64(this.base + offsetOf(name, index), value, true);
  }

  getNumber(name: string): number {
    return this.view.getFloat64(this.base + offsetOf(name), true);
  }

  setNumber(name: string, value: number): void {
    this.view.setFloat64(this.base + offsetOf(name), value, true);
  }

  bytes(name: string, index: number, length: number): Uint8Array {
    return new Uint8Array(this.view.buffer, this.base + offsetOf(name, index), length);
  }
}

function readSegment(file: RegisterFile, index: number): SegmentState {
  const saved = index < SAVED_BASES && (file.get32('CODE_MODE') & 3) === MODE_64;
  return {
    selector: file.get32('SEG_SELECTOR', index) & 0xffff,
    base: file.get64(saved ? 'SEG_SAVED_BASE' : 'SEG_BASE', index),
    limit: file.get32('SEG_LIMIT', index),
    access: file.get32('SEG_ACCESS', index),
  };
}

/** The FXSAVE64 image (SDM volume 1, table 10-2) of the register file's FPU and SSE state. */
function readFxsave(file: RegisterFile): Uint8Array {
  const image = new Uint8Array(FXSAVE_BYTES);
  const view = new DataView(image.buffer);
  const top = file.get32('FPU_TOP') & 7;
  const tags = file.get32('FPU_TAG');
  view.setUint16(0, file.get32('FPU_CW'), true);
  view.setUint16(2, (file.get32('FPU_SW') & ~0x3800) | (top << 11), true);
  let abridged = 0;
  for (let i = 0; i < 8; i++) if (((tags >> (i * 2)) & 3) !== TAG_EMPTY) abridged |= 1 << i;
  image[4] = abridged;
  view.setUint16(6, file.get32('FPU_OPCODE'), true);
  view.setBigUint64(8, file.get64('FPU_IP'), true);
  view.setBigUint64(16, file.get64('FPU_DP'), true);
  view.setUint32(24, file.get32('MXCSR'), true);
  view.setUint32(28, MXCSR_MASK, true);
  for (let i = 0; i < 8; i++) image.set(file.bytes('FPU_REG', (top + i) & 7, 10), 32 + i * 16);
  for (let i = 0; i < 16; i++) image.set(file.bytes('XMM', i, 16), 160 + i * 16);
  return image;
}

function writeFxsave(file: RegisterFile, image: Uint8Array): void {
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  const status = view.getUint16(2, true);
  const top = (status >> 11) & 7;
  file.set32('FPU_CW', view.getUint16(0, true) | 0x40);
  file.set32('FPU_SW', status & ~0x3800);
  file.set32('FPU_TOP', top);
  let tags = 0;
  for (let i = 0; i < 8; i++) if (((image[4] ?? 0) & (1 << i)) === 0) tags |= TAG_EMPTY << (i * 2);
  file.set32('FPU_TAG', tags);
  file.set32('FPU_OPCODE', view.getUint16(6, true) & 0x7ff);
  file.set64('FPU_IP', view.getBigUint64(8, true));
  file.set64('FPU_DP', view.getBigUint64(16, true));
  file.set32('MXCSR', view.getUint32(24, true) & MXCSR_MASK);
  for (let i = 0; i < 8; i++) file.bytes('FPU_REG', (top + i) & 7, 10).set(image.subarray(32 + i * 16, 42 + i * 16));
  for (let i = 0; i < 16; i++) file.bytes('XMM', i, 16).set(image.subarray(160 + i * 16, 176 + i * 16));
}

/** Debug traps, shadow and RF as they are for the next instruction, although the boundary before it was not looked at yet. */
function readBoundary(file: RegisterFile, eflags: number): Pick<CpuState, 'interruptShadow' | 'pendingDebug' | 'rflags'> {
  const step = file.get32('STEP_STATE');
  const shadow = (step & STEP_SHADOW) === 0 ? (Math.min(2, file.get32('SHADOW')) as 0 | 1 | 2) : 0;
  const single = (step & STEP_TF) !== 0 && shadow !== SHADOW_MOV_SS ? DR6_BS : 0;
  const pendingDebug = (file.get32('DEBUG_PENDING') | single) & DR6_TRAPS;
  return {
    rflags: BigInt(((step & STEP_RF) === 0 ? eflags : eflags & ~FLAG_RF) >>> 0),
    interruptShadow: shadow,
    ...(pendingDebug === 0 ? {} : { pendingDebug }),
  };
}

export function readCpuState(file: RegisterFile, eflags: number, instructions: number): CpuState {
  const events = file.get32('EVENTS') | file.get32('EVENTS_HELD');
  const segments = Object.fromEntries(SEGMENTS.map((name, index) => [name, readSegment(file, index)])) as CpuState['segments'];
  return {
    version: 1,
    gpr: Array.from({ length: 16 }, (_, i) => file.get64('GPR', i)),
    rip: file.get64('RIP'),
    ...readBoundary(file, eflags),
    segments,
    gdtr: { base: file.get64('GDTR_BASE'), limit: file.get32('GDTR_LIMIT') },
    idtr: { base: file.get64('IDTR_BASE'), limit: file.get32('IDTR_LIMIT') },
    cr0: file.get64('CR0'),
    cr2: file.get64('CR2'),
    cr3: file.get64('CR3'),
    cr4: file.get64('CR4'),
    efer: file.get64('EFER'),
    xcr0: file.get64('XCR0'),
    dr: Array.from({ length: 8 }, (_, i) => file.get64('DR', i)),
    msrs: CORE_MSRS.map((msr) => [msr.index, file.get64(msr.field, msr.element ?? 0)] as const),
    fxsave: readFxsave(file),
    activity: ACTIVITIES[file.get32('ACTIVITY')] ?? 'running',
    nmiBlocked: file.get32('NMI_BLOCKED') !== 0,
    nmiPending: (events & EVENT.NMI) !== 0,
    instructions,
    cpl: file.get32('CPL'),
  };
}

/** @throws NestboxError `bad-input` before anything changes */
export function checkCpuState(input: unknown): CpuState {
  const parsed = stateSchema.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new NestboxError('bad-input', `Saved CPU state: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`, { op: 'load state' });
  }
  const state = parsed.data;
  const known = new Set(CORE_MSRS.map((msr) => msr.index));
  for (const [index] of state.msrs) {
    if (!known.has(index)) throw new NestboxError('bad-input', `Saved CPU state: MSR ${index.toString(16)}h is not known`, { op: 'load state' });
  }
  return state;
}

/** Writes a checked state; the caller then sets EFLAGS and refreshes what is derived. */
export function writeCpuState(file: RegisterFile, state: CpuState): void {
  state.gpr.forEach((value, i) => file.set64('GPR', value, i));
  file.set64('RIP', state.rip);
  SEGMENTS.forEach((name, index) => {
    const segment = state.segments[name];
    file.set32('SEG_SELECTOR', segment.selector, index);
    file.set64('SEG_BASE', segment.base, index);
    file.set32('SEG_LIMIT', segment.limit, index);
    file.set32('SEG_ACCESS', segment.access, index);
  });
  file.set64('GDTR_BASE', state.gdtr.base);
  file.set32('GDTR_LIMIT', state.gdtr.limit);
  file.set64('IDTR_BASE', state.idtr.base);
  file.set32('IDTR_LIMIT', state.idtr.limit);
  for (const name of ['cr0', 'cr2', 'cr3', 'cr4', 'efer', 'xcr0'] as const) file.set64(name.toUpperCase(), state[name]);
  state.dr.forEach((value, i) => file.set64('DR', value, i));
  for (const [index, value] of state.msrs) {
    const msr = CORE_MSRS.find((entry) => entry.index === index);
    if (msr !== undefined) file.set64(msr.field, value, msr.element ?? 0);
  }
  writeFxsave(file, state.fxsave);
  file.set32('ACTIVITY', ACTIVITIES.indexOf(state.activity));
  file.set32('SHADOW', state.interruptShadow);
  file.set32('NMI_BLOCKED', state.nmiBlocked ? 1 : 0);
  file.set32('EVENTS_HELD', 0);
  file.set32('CPL', state.cpl);
  file.setNumber('ICOUNT', state.instructions);
  file.set32('BUDGET', 0);
  file.set32('BUDGET_START', 0);
  file.set32('BLOCK_RUNNING', 0);
  file.set32('DELIVERING', 0xffffffff);
}
