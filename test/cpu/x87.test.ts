// x87 behaviour that a process on the host cannot show: environment and state images of every mode, last-instruction
// pointers, #NM, #MF and FERR, and transcendental results against values computed with 400 bits. By the functions alone, and
// by the whole processor in every mode of the JIT.

import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EVENT } from '../../core/cpu/isa/layout.ts';
import { inEveryJitMode } from '../support/jit-modes.ts';
import { DATA, type FpuMachine, fpuFunctions, fpuProcessor } from './fpu/fpu-machine.ts';

const CR0_PE = 1n;
const CR0_MP = 2n;
const CR0_EM = 4n;
const CR0_TS = 8n;
const CR0_NE = 0x20n;
const ONE = '3fff8000000000000000';

// [instruction, ST1, ST0, result], rounded to nearest from 400-bit results (angles reduced with the 66-bit pi).
const VECTORS: readonly (readonly [string, string, string, string])[] = [
  ['FSIN', '00000000000000000000', 'bffedbc8fbbcbde5c099', 'bffec1c34c56e75c33f0'],
  ['FSIN', '00000000000000000000', 'bffcf17fd374c6a53877', 'bffcef444f4313021760'],
  ['FSIN', '00000000000000000000', '4000a827688de6a16a3b', '3ffdfbd0cea2b9e4ffc2'],
  ['FSIN', '00000000000000000000', 'c007de5271007814e8a2', '3ffefe7d1c981c86d5c7'],
  ['FSIN', '00000000000000000000', 'c02e9a1afe878b33e968', '3ffef55e8d1264249118'],
  ['FSIN', '00000000000000000000', '4000bb2edb20035b7399', '3ffcdc5372b10be0f8dd'],
  ['FCOS', '00000000000000000000', 'bfe4ae9c82b1478c281d', '3ffefffffffffffffc47'],
  ['FCOS', '00000000000000000000', '3fffcc11d357c30d8b76', 'bff9c079a48b96559fc8'],
  ['FCOS', '00000000000000000000', '3fff9e115e4b9e30691c', '3ffda8c2be800785dcc7'],
  ['FCOS', '00000000000000000000', '40128074513021da8978', '3ffc9a05232c33a1d79f'],
  ['FCOS', '00000000000000000000', '4027b729c619c60a3cab', 'bffe9d22889e2a09339b'],
  ['FCOS', '00000000000000000000', '3ffed04b74ba4a0fe75d', '3ffeafd5597636ed47ff'],
  ['FPTAN', '00000000000000000000', '3fe3f0e3cd972e81d66d', '3fe3f0e3cd972e81d789'],
  ['FPTAN', '00000000000000000000', 'bffd8585a01c4c7d6df0', 'bffd88a22fb45b940b7a'],
  ['FPTAN', '00000000000000000000', 'c001ef901b932a7c1880', 'c000a62b2862da73fe2f'],
  ['FPTAN', '00000000000000000000', 'c008d4f46a6910acff00', 'bffdf5ace62f8ee8ce68'],
  ['FPTAN', '00000000000000000000', '4030ad8d194a98921396', '3ffc9b630a0b045df539'],
  ['FPTAN', '00000000000000000000', 'c000cf59672710e6d8e6', 'bffbc9d7e623fd77fdc5'],
  ['F2XM1', '00000000000000000000', 'bfd9b24891917b121dc5', 'bfd8f727434f064ff315'],
  ['F2XM1', '00000000000000000000', '3ffcf8f845f57b3120df', '3ffcbbf78705ac2b88e6'],
  ['F2XM1', '00000000000000000000', '3ffef9a01fe8419521fe', '3ffef73d26c7515cc5fa'],
  ['F2XM1', '00000000000000000000', 'bffde77fd139d84a1d3a', 'bffd89c05e58c1b1045d'],
  ['F2XM1', '00000000000000000000', 'bff5e0597bdc5dbe4409', 'bff59b6a404136518e4f'],
  ['F2XM1', '00000000000000000000', 'bffeb52fa53c0bf64ef7', 'bffdc68471c121446dc3'],
  ['FPATAN', 'bfde8332f05a58296818', '3ffdc177f1131e782196', 'bfdfad9aa9c028f9b9b5'],
  ['FPATAN', 'bffbcbbdbb01dc14ed57', 'bffef67d5274c68deb5d', 'c000c279059991dea207'],
  ['FPATAN', '3ffe834c1b69573ac59a', 'bffcfa749692f21ff5eb', '40008102945546b09c25'],
  ['FPATAN', 'c001b3de08f9ec983704', 'c000a5f02628eb07c30d', 'c0008030fe277ae8e478'],
  ['FPATAN', 'c01dcc7c6d812d6f2efc', '4000af9b74f84ffcbf42', 'bfffc90fda9eb2065dbc'],
  ['FPATAN', 'bffeb85a5cd22959fea3', '3ffcb06dbee0b89c4e56', 'bfffab00a2cfacb1c4b9'],
  ['FYL2X', 'c003bcc217790825c7cc', '3ffefc98500014b9adb5', '3ffde95ecab45da13e34'],
  ['FYL2X', 'c0018e42d43c2547f19c', '3fffc00db00dd3881a50', 'c000a68c8ec119f9074e'],
  ['FYL2X', 'c001b501e088d6a34d3e', '403ecd39e15808606af8', 'c007b41af67271140ecc'],
  ['FYL2X', '4003e580c35ea161d909', '1235bb4e5c11fb368220', 'c011a430ef8e687650d1'],
  ['FYL2X', 'bffca634f16f5f7cc5d8', '40029b4c24c269f0441e', 'bffe883e5400d2e838e0'],
  ['FYL2X', '3ffeec08693c7401f5ce', '4000ebaf71d7d8407b1a', '3fffddf4a4be5aa95e0e'],
  ['FYL2XP1', 'c001bac0d757b057c162', '3fd685ae8770f9dba1db', 'bfd98cb19ce8dd108dd0'],
  ['FYL2XP1', 'c001a58170f9e6e053f7', 'bff5ca80754646273141', '3ff8bd0595318c01da03'],
  ['FYL2XP1', '4002efe8b3b5a080c6a5', 'bffbfd06f9f6d2723248', 'c000b693099741525694'],
  ['FYL2XP1', 'c001c832652e83e2c328', 'bffc96d1b5ac2e1c5d3a', '3fffb8125a82ab95f5ac'],
  ['FYL2XP1', '3fffce424b92c277af32', 'bffbc938c68d1027e5d3', 'bffcf632f870f9b12e7a'],
  ['FYL2XP1', 'bffef20f678df4f6717c', 'bffcfc55dde1d5d1cbd0', '3ffdc59a75f929d66790'],
];

