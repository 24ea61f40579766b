// One x87 or MMX instruction at a time, named as in the opcode tables, on a register file and memory that tests read and write:
// by the functions alone (fpu-module.ts), or as encoded instructions on the whole processor, interpreted or compiled.

import { OP, OPF } from '../../../core/cpu/isa/layout.ts';
import { MMX_ROWS } from '../../../core/cpu/isa/opcodes-mmx.ts';
import { X87_ROWS } from '../../../core/cpu/isa/opcodes-x87.ts';
import type { OpcodeRow } from '../../../core/cpu/isa/opcode-row.ts';
import { UNWOUND } from '../../../core/cpu/software/interpreter-module.ts';
import { RegisterFile } from '../../../core/cpu/software/vcpu-state.ts';
import { EXIT, bareInterpreter, enterFlat32, wake } from '../interpreter/bare-interpreter.ts';
import { compileFpu, subNumbers } from './fpu-module.ts';

export interface Operation {
  /** Operand size as in op records: 1 is 16 bits, 2 is 32 bits. */
  readonly size?: 1 | 2;
  /** The operand is at DATA. */
  readonly memory?: boolean;
  /** Of instructions that several encodings have. */
  readonly opcode?: number;
  /** 0 for x87, 1 for MMX. */
  readonly group?: 0 | 1;
}

export interface FpuMachine {
  /** Guest memory, where DATA is an offset. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Linear address of every instruction. */
  readonly instructionAt: number;
  readonly codeSelector: number;
  readonly dataSelector: number;
  readonly file: RegisterFile;
  /** Runs one instruction by its sub name; returns the vector of its fault, or 0. */
  run(sub: string, operation?: Operation): number;
  /** Protected mode, nothing in the register file or at DATA but what instructions need, x87 not yet initialized. */
  reset(): void;
  /** Exceptions told by FERR. */
  ferrCount(): number;
}

/** Offset of the operand of instructions with memory. */
export const DATA = 0x201000;
const DATA_BYTES = 256;
const CR0_PE_NE = 0x21n;
const FERR = 1;
const RBX = 3;
const RIP = 17;
const CS = 1;
const DS = 3;
/** As of segments in virtual-8086 mode; the limit stays that of flat segments. */
const CODE_16 = 0x80f3;

function rowsOf(group: 0 | 1): readonly OpcodeRow[] {
  return group === 0 ? X87_ROWS : MMX_ROWS;
}

interface Encoding {
  readonly code: readonly number[];
  readonly opcode: number;
  readonly modrm: number;
}

/** ST(1), MM1 or [EBX] as operand. */
function encodingOf(sub: string, { memory = false, opcode, group = 0 }: Operation): Encoding {
  const row = rowsOf(group).find((each) => each.sub === sub && (each.mod === undefined || (each.mod === 'mem') === memory) && (opcode === undefined || each.opcode === opcode));
  if (row === undefined) throw new Error(`No encoding of ${sub}`);
  const escape = row.map === '0f' ? [0x0f] : [];
  const modrm = memory ? ((row.reg ?? 0) << 3) | RBX : 0xc0 | ((row.reg ?? 0) << 3) | (row.rm ?? 1);
  const hasModrm = row.mod !== undefined || row.reg !== undefined || row.operands !== undefined;
  return { code: [...escape, row.opcode, ...(hasModrm ? [modrm] : [])], opcode: row.opcode, modrm };
}

