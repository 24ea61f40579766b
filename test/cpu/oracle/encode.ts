// Random legal encodings of a row of the opcode table: prefixes, REX or VEX, ModRM, SIB, displacement, immediate.

import type { OpcodeRow } from '../../../core/cpu/isa/opcode-row.ts';
import { CODE_AT, CODE_START, DATA_AT, GS_BASE, LOCAL_SEGMENTS, localSelector } from './records.ts';
import type { Random } from './random.ts';

export type Mode = 16 | 32 | 64;

/** How the memory operand is addressed; `base` and `index` are register numbers. */
export interface MemoryOperand {
  readonly base?: number;
  readonly index?: number;
  readonly scale: number;
  readonly displacement: bigint;
  /** The address is wrapped to this many bits. */
  readonly addressBits: 16 | 32 | 64;
  readonly segmentBase: bigint;
}

export interface Encoded {
  readonly row: OpcodeRow;
  readonly mode: Mode;
  readonly code: Uint8Array;
  readonly memory?: MemoryOperand;
  /** Linear address that fixed forms (absolute, RIP-relative, moffs) refer to already. */
  readonly fixedAddress?: number;
  readonly operandBits: 16 | 32 | 64;
  readonly addressBits: 16 | 32 | 64;
  readonly rep: boolean;
  readonly locked: boolean;
  /** Register number of ModRM.rm in a register form. */
  readonly rm?: number;
  readonly reg?: number;
}

/** Base and index of the 16-bit addressing forms: BX+SI BX+DI BP+SI BP+DI SI DI BP BX. */
const FORMS_16: readonly (readonly [base: number, index: number | undefined])[] = [
  [3, 6], [3, 7], [5, 6], [5, 7], [6, undefined], [7, undefined], [5, undefined], [3, undefined],
];

const MODRM_TOKEN = /^(RdM[bw]|[EGMVWUPQNCD][a-z]*|R[dvwy]|Sw)$/;

export function tokensOf(row: OpcodeRow): readonly string[] {
  return row.operands === undefined || row.operands === '' ? [] : row.operands.split(',');
}

export function usesModrm(row: OpcodeRow): boolean {
  return row.reg !== undefined || row.mod !== undefined || row.rm !== undefined || tokensOf(row).some((token) => MODRM_TOKEN.test(token));
}

/** Rows whose ModRM may name memory. */
function allowsMemory(row: OpcodeRow): boolean {
  if (row.mod !== undefined) return row.mod === 'mem';
  return tokensOf(row).some((token) => /^(RdM|[EMWQ])/.test(token));
}

function allowsRegister(row: OpcodeRow): boolean {
  return row.mod !== 'mem' && !tokensOf(row).some((token) => token.startsWith('M'));
}

/** Opcodes at which some row is selected by a prefix: no free 66, F2, F3 there. */
export function prefixedOpcodes(rows: readonly OpcodeRow[]): ReadonlySet<string> {
  return new Set(rows.filter((row) => row.prefix !== undefined).map((row) => `${row.map}:${row.opcode}`));
}

function little(value: bigint, bytes: number): number[] {
  const list: number[] = [];
  for (let i = 0; i < bytes; i++) list.push(Number((BigInt.asUintN(64, value) >> BigInt(8 * i)) & 0xffn));
  return list;
}

function immediateValue(random: Random, bytes: number): bigint {
  const kind = random.below(5);
  if (kind === 0) return BigInt(random.below(8));
  if (kind === 1) return random.pick([-1n, 0x7fn, 0x80n, 0x7fffn, 0x8000n, 0x7fffffffn, 0x80000000n]);
  return random.bits64() & ((1n << BigInt(8 * bytes)) - 1n);
}

export interface EncodeOptions {
  /** Bytes of code before the instruction. */
  readonly at?: number;
  /** Memory operands without registers. */
  readonly fixed?: boolean;
}