/** Defines the tests; `make` gives what runs the instructions. */
function x87Tests(make: () => FpuMachine | Promise<FpuMachine>): void {
  let fpu: FpuMachine;

  /** Status word with TOP. */
  const status = (): number => fpu.file.get32('FPU_SW') | (fpu.file.get32('FPU_TOP') << 11);
  const register = (i: number): DataView => {
    const bytes = fpu.file.bytes('FPU_REG', (fpu.file.get32('FPU_TOP') + i) & 7, 10);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  };

  /** ST(i) as 20 hexadecimal digits: sign and exponent, significand. */
  const st = (i: number): string => register(i).getUint16(8, true).toString(16).padStart(4, '0') + register(i).getBigUint64(0, true).toString(16).padStart(16, '0');

  function setSt(i: number, text: string): void {
    const slot = (fpu.file.get32('FPU_TOP') + i) & 7;
    register(i).setUint16(8, parseInt(text.slice(0, 4), 16), true);
    register(i).setBigUint64(0, BigInt(`0x${text.slice(4)}`), true);
    fpu.file.set32('FPU_TAG', fpu.file.get32('FPU_TAG') & ~(3 << (slot * 2)));
  }

  beforeAll(async () => {
    fpu = await make();
  });

  beforeEach(() => {
    fpu.reset();
    fpu.run('FNINIT');
  });

  describe('availability', () => {
    it('raises #NM for TS and for EM, FWAIT only for TS with MP', () => {
      fpu.file.set64('CR0', CR0_PE | CR0_TS);
      expect(fpu.run('FLD1')).toBe(7);
      expect(fpu.run('FNINIT')).toBe(7);
      expect(fpu.run('FWAIT')).toBe(0);
      fpu.file.set64('CR0', CR0_PE | CR0_TS | CR0_MP);
      expect(fpu.run('FWAIT')).toBe(7);
      fpu.file.set64('CR0', CR0_PE | CR0_EM);
      expect(fpu.run('FLD1')).toBe(7);
      expect(fpu.run('FWAIT')).toBe(0);
      expect(fpu.file.get32('FPU_TAG')).toBe(0xffff);
    });

    it('raises #UD for MMX with EM and #NM with TS', () => {
      fpu.file.set64('CR0', CR0_PE | CR0_EM | CR0_TS);
      expect(fpu.run('PADDB_MM', { group: 1 })).toBe(6);
      fpu.file.set64('CR0', CR0_PE | CR0_TS);
      expect(fpu.run('EMMS', { group: 1 })).toBe(7);
    });
  });

  describe('exception reporting', () => {
    /** 1 / 0 with the zero-divide exception unmasked. */
    function divideByZero(): void {
      fpu.file.set32('FPU_CW', 0x37b);
      setSt(0, ONE);
      setSt(1, '00000000000000000000');
      expect(fpu.run('FDIV_ST0', { opcode: 0xd8 })).toBe(0);
    }

    it('raises #MF at the next waiting instruction, with the operands unchanged', () => {
      divideByZero();
      expect(status() & 0x8084).toBe(0x8084);
      expect(st(0)).toBe(ONE);
      expect(fpu.run('FLD1')).toBe(16);
      expect(fpu.run('FWAIT')).toBe(16);
      expect(fpu.run('FLDCW', { memory: true })).toBe(16);
      expect(fpu.run('PADDB_MM', { group: 1 })).toBe(16);
      expect(fpu.run('FNSTSW_AX')).toBe(0);
      expect(fpu.run('FNSTENV', { memory: true })).toBe(0);
      expect(fpu.run('FNCLEX')).toBe(0);
      expect(status() & 0x80ff).toBe(0);
      expect(fpu.run('FLD1')).toBe(0);
      expect(fpu.ferrCount()).toBe(0);
    });

    it('drives FERR once, when the exception is found, with CR0.NE clear', () => {
      fpu.file.set64('CR0', CR0_PE);
      divideByZero();
      expect(fpu.ferrCount()).toBe(1);
      expect(fpu.run('FLD1')).toBe(0);
      expect(fpu.ferrCount()).toBe(1);
    });

    it('lets FLDCW unmask an exception that is already flagged', () => {
      setSt(0, ONE);
      setSt(1, '00000000000000000000');
      fpu.run('FDIV_ST0');
      expect(st(0)).toBe('7fff8000000000000000');
      expect(status() & 0x8084).toBe(4);
      fpu.view.setUint16(DATA, 0x33b, true);
      expect(fpu.run('FLDCW', { memory: true })).toBe(0);
      expect(status() & 0x8084).toBe(0x8084);
      expect(fpu.run('FWAIT')).toBe(16);
    });

    it('masks everything after FNSTENV and clears ES', () => {
      divideByZero();
      fpu.run('FNSTENV', { memory: true });
      expect(fpu.view.getUint16(DATA, true)).toBe(0x37b);
      expect(fpu.view.getUint16(DATA + 4, true) & 0x80ff).toBe(0x8084 & 0x80ff);
      expect(fpu.file.get32('FPU_CW')).toBe(0x37f);
      expect(status() & 0x8080).toBe(0);
      expect(fpu.run('FLDENV', { memory: true })).toBe(0);
      expect(fpu.run('FWAIT')).toBe(16);
    });
  });

  describe('last instruction', () => {
    it('records code, data and opcode, but not of control instructions', () => {
      setSt(0, ONE);
      fpu.view.setFloat32(DATA, 2, true);
      expect(fpu.run('FADD_M32', { memory: true, opcode: 0xd8 })).toBe(0);
      expect(st(0)).toBe('4000c000000000000000');
      const expected = [fpu.instructionAt, fpu.codeSelector, DATA, fpu.dataSelector, 0x003];
      const pointers = (): number[] => [fpu.file.get32('FPU_IP'), fpu.file.get32('FPU_CS'), fpu.file.get32('FPU_DP'), fpu.file.get32('FPU_DS'), fpu.file.get32('FPU_OPCODE')];
      expect(pointers()).toEqual(expected);
      fpu.run('FNSTCW', { memory: true });
      fpu.run('FNSTSW_AX', { opcode: 0xdf });
      fpu.run('FLDCW', { memory: true });
      expect(pointers()).toEqual(expected);
      fpu.run('FCHS', { opcode: 0xd9 });
      expect(pointers()).toEqual([fpu.instructionAt, fpu.codeSelector, DATA, fpu.dataSelector, 0x1e0]);
    });
  });

  describe('environment images', () => {
    function prepare(): void {
      fpu.file.set64('FPU_IP', 0x12345n);
      fpu.file.set32('FPU_CS', 0x2001);
      fpu.file.set64('FPU_DP', 0x6789an);
      fpu.file.set32('FPU_DS', 0x3002);
      fpu.file.set32('FPU_OPCODE', 0x5d9);
      fpu.run('FLD1');
      fpu.run('FLDZ');
      fpu.file.set64('FPU_IP', 0x12345n);
      fpu.file.set32('FPU_CS', 0x2001);
      fpu.file.set32('FPU_OPCODE', 0x5d9);
    }
    const words = (count: number): number[] => Array.from({ length: count }, (_, i) => fpu.view.getUint16(DATA + i * 2, true));
    const doublewords = (count: number): number[] => Array.from({ length: count }, (_, i) => fpu.view.getUint32(DATA + i * 4, true));
    /** FLDZ on FLD1: R6 is zero, R7 valid. */
    const SW = 0x3000;
    const TAGS = 0x1fff;

    it('stores the 32-bit protected form', () => {
      prepare();
      fpu.run('FNSTENV', { memory: true });
      expect(doublewords(7)).toEqual([0xffff037f, 0xffff0000 + SW, 0xffff0000 + TAGS, 0x12345, 0x05d92001, 0x6789a, 0xffff3002]);
    });

    it('stores the 16-bit protected form', () => {
      prepare();
      fpu.run('FNSTENV', { memory: true, size: 1 });
      expect(words(8)).toEqual([0x37f, SW, TAGS, 0x2345, 0x2001, 0x789a, 0x3002, 0]);
    });

    it('stores the 32-bit real form with linear addresses', () => {
      fpu.file.set64('CR0', CR0_NE);
      prepare();
      fpu.run('FNSTENV', { memory: true });
      // 2001:12345 is 32355h, 3002:6789A is 978BAh
      expect(doublewords(7)).toEqual([0xffff037f, 0xffff0000 + SW, 0xffff0000 + TAGS, 0xffff2355, 0x35d9, 0xffff78ba, 0x9000].map((value, index) => index === 4 ? 0x3000 + 0x5d9 : value));
    });

    it('stores the 16-bit real form, also in virtual-8086 mode', () => {
      fpu.file.set32('EFLAGS_SYSTEM', 0x20002);
      prepare();
      fpu.run('FNSTENV', { memory: true, size: 1 });
      expect(words(7)).toEqual([0x37f, SW, TAGS, 0x2355, 0x35d9, 0x78ba, 0x9000]);
    });

    it.each([1, 2] as const)('takes back what FNSAVE wrote, operand size %d', (size) => {
      for (const protectedMode of [true, false]) {
        fpu.file.set64('CR0', protectedMode ? CR0_PE | CR0_NE : CR0_NE);
        fpu.run('FNINIT');
        prepare();
        fpu.run('FLDPI');
        const registers = [0, 1, 2, 3].map(st);
        fpu.file.set32('FPU_SW', 0x4521);
        fpu.run('FNSAVE', { memory: true, size });
        expect([fpu.file.get32('FPU_CW'), status(), fpu.file.get32('FPU_TAG')]).toEqual([0x37f, 0, 0xffff]);
        const image = fpu.bytes.slice(DATA, DATA + 108);
        expect(fpu.run('FRSTOR', { memory: true, size })).toBe(0);
        expect(status()).toBe(0x4521 | (5 << 11));
        expect([0, 1, 2, 3].map(st)).toEqual(registers);
        expect(st(0)).toBe('4000c90fdaa22168c235');
        fpu.run('FNSAVE', { memory: true, size });
        expect(fpu.bytes.slice(DATA, DATA + 108)).toEqual(image);
      }
    });

    it('lays the registers behind the environment, ST0 first', () => {
      fpu.run('FLD1');
      fpu.run('FLDPI');
      fpu.run('FNSAVE', { memory: true, size: 1 });
      expect(fpu.view.getBigUint64(DATA + 14, true)).toBe(0xc90fdaa22168c235n);
      expect(fpu.view.getUint16(DATA + 22, true)).toBe(0x4000);
      expect(fpu.view.getBigUint64(DATA + 24, true)).toBe(0x8000000000000000n);
    });
  });

  describe('stack', () => {
    it('reports overflow with C1 and underflow without', () => {
      for (let i = 0; i < 8; i++) fpu.run('FLD1');
      fpu.run('FLD1');
      expect(status() & 0x241).toBe(0x241);
      expect(st(0)).toBe('ffffc000000000000000');
      fpu.run('FNINIT');
      fpu.run('FADD_ST0');
      expect(status() & 0x241).toBe(0x41);
    });

    it('changes nothing on an unmasked overflow', () => {
      for (let i = 0; i < 8; i++) fpu.run('FLD1');
      fpu.file.set32('FPU_CW', 0x37e);
      fpu.run('FLDPI');
      expect(status()).toBe(0x82c1);
      expect(st(0)).toBe(ONE);
    });
  });

  describe('transcendental functions', () => {
    it.each(VECTORS)('%s of %s, %s is %s', (name, st1, st0, result) => {
      setSt(0, st0);
      if (/^F(PATAN|YL2X)/.test(name)) setSt(1, st1);
      expect(fpu.run(name)).toBe(0);
      expect(st(name === 'FPTAN' ? 1 : 0)).toBe(result);
      expect(status() & 0x20).toBe(0x20);
    });

    it('leaves angles of 2^63 alone and sets C2', () => {
      for (const name of ['FSIN', 'FCOS', 'FPTAN', 'FSINCOS']) {
        fpu.run('FNINIT');
        setSt(0, 'c03e8000000000000000');
        fpu.run(name);
        expect(status() & 0x400, name).toBe(0x400);
        expect(st(0)).toBe('c03e8000000000000000');
      }
    });
  });
}