/** The functions behind the instructions, without decoder and main loop. */
export async function fpuFunctions(): Promise<FpuMachine & { interrupt(vector: number): void }> {
  const module = await compileFpu();
  const view = new DataView(module.memory.buffer);
  const bytes = new Uint8Array(module.memory.buffer);
  const opAt = 0x200000;
  const page = 0x7000;
  const end = 0x123;
  const codeSelector = 0x1b;
  const dataSelector = 0x23;
  const file = new RegisterFile(module.memory.buffer as unknown as SharedArrayBuffer, module.cpu);
  return {
    bytes, view, file, codeSelector, dataSelector, instructionAt: page + end - 2,
    run(sub, operation = {}) {
      const { size = 2, memory = false, group = 0 } = operation;
      const { opcode, modrm } = encodingOf(sub, operation);
      bytes.fill(0, opAt, opAt + OP.BYTES);
      bytes[opAt + OP.LENGTH] = 2;
      bytes[opAt + OP.FLAGS] = memory ? OPF.MEM | OPF.FLAT : 0;
      bytes[opAt + OP.RM] = modrm & 7;
      bytes[opAt + OP.BASE] = memory ? RBX : 16;
      bytes[opAt + OP.INDEX] = 16;
      bytes[opAt + OP.SEG] = DS;
      bytes[opAt + OP.SIZE] = size | (2 << 4);
      view.setUint32(opAt + OP.IMM, modrm, true);
      view.setUint32(opAt + OP.SUB, subNumbers.get(sub) as number, true);
      view.setUint16(opAt + OP.END, end, true);
      view.setUint16(opAt + OP.OPCODE, opcode, true);
      return module.execute(group, opAt);
    },
    reset() {
      bytes.fill(0, module.cpu, module.cpu + 0x2000);
      bytes.fill(0, DATA, DATA + DATA_BYTES);
      file.set64('CR0', CR0_PE_NE);
      file.set64('GPR', BigInt(DATA), RBX);
      file.set64('GPR', BigInt(page), RIP);
      file.set32('SEG_SELECTOR', codeSelector, CS);
      file.set32('SEG_SELECTOR', dataSelector, DS);
      module.notifications.length = 0;
      module.interrupt = -1;
    },
    ferrCount: () => module.notifications.length,
    interrupt: (vector) => {
      module.interrupt = vector;
    },
  };
}

/** The whole processor, in the mode of the JIT that the test says. */
export function fpuProcessor(): FpuMachine {
  let ferr = 0;
  const cpu = bareInterpreter({ notify: (kind) => { if (kind === FERR) ferr++; } });
  const { file, ram, exports } = cpu;
  const view = new DataView(ram.buffer, ram.byteOffset, ram.length);
  const instructionAt = 0x7121;
  const hlt = 0xf4;
  const virtual8086 = 0x20000;
  let written = -1;

  /** Writes the instruction unless it is there already: what was compiled is to run again. */
  function place(code: readonly number[]): void {
    const key = code.reduce((sum, byte) => sum * 256 + byte, 0);
    if (key === written) return;
    written = key;
    ram.set([...code, hlt], instructionAt);
    exports.codeWritten(instructionAt >>> 12, instructionAt & 0xfff, code.length + 1);
  }

  return {
    bytes: ram, view, file, instructionAt, codeSelector: 8, dataSelector: 16,
    run(sub, operation = {}) {
      const { size = 2, memory = false } = operation;
      // Virtual-8086 code is 16-bit code, in which an address in EBX needs its prefix.
      const is16 = (file.get32('EFLAGS_SYSTEM') & virtual8086) !== 0;
      if (is16) file.set32('SEG_ACCESS', CODE_16, CS);
      const prefixes = [...((size === 1) === is16 ? [] : [0x66]), ...(is16 && memory ? [0x67] : [])];
      place([...prefixes, ...encodingOf(sub, operation).code]);
      file.set64('RIP', BigInt(instructionAt));
      exports.refreshDerived();
      try {
        const reason = exports.run(1);
        if (reason !== EXIT.BUDGET) throw new Error(`${sub} ended with exit ${reason}`);
        return 0;
      } catch (thrown) {
        if (thrown !== UNWOUND) throw thrown;
      }
      exports.settleFault();
      return file.get32('FAULT_VECTOR');
    },
    reset() {
      exports.resetCpu(0);
      wake(cpu);
      enterFlat32(cpu, instructionAt);
      file.set64('CR0', CR0_PE_NE);
      file.set64('GPR', BigInt(DATA), RBX);
      file.set32('EFLAGS_SYSTEM', 2);
      ram.fill(0, DATA, DATA + DATA_BYTES);
      ferr = 0;
    },
    ferrCount: () => ferr,
  };
}