/** `address` is where the memory operand shall lie (linear); registers are chosen later to make it so. */
export function encode(row: OpcodeRow, mode: Mode, random: Random, prefixed: ReadonlySet<string>, address: number, options: EncodeOptions = {}): Encoded {
  const tokens = tokensOf(row);
  const vex = row.map.startsWith('vex');
  const freePrefixes = row.prefix === undefined && !vex && !prefixed.has(`${row.map}:${row.opcode}`);
  const sized = tokens.some((token) => /^[EGMRZIXYOFP]?[vzyad]$|^r[A-D]X$|^(Ev|Gv|Yv|Xv|Ov|Zv|Iz)$/.test(token)) || /^(c[bw][dw]e?|pusha|popa|leave|enter|push|pop|iret|retf|callf|jmpf|l[des]s|lss)/.test(row.mnemonic);
  const string = tokens.some((token) => /^[XY]/.test(token));

  // --- Prefixes.
  const prefixes: number[] = [];
  const mandatory = { np: 0, '66': 0x66, f3: 0xf3, f2: 0xf2 }[row.prefix ?? 'np'];
  if (mandatory !== 0 && !vex) prefixes.push(mandatory);
  // Near branches with 16-bit operand size leave the code page, and vendors disagree about them in 64-bit mode.
  const branch = row.size64 === 'force';
  let size66 = false;
  if (!vex && !branch && row.prefix !== '66' && row.prefix !== 'np') {
    const mayAdd = row.prefix === undefined ? freePrefixes || (sized && !prefixed.has(`${row.map}:${row.opcode}`)) : true;
    if (mayAdd && random.chance(sized ? 30 : 4)) {
      size66 = true;
      prefixes.push(0x66);
    }
  }
  let rep = false;
  if (string && row.prefix === undefined && random.chance(60)) {
    rep = true;
    prefixes.push(random.pick([0xf2, 0xf3]));
  } else if (freePrefixes && !string && !row.mnemonic.startsWith('loop') && random.chance(2)) {
    // Not before LOOPNE and LOOPE: AMD lets the prefix choose the condition.
    prefixes.push(random.pick([0xf2, 0xf3]));
  }
  const usesMemory = usesModrm(row) && allowsMemory(row) && (!allowsRegister(row) || random.chance(55));
  const absolute = tokens.find((token) => token.startsWith('O'));
  const addresses = usesMemory || string || absolute !== undefined || /^(xlat|maskmov)/.test(row.mnemonic);
  let address67 = false;
  if (addresses && random.chance(mode === 64 ? 10 : mode === 16 ? 25 : 2)) {
    address67 = true;
    prefixes.push(0x67);
  }
  let segmentBase = mode === 16 ? BigInt(DATA_AT) : 0n;
  if (addresses && random.chance(8)) {
    if (mode === 64 && usesMemory && random.chance(50)) {
      prefixes.push(0x65);
      segmentBase = BigInt(GS_BASE);
    } else {
      // In 16-bit cases CS has another base, and the bytes around the instruction are not the same on both sides.
      prefixes.push(random.pick(mode === 16 ? [0x26, 0x36, 0x3e] : [0x26, 0x2e, 0x36, 0x3e]));
    }
  }
  let locked = false;
  if (usesMemory && row.lock === true ? random.chance(20) : !vex && row.handler !== 'SYSTEM' && random.chance(0.7)) {
    locked = true;
    prefixes.push(0xf0);
  }
  // Any order is legal.
  for (let i = prefixes.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const moved = prefixes[i] as number;
    prefixes[i] = prefixes[j] as number;
    prefixes[j] = moved;
  }

  const addressBits = mode === 64 ? (address67 ? 32 : 64) : address67 === (mode === 16) ? 32 : 16;
  const registers = mode === 64 ? 16 : 8;
  let rexW = mode === 64 && random.chance(sized || vex ? 40 : 10);
  if (row.mnemonic === 'movnti' || row.handler === 'SSE' || row.handler === 'MMX') rexW = mode === 64 && random.chance(30);
  // AMD has no far pointers with 64-bit offsets.
  if (/^(callf|jmpf|lss)$/.test(row.mnemonic)) rexW = false;
  let operandBits: 16 | 32 | 64 = size66 === (mode === 16) ? 32 : 16;
  if (rexW || (mode === 64 && row.size64 !== undefined && !size66)) operandBits = 64;

  // --- ModRM, SIB.
  let rexR = 0;
  let rexX = 0;
  let rexB = 0;
  let modrm: number[] = [];
  let memory: MemoryOperand | undefined;
  let fixedAddress: number | undefined;
  let ripRelativeAt = -1;
  let rm: number | undefined;
  let reg: number | undefined;
  let opcode = row.opcode;
  if (row.plusR === true) {
    rm = random.below(registers);
    rexB = rm >> 3;
    opcode += rm & 7;
  }
  if (usesModrm(row)) {
    reg = row.reg ?? (tokens.includes('Sw') ? random.below(6) : random.below(registers));
    if (row.reg !== undefined && mode === 64 && random.chance(5)) reg += 8;
    rexR = reg >> 3;
    if (!usesMemory) {
      rm = row.rm ?? random.below(registers);
      // CALL RSP would push into the code page.
      if (rm === 4 && row.mnemonic === 'call') rm = 3;
      rexB = rm >> 3;
      modrm = [0xc0 | ((reg & 7) << 3) | (rm & 7)];
    } else if (addressBits === 16 && (mode === 32 || options.fixed === true || random.chance(25))) {
      // Displacement only; in flat 32-bit cases such addresses lie in the unmapped first 64 KiB.
      const low = mode === 32 ? random.below(0x10000) : (address - DATA_AT) & 0xffff;
      modrm = [((reg & 7) << 3) | 6, low & 0xff, low >> 8];
      fixedAddress = mode === 32 ? low : address;
    } else if (addressBits === 16) {
      const form = random.below(8);
      const [base, index] = FORMS_16[form] as readonly [number, number | undefined];
      const size = form === 6 ? random.pick([1, 2]) : random.pick([0, 1, 2]);
      const displacement = size === 0 ? 0n : size === 1 ? BigInt(random.below(256) - 128) : BigInt(random.below(65536) - 32768);
      modrm = [(size << 6) | ((reg & 7) << 3) | form, ...little(displacement, size)];
      memory = { base, ...(index === undefined ? {} : { index }), scale: 0, displacement, addressBits, segmentBase };
    } else {
      const target = BigInt(address) - segmentBase;
      const form = random.below(options.fixed === true ? 3 : 10);
      if (form < 2) {
        // RIP-relative in 64-bit code, absolute in 32-bit code.
        modrm = [((reg & 7) << 3) | 5, ...little(target, 4)];
        fixedAddress = address;
        if (mode === 64) ripRelativeAt = 1;
      } else if (form === 2) {
        modrm = [((reg & 7) << 3) | 4, 0x25, ...little(target, 4)];
        fixedAddress = address;
      } else {
        // EAX selects what XSAVE saves; far calls want their stack where it is.
        const first = /^(xsave|xrstor)/.test(row.mnemonic) ? 1 : 0;
        let base = first + random.below(registers - first);
        if (base === 4 && /^(callf|jmpf)$/.test(row.mnemonic)) base = 3;
        const withIndex = (base & 7) === 4 || random.chance(40);
        let index: number | undefined = withIndex ? first + random.below(registers - first) : undefined;
        if (index === 4 || index === base) index = undefined;
        const scale = index === undefined ? 0 : random.below(4);
        const size = (base & 7) === 5 ? random.pick([1, 4]) : random.pick([0, 1, 4]);
        const displacement = size === 0 ? 0n : size === 1 ? BigInt(random.below(256) - 128) : BigInt(random.pick([random.bits32() | 0, random.below(65536) - 32768]));
        const mod = size === 0 ? 0 : size === 1 ? 0x40 : 0x80;
        rexB = base >> 3;
        rexX = (index ?? 0) >> 3;
        if (withIndex) modrm = [mod | ((reg & 7) << 3) | 4, (scale << 6) | (((index ?? 4) & 7) << 3) | (base & 7)];
        else modrm = [mod | ((reg & 7) << 3) | (base & 7)];
        modrm.push(...little(displacement, size));
        memory = { base, ...(index === undefined ? {} : { index }), scale, displacement, addressBits, segmentBase };
      }
    }
  }

  // --- Immediates.
  const tail: number[] = [];
  for (const token of tokens) {
    if (token === 'Ib') tail.push(row.mnemonic === 'int' ? softwareVector(random) : Number(immediateValue(random, 1) & 0xffn));
    else if (token === 'Ap') {
      const far = farTarget(mode, random);
      tail.push(...little(BigInt(far.offset), operandBits / 8), far.selector & 0xff, far.selector >> 8);
    }
    else if (token === 'Iw') tail.push(...little(immediateValue(random, 2) & (row.mnemonic === 'enter' || /^retf?$/.test(row.mnemonic) ? 0x1ffn : 0xffffn), 2));
    else if (token === 'Iz') tail.push(...little(immediateValue(random, 4), operandBits === 16 ? 2 : 4));
    else if (token === 'Iv') tail.push(...little(immediateValue(random, 8), operandBits / 8));
    else if (token === 'Jb') tail.push(...little(BigInt(branchOffset(random, 128)), 1));
    else if (token === 'Jz') tail.push(...little(BigInt(branchOffset(random, 0x500)), mode === 16 ? 2 : 4));
    else if (token.startsWith('O')) {
      tail.push(...little(BigInt(address) - segmentBase, addressBits / 8));
      fixedAddress = addressBits === 16 && mode === 32 ? address & 0xffff : address;
    }
  }

  // --- Opcode bytes.
  const head: number[] = [];
  if (vex) {
    const map = row.map === 'vex0f' ? 1 : row.map === 'vex0f38' ? 2 : 3;
    const vvvv = tokens.some((token) => token.startsWith('B')) ? random.below(registers) : 0;
    const pp = { np: 0, '66': 1, f3: 2, f2: 3 }[row.prefix ?? 'np'];
    head.push(0xc4, ((rexR ^ 1) << 7) | ((rexX ^ 1) << 6) | ((rexB ^ 1) << 5) | map);
    head.push((rexW ? 0x80 : 0) | ((vvvv ^ 15) << 3) | pp);
    head.push(opcode);
  } else {
    const rex = (rexW ? 8 : 0) | (rexR << 2) | (rexX << 1) | rexB;
    if (mode === 64 && (rex !== 0 || random.chance(10))) head.push(0x40 | rex);
    if (row.map !== '1') head.push(0x0f);
    if (row.map === '0f38') head.push(0x38);
    if (row.map === '0f3a') head.push(0x3a);
    head.push(opcode);
  }
  const code = Uint8Array.from([...prefixes, ...head, ...modrm, ...tail]);
  if (ripRelativeAt >= 0) {
    const at = prefixes.length + head.length + ripRelativeAt;
    const next = BigInt(CODE_START + (options.at ?? 0) + code.length);
    code.set(little(BigInt(address) - segmentBase - next, 4), at);
  }
  return {
    row,
    mode,
    code,
    ...(memory === undefined ? {} : { memory }),
    ...(fixedAddress === undefined ? {} : { fixedAddress }),
    operandBits,
    addressBits,
    rep,
    locked,
    ...(rm === undefined ? {} : { rm }),
    ...(reg === undefined ? {} : { reg }),
  };
}