describe('functions', () => {
  x87Tests(fpuFunctions);

  // On the processor, any instruction is behind an interrupt that waits.
  it('takes a waiting interrupt before the next waiting instruction, with CR0.NE clear', async () => {
    const fpu = await fpuFunctions();
    const { file } = fpu;
    const state = (): number[] => ['FPU_SW', 'FPU_TOP', 'FPU_TAG'].map((name) => file.get32(name));
    fpu.reset();
    fpu.run('FNINIT');
    fpu.run('FLDZ');
    fpu.run('FLD1');
    file.set64('CR0', CR0_PE);
    file.set32('FPU_CW', 0x37b);
    expect(fpu.run('FDIV_ST0', { opcode: 0xd8 })).toBe(0);
    expect(fpu.ferrCount()).toBe(1);
    fpu.interrupt(0x75);
    file.set32('EVENTS', EVENT.INTR);
    expect(fpu.run('FLD1'), 'interrupts disabled').toBe(0);
    file.set32('EFLAGS_SYSTEM', 0x202);
    const before = state();
    expect(fpu.run('FLDPI')).toBe(0x75);
    expect(state()).toEqual(before);
    expect(fpu.run('FNSTSW_AX')).toBe(0);
    file.set32('EVENTS', 0);
    expect(fpu.run('FLDPI')).toBe(0);
  });
});

inEveryJitMode(() => {
  x87Tests(fpuProcessor);
});
