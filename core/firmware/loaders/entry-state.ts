// How a loaded kernel is entered: the registers that its boot protocol fixes. The fields have the names and forms of the
// CPU contract, so a machine merges them over the state of a reset CPU.

import { ByteWriter } from '../byte-writer.ts';

export interface EntrySegment {
  readonly selector: number;
  readonly base: bigint;
  readonly limit: number;
  /** Access rights as in the VMCS: type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15, unusable 16. */
  readonly access: number;
}

export type SegmentName = 'es' | 'cs' | 'ss' | 'ds' | 'fs' | 'gs' | 'ldtr' | 'tr';

export interface EntryState {
  readonly mode: 'real' | 'protected32' | 'long64';
  /** RAX RCX RDX RBX RSP RBP RSI RDI R8..R15 */
  readonly gpr: readonly bigint[];
  readonly rip: bigint;
  readonly rflags: bigint;
  readonly segments: Readonly<Record<SegmentName, EntrySegment>>;
  readonly gdtr: { readonly base: bigint; readonly limit: number };
  readonly idtr: { readonly base: bigint; readonly limit: number };
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
}

export interface EntryRegisters {
  readonly rax?: number;
  readonly rbx?: number;
  readonly rsp?: number;
  readonly rsi?: number;
}

const CR0_PE = 0x1n;
const CR0_ET = 0x10n;
const CR0_NE = 0x20n;
const CR0_PG = 0x8000_0000n;
const CR4_PAE = 0x20n;
const EFER_LME_LMA = 0x500n;
const RFLAGS_FIXED = 0x2n;

const ACCESS_CODE32 = 0xc09b;
const ACCESS_CODE64 = 0xa09b;
const ACCESS_DATA32 = 0xc093;
const ACCESS_TSS32_BUSY = 0x008b;
const ACCESS_REAL = 0x0093;
const ACCESS_REAL_CODE = 0x009b;
const ACCESS_UNUSABLE = 0x1_0000;

const SELECTOR_CODE = 0x10;
const SELECTOR_DATA = 0x18;
const SELECTOR_TSS = 0x20;

export const GDT_BYTES = 40;
/** A 32-bit TSS: only its presence matters. */
const TSS_LIMIT = 0x67;

/** The descriptor table that fits the segments of `protectedEntry` and `longEntry`: null, null, code, data, TSS at 0. */
export function entryGdt(mode: 'protected32' | 'long64'): Uint8Array {
  return new ByteWriter()
    .zeroes(16)
    .u64(mode === 'long64' ? 0x00af9b000000ffffn : 0x00cf9b000000ffffn)
    .u64(0x00cf93000000ffffn)
    .u64(0x00008b0000000067n)
    .toBytes();
}

function registers(values: EntryRegisters): bigint[] {
  const gpr = new Array<bigint>(16).fill(0n);
  gpr[0] = BigInt(values.rax ?? 0);
  gpr[3] = BigInt(values.rbx ?? 0);
  gpr[4] = BigInt(values.rsp ?? 0);
  gpr[6] = BigInt(values.rsi ?? 0);
  return gpr;
}

function flatSegments(codeAccess: number): Record<SegmentName, EntrySegment> {
  const data: EntrySegment = { selector: SELECTOR_DATA, base: 0n, limit: 0xffff_ffff, access: ACCESS_DATA32 };
  return {
    cs: { selector: SELECTOR_CODE, base: 0n, limit: 0xffff_ffff, access: codeAccess },
    ds: data,
    es: data,
    fs: data,
    gs: data,
    ss: data,
    tr: { selector: SELECTOR_TSS, base: 0n, limit: TSS_LIMIT, access: ACCESS_TSS32_BUSY },
    ldtr: { selector: 0, base: 0n, limit: 0, access: ACCESS_UNUSABLE },
  };
}

/** 32-bit protected mode, paging off, flat segments, interrupts off. */
export function protectedEntry(rip: number, gdtBase: number, values: EntryRegisters): EntryState {
  return {
    mode: 'protected32',
    gpr: registers(values),
    rip: BigInt(rip),
    rflags: RFLAGS_FIXED,
    segments: flatSegments(ACCESS_CODE32),
    gdtr: { base: BigInt(gdtBase), limit: GDT_BYTES - 1 },
    idtr: { base: 0n, limit: 0 },
    cr0: CR0_PE | CR0_ET,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
  };
}

/** 64-bit mode on the identity map at `pageTables`. */
export function longEntry(rip: number, gdtBase: number, pageTables: number, values: EntryRegisters): EntryState {
  const state = protectedEntry(rip, gdtBase, values);
  return {
    ...state,
    mode: 'long64',
    segments: {
      ...flatSegments(ACCESS_CODE64),
      tr: { selector: SELECTOR_TSS, base: 0n, limit: TSS_LIMIT, access: ACCESS_TSS32_BUSY },
    },
    cr0: CR0_PE | CR0_ET | CR0_NE | CR0_PG,
    cr3: BigInt(pageTables),
    cr4: CR4_PAE,
    efer: EFER_LME_LMA,
  };
}

/** Real mode at segment:offset, all data segments at `dataSegment`. The BIOS has run: vectors at 0. */
export function realEntry(codeSegment: number, offset: number, dataSegment: number, stackPointer: number): EntryState {
  const real = (selector: number, access: number): EntrySegment => ({
    selector,
    base: BigInt(selector * 16),
    limit: 0xffff,
    access,
  });
  const data = real(dataSegment, ACCESS_REAL);
  return {
    mode: 'real',
    gpr: registers({ rsp: stackPointer }),
    rip: BigInt(offset),
    rflags: RFLAGS_FIXED,
    segments: {
      cs: real(codeSegment, ACCESS_REAL_CODE),
      ds: data,
      es: data,
      fs: data,
      gs: data,
      ss: data,
      tr: { selector: 0, base: 0n, limit: 0xffff, access: ACCESS_TSS32_BUSY },
      ldtr: { selector: 0, base: 0n, limit: 0xffff, access: 0x0082 },
    },
    gdtr: { base: 0n, limit: 0xffff },
    idtr: { base: 0n, limit: 0x3ff },
    cr0: CR0_ET,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
  };
}

export const IDENTITY_TABLE_BYTES = 6 * 4096;

/** Page tables that map the first 4 GiB one to one with 2 MiB pages, for `base` as CR3. */
export function identityPageTables(base: number): Uint8Array {
  const PRESENT_WRITE = 0x3;
  const LARGE = 0x80;
  const tables = new Uint8Array(IDENTITY_TABLE_BYTES);
  const view = new DataView(tables.buffer);
  view.setUint32(0, (base + 4096) | PRESENT_WRITE, true);
  for (let gib = 0; gib < 4; gib++) view.setUint32(4096 + gib * 8, (base + 8192 + gib * 4096) | PRESENT_WRITE, true);
  for (let page = 0; page < 2048; page++)
    view.setUint32(8192 + page * 8, (page * 0x20_0000) | PRESENT_WRITE | LARGE, true);
  return tables;
}