/** INT n that user code may not use: 3, 4 and 80h may. */
function softwareVector(random: Random): number {
  const vector = random.below(256);
  return vector === 3 || vector === 4 || vector === 0x80 ? 0x21 : vector;
}

/** Selectors worth loading: all kinds of local and global segments with any RPL, null, beyond the table. */
export function anySelector(random: Random): number {
  const kind = random.below(10);
  if (kind === 0) return random.below(4);
  if (kind === 1) return localSelector(random.pick([14, 15, 20, 100, 8191]));
  if (kind < 4) return random.pick([0x08, 0x10, 0x18, 0x20, 0x28, 0x30]) | (random.chance(60) ? 3 : random.below(4));
  return (localSelector(random.below(LOCAL_SEGMENTS.length)) & ~3) | (random.chance(70) ? 3 : random.below(4));
}

/** A far pointer to HLT bytes through a code segment, or through something that is none. */
export function farTarget(mode: Mode, random: Random): { readonly selector: number; readonly offset: number } {
  const offset = branchTarget(16, random);
  const local = random.pick([0, 10, 11, 12, 13, 1, 5, 9, 14]);
  if (random.chance(70)) return { selector: (localSelector(local) & ~3) | (random.chance(80) ? 3 : random.below(4)), offset: random.chance(95) ? offset : offset + 0x1000 };
  // With 16-bit offsets flat segments lead below 64 KiB, where nothing is mapped.
  const flat = mode === 16 || random.chance(5) ? offset : CODE_AT + offset;
  // From 16-bit code to 64-bit code the stack of a far call changes its base: vendors differ.
  return { selector: random.pick(mode === 16 ? [0x23, 0x20, 0x2b, 0x10, 0, 3] : [0x23, 0x33, 0x20, 0x30, 0x2b, 0x10, 0, 3]), offset: flat };
}

/** A displacement to the HLT bytes around the instruction, never to itself or to the jump behind it; 0 is harmless. */
function branchOffset(random: Random, reach: number): number {
  const offset = random.below(2 * reach) - reach;
  return offset > -32 && offset < 48 ? 0 : offset;
}

/** Where indirect branches may go: to HLT bytes of the code page. */
export function branchTarget(mode: Mode, random: Random): number {
  return (mode === 16 ? 0 : CODE_AT) + (random.chance(50) ? 0x200 + random.below(0x500) : 0x900 + random.below(0x600));
}
