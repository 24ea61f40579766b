// The x87 instruction group: one case per row name of core/cpu/isa/opcodes-x87.ts. Every case checks #NM and pending
// exceptions, reads memory before any change, computes with f80*.ts, and moves the flags to the status word last.
// Specification: Intel SDM volume 1 chapter 8 and volume 2.

import {
  SUB_F2XM1, SUB_FABS, SUB_FADDP_STI, SUB_FADD_M32, SUB_FADD_M64, SUB_FADD_ST0, SUB_FADD_STI, SUB_FBLD, SUB_FBSTP,
  SUB_FCHS, SUB_FCMOVB, SUB_FCMOVBE, SUB_FCMOVE, SUB_FCMOVNB, SUB_FCMOVNBE, SUB_FCMOVNE, SUB_FCMOVNU, SUB_FCMOVU,
  SUB_FCOMI, SUB_FCOMIP, SUB_FCOMPP, SUB_FCOMP_M32, SUB_FCOMP_M64, SUB_FCOMP_ST0, SUB_FCOM_M32, SUB_FCOM_M64,
  SUB_FCOM_ST0, SUB_FCOS, SUB_FDECSTP, SUB_FDIVP_STI, SUB_FDIVRP_STI, SUB_FDIVR_M32, SUB_FDIVR_M64, SUB_FDIVR_ST0,
  SUB_FDIVR_STI, SUB_FDIV_M32, SUB_FDIV_M64, SUB_FDIV_ST0, SUB_FDIV_STI, SUB_FFREE, SUB_FFREEP, SUB_FIADD_M16,
  SUB_FIADD_M32, SUB_FICOMP_M16, SUB_FICOMP_M32, SUB_FICOM_M16, SUB_FICOM_M32, SUB_FIDIVR_M16, SUB_FIDIVR_M32,
  SUB_FIDIV_M16, SUB_FIDIV_M32, SUB_FILD_M16, SUB_FILD_M32, SUB_FILD_M64, SUB_FIMUL_M16, SUB_FIMUL_M32, SUB_FINCSTP,
  SUB_FISTP_M16, SUB_FISTP_M32, SUB_FISTP_M64, SUB_FISTTP_M16, SUB_FISTTP_M32, SUB_FISTTP_M64, SUB_FIST_M16,
  SUB_FIST_M32, SUB_FISUBR_M16, SUB_FISUBR_M32, SUB_FISUB_M16, SUB_FISUB_M32, SUB_FLD1, SUB_FLDCW, SUB_FLDENV,
  SUB_FLDL2E, SUB_FLDL2T, SUB_FLDLG2, SUB_FLDLN2, SUB_FLDPI, SUB_FLDZ, SUB_FLD_M32, SUB_FLD_M64, SUB_FLD_M80,
  SUB_FLD_STI, SUB_FMULP_STI, SUB_FMUL_M32, SUB_FMUL_M64, SUB_FMUL_ST0, SUB_FMUL_STI, SUB_FNCLEX, SUB_FNINIT,
  SUB_FNOP, SUB_FNOP_CONTROL, SUB_FNSAVE, SUB_FNSTCW, SUB_FNSTENV, SUB_FNSTSW_AX, SUB_FNSTSW_M16, SUB_FPATAN,
  SUB_FPREM, SUB_FPREM1, SUB_FPTAN, SUB_FRNDINT, SUB_FRSTOR, SUB_FSCALE, SUB_FSIN, SUB_FSINCOS, SUB_FSQRT,
  SUB_FSTP1_STI, SUB_FSTP_M32, SUB_FSTP_M64, SUB_FSTP_M80, SUB_FSTP_STI, SUB_FST_M32, SUB_FST_M64, SUB_FST_STI,
  SUB_FSUBP_STI, SUB_FSUBRP_STI, SUB_FSUBR_M32, SUB_FSUBR_M64, SUB_FSUBR_ST0, SUB_FSUBR_STI, SUB_FSUB_M32,
  SUB_FSUB_M64, SUB_FSUB_ST0, SUB_FSUB_STI, SUB_FTST, SUB_FUCOM, SUB_FUCOMI, SUB_FUCOMIP, SUB_FUCOMP, SUB_FUCOMPP,
  SUB_FWAIT, SUB_FXAM, SUB_FXCH, SUB_FXTRACT, SUB_FYL2X, SUB_FYL2XP1,
} from './generated/subs';
import { f80Set, f80SetZero } from './f80';
import { f80FromBcd, f80FromF32, f80FromF64, f80FromI64 } from './f80-convert';
import { CR0, FPU_CW, FPU_SW } from './generated/layout';
import { load16, load32, load64, store16 } from './memory';
import { linear, linearForWrite, opRm, opSub } from './op';
import { raise } from './fault';
import { cpu, setReg16 } from './state';
import {
  ADD, DIV, DIVR, MUL, SUB, SUBR, arithmetic, arithmeticLoaded, compareFlags, compareLoaded, compareStack, examine,
} from './x87-arith';
import {
  initialize, loadEnvironmentImage, restoreState, saveState, setControlWord, statusWord, storeEnvironmentImage,
} from './x87-control';
import {
  RNDINT, SQRT, extract, oneOperand, partialRemainder, scale, transcendentalF2XM1, transcendentalFCOS, transcendentalFPATAN, transcendentalFPTAN,
  transcendentalFSIN, transcendentalFSINCOS, transcendentalFYL2X, transcendentalFYL2XP1,
} from './x87-functions';
import {
  changeSign, exchange, loadConstant, loadSt, moveIf, rotate, storeBcd, storeF32, storeF64, storeF80, storeInt, storeSt, storeStQuietly,
} from './x87-move';
import {
  carryFlag, checkAvailable, checkPending, enter, finish, finishKeepingC1, note, noteMemory, parityFlag, pop, pushLoaded, pushResult, setEmpty, zeroFlag,
} from './x87-state';

// Memory operands into the f80 result. The access comes before anything changes.

function loadM32(op: usize): void {
  enter();
  const value = load32(linear(op, 4));
  noteMemory(op);
  f80FromF32(value);
}

function loadM64(op: usize): void {
  enter();
  const value = load64(linear(op, 8));
  noteMemory(op);
  f80FromF64(value);
}

function loadM80(op: usize): void {
  enter();
  const at = linear(op, 10);
  const sig = load64(at);
  const exp = load16(at + 8);
  noteMemory(op);
  f80Set(exp, sig);
}

function loadI16(op: usize): void {
  enter();
  const value = load16(linear(op, 2));
  noteMemory(op);
  f80FromI64(<i64>(<i16>value));
}

function loadI32(op: usize): void {
  enter();
  const value = load32(linear(op, 4));
  noteMemory(op);
  f80FromI64(<i64>(<i32>value));
}

function loadI64(op: usize): void {
  enter();
  const value = load64(linear(op, 8));
  noteMemory(op);
  f80FromI64(<i64>value);
}

function loadBcd(op: usize): void {
  enter();
  const at = linear(op, 10);
  const low = load64(at);
  const high = load16(at + 8);
  noteMemory(op);
  f80FromBcd(low, high);
}

/** FWAIT alone minds CR0.MP instead of EM. */
function checkWait(): void {
  if ((load<u64>(cpu, CR0) & 0xa) == 0xa) raise(7);
  checkPending();
}

export function executeX87(op: usize): void {
  switch (opSub(op)) {
    case SUB_FADD_M32: loadM32(op); arithmeticLoaded(ADD); finish(); return;
    case SUB_FADD_M64: loadM64(op); arithmeticLoaded(ADD); finish(); return;
    case SUB_FIADD_M16: loadI16(op); arithmeticLoaded(ADD); finish(); return;
    case SUB_FIADD_M32: loadI32(op); arithmeticLoaded(ADD); finish(); return;
    case SUB_FADD_ST0: enter(); note(op); arithmetic(ADD, 0, opRm(op) & 7, false); finish(); return;
    case SUB_FADD_STI: enter(); note(op); arithmetic(ADD, opRm(op) & 7, 0, false); finish(); return;
    case SUB_FADDP_STI: enter(); note(op); arithmetic(ADD, opRm(op) & 7, 0, true); finish(); return;
    case SUB_FMUL_M32: loadM32(op); arithmeticLoaded(MUL); finish(); return;
    case SUB_FMUL_M64: loadM64(op); arithmeticLoaded(MUL); finish(); return;
    case SUB_FIMUL_M16: loadI16(op); arithmeticLoaded(MUL); finish(); return;
    case SUB_FIMUL_M32: loadI32(op); arithmeticLoaded(MUL); finish(); return;
    case SUB_FMUL_ST0: enter(); note(op); arithmetic(MUL, 0, opRm(op) & 7, false); finish(); return;
    case SUB_FMUL_STI: enter(); note(op); arithmetic(MUL, opRm(op) & 7, 0, false); finish(); return;
    case SUB_FMULP_STI: enter(); note(op); arithmetic(MUL, opRm(op) & 7, 0, true); finish(); return;
    case SUB_FSUB_M32: loadM32(op); arithmeticLoaded(SUB); finish(); return;
    case SUB_FSUB_M64: loadM64(op); arithmeticLoaded(SUB); finish(); return;
    case SUB_FISUB_M16: loadI16(op); arithmeticLoaded(SUB); finish(); return;
    case SUB_FISUB_M32: loadI32(op); arithmeticLoaded(SUB); finish(); return;
    case SUB_FSUB_ST0: enter(); note(op); arithmetic(SUB, 0, opRm(op) & 7, false); finish(); return;
    case SUB_FSUB_STI: enter(); note(op); arithmetic(SUB, opRm(op) & 7, 0, false); finish(); return;
    case SUB_FSUBP_STI: enter(); note(op); arithmetic(SUB, opRm(op) & 7, 0, true); finish(); return;
    case SUB_FSUBR_M32: loadM32(op); arithmeticLoaded(SUBR); finish(); return;
    case SUB_FSUBR_M64: loadM64(op); arithmeticLoaded(SUBR); finish(); return;
    case SUB_FISUBR_M16: loadI16(op); arithmeticLoaded(SUBR); finish(); return;
    case SUB_FISUBR_M32: loadI32(op); arithmeticLoaded(SUBR); finish(); return;
    case SUB_FSUBR_ST0: enter(); note(op); arithmetic(SUBR, 0, opRm(op) & 7, false); finish(); return;
    case SUB_FSUBR_STI: enter(); note(op); arithmetic(SUBR, opRm(op) & 7, 0, false); finish(); return;
    case SUB_FSUBRP_STI: enter(); note(op); arithmetic(SUBR, opRm(op) & 7, 0, true); finish(); return;
    case SUB_FDIV_M32: loadM32(op); arithmeticLoaded(DIV); finish(); return;
    case SUB_FDIV_M64: loadM64(op); arithmeticLoaded(DIV); finish(); return;
    case SUB_FIDIV_M16: loadI16(op); arithmeticLoaded(DIV); finish(); return;
    case SUB_FIDIV_M32: loadI32(op); arithmeticLoaded(DIV); finish(); return;
    case SUB_FDIV_ST0: enter(); note(op); arithmetic(DIV, 0, opRm(op) & 7, false); finish(); return;
    case SUB_FDIV_STI: enter(); note(op); arithmetic(DIV, opRm(op) & 7, 0, false); finish(); return;
    case SUB_FDIVP_STI: enter(); note(op); arithmetic(DIV, opRm(op) & 7, 0, true); finish(); return;
    case SUB_FDIVR_M32: loadM32(op); arithmeticLoaded(DIVR); finish(); return;
    case SUB_FDIVR_M64: loadM64(op); arithmeticLoaded(DIVR); finish(); return;
    case SUB_FIDIVR_M16: loadI16(op); arithmeticLoaded(DIVR); finish(); return;
    case SUB_FIDIVR_M32: loadI32(op); arithmeticLoaded(DIVR); finish(); return;
    case SUB_FDIVR_ST0: enter(); note(op); arithmetic(DIVR, 0, opRm(op) & 7, false); finish(); return;
    case SUB_FDIVR_STI: enter(); note(op); arithmetic(DIVR, opRm(op) & 7, 0, false); finish(); return;
    case SUB_FDIVRP_STI: enter(); note(op); arithmetic(DIVR, opRm(op) & 7, 0, true); finish(); return;
    case SUB_FCOM_M32: loadM32(op); compareLoaded(false); finish(); return;
    case SUB_FCOM_M64: loadM64(op); compareLoaded(false); finish(); return;
    case SUB_FICOM_M16: loadI16(op); compareLoaded(false); finish(); return;
    case SUB_FICOM_M32: loadI32(op); compareLoaded(false); finish(); return;
    case SUB_FCOM_ST0: enter(); note(op); compareStack(opRm(op) & 7, true, 0); finish(); return;
    case SUB_FCOMP_M32: loadM32(op); compareLoaded(true); finish(); return;
    case SUB_FCOMP_M64: loadM64(op); compareLoaded(true); finish(); return;
    case SUB_FICOMP_M16: loadI16(op); compareLoaded(true); finish(); return;
    case SUB_FICOMP_M32: loadI32(op); compareLoaded(true); finish(); return;
    case SUB_FCOMP_ST0: enter(); note(op); compareStack(opRm(op) & 7, true, 1); finish(); return;
    case SUB_FCOMPP: enter(); note(op); compareStack(1, true, 2); finish(); return;
    case SUB_FUCOM: enter(); note(op); compareStack(opRm(op) & 7, false, 0); finish(); return;
    case SUB_FUCOMP: enter(); note(op); compareStack(opRm(op) & 7, false, 1); finish(); return;
    case SUB_FUCOMPP: enter(); note(op); compareStack(1, false, 2); finish(); return;
    case SUB_FCOMI: enter(); note(op); compareFlags(opRm(op) & 7, true, false); finishKeepingC1(); return;
    case SUB_FCOMIP: enter(); note(op); compareFlags(opRm(op) & 7, true, true); finishKeepingC1(); return;
    case SUB_FUCOMI: enter(); note(op); compareFlags(opRm(op) & 7, false, false); finishKeepingC1(); return;
    case SUB_FUCOMIP: enter(); note(op); compareFlags(opRm(op) & 7, false, true); finishKeepingC1(); return;
    case SUB_FTST: enter(); note(op); f80SetZero(0); compareLoaded(false); finish(); return;
    case SUB_FXAM: enter(); note(op); examine(); finish(); return;
    case SUB_FLD_M32: loadM32(op); pushLoaded(); finish(); return;
    case SUB_FLD_M64: loadM64(op); pushLoaded(); finish(); return;
    case SUB_FLD_M80: loadM80(op); pushResult(); finish(); return;
    case SUB_FILD_M16: loadI16(op); pushResult(); finish(); return;
    case SUB_FILD_M32: loadI32(op); pushResult(); finish(); return;
    case SUB_FILD_M64: loadI64(op); pushResult(); finish(); return;
    case SUB_FBLD: loadBcd(op); pushResult(); finish(); return;
    case SUB_FST_M32: enter(); storeF32(op, false); noteMemory(op); finish(); return;
    case SUB_FSTP_M32: enter(); storeF32(op, true); noteMemory(op); finish(); return;
    case SUB_FST_M64: enter(); storeF64(op, false); noteMemory(op); finish(); return;
    case SUB_FSTP_M64: enter(); storeF64(op, true); noteMemory(op); finish(); return;
    case SUB_FSTP_M80: enter(); storeF80(op); noteMemory(op); finish(); return;
    case SUB_FIST_M16: enter(); storeInt(op, 16, false, false); noteMemory(op); finish(); return;
    case SUB_FISTP_M16: enter(); storeInt(op, 16, false, true); noteMemory(op); finish(); return;
    case SUB_FISTTP_M16: enter(); storeInt(op, 16, true, true); noteMemory(op); finish(); return;
    case SUB_FIST_M32: enter(); storeInt(op, 32, false, false); noteMemory(op); finish(); return;
    case SUB_FISTP_M32: enter(); storeInt(op, 32, false, true); noteMemory(op); finish(); return;
    case SUB_FISTTP_M32: enter(); storeInt(op, 32, true, true); noteMemory(op); finish(); return;
    case SUB_FISTP_M64: enter(); storeInt(op, 64, false, true); noteMemory(op); finish(); return;
    case SUB_FISTTP_M64: enter(); storeInt(op, 64, true, true); noteMemory(op); finish(); return;
    case SUB_FBSTP: enter(); storeBcd(op); noteMemory(op); finish(); return;
    case SUB_FLD_STI: enter(); note(op); loadSt(opRm(op) & 7); finish(); return;
    case SUB_FST_STI: enter(); note(op); storeSt(opRm(op) & 7, false); finish(); return;
    case SUB_FSTP_STI: enter(); note(op); storeSt(opRm(op) & 7, true); finish(); return;
    case SUB_FSTP1_STI: enter(); note(op); storeStQuietly(opRm(op) & 7); finish(); return;
    case SUB_FXCH: enter(); note(op); exchange(opRm(op) & 7); finish(); return;
    case SUB_FCHS: enter(); note(op); changeSign(0xffff, 0x8000); finish(); return;
    case SUB_FABS: enter(); note(op); changeSign(0x7fff, 0); finish(); return;
    case SUB_FCMOVB: enter(); note(op); moveIf(opRm(op) & 7, carryFlag()); finishKeepingC1(); return;
    case SUB_FCMOVNB: enter(); note(op); moveIf(opRm(op) & 7, !(carryFlag())); finishKeepingC1(); return;
    case SUB_FCMOVE: enter(); note(op); moveIf(opRm(op) & 7, zeroFlag()); finishKeepingC1(); return;
    case SUB_FCMOVNE: enter(); note(op); moveIf(opRm(op) & 7, !(zeroFlag())); finishKeepingC1(); return;
    case SUB_FCMOVBE: enter(); note(op); moveIf(opRm(op) & 7, carryFlag() || zeroFlag()); finishKeepingC1(); return;
    case SUB_FCMOVNBE: enter(); note(op); moveIf(opRm(op) & 7, !(carryFlag() || zeroFlag())); finishKeepingC1(); return;
    case SUB_FCMOVU: enter(); note(op); moveIf(opRm(op) & 7, parityFlag()); finishKeepingC1(); return;
    case SUB_FCMOVNU: enter(); note(op); moveIf(opRm(op) & 7, !(parityFlag())); finishKeepingC1(); return;
    case SUB_FLDL2T: enter(); note(op); loadConstant(0x4000, 0xd49a784bcd1b8afe, false); finish(); return;
    case SUB_FLDL2E: enter(); note(op); loadConstant(0x3fff, 0xb8aa3b295c17f0bb, true); finish(); return;
    case SUB_FLDPI: enter(); note(op); loadConstant(0x4000, 0xc90fdaa22168c234, true); finish(); return;
    case SUB_FLDLG2: enter(); note(op); loadConstant(0x3ffd, 0x9a209a84fbcff798, true); finish(); return;
    case SUB_FLDLN2: enter(); note(op); loadConstant(0x3ffe, 0xb17217f7d1cf79ab, true); finish(); return;
    case SUB_FLD1: enter(); note(op); f80Set(0x3fff, 0x8000000000000000); pushResult(); finish(); return;
    case SUB_FLDZ: enter(); note(op); f80Set(0, 0); pushResult(); finish(); return;
    case SUB_FSQRT: enter(); note(op); oneOperand(SQRT); finish(); return;
    case SUB_FRNDINT: enter(); note(op); oneOperand(RNDINT); finish(); return;
    case SUB_FPREM: enter(); note(op); partialRemainder(false); finish(); return;
    case SUB_FPREM1: enter(); note(op); partialRemainder(true); finish(); return;
    case SUB_FSCALE: enter(); note(op); scale(); finish(); return;
    case SUB_FXTRACT: enter(); note(op); extract(); finish(); return;
    case SUB_F2XM1: enter(); note(op); transcendentalF2XM1(); finish(); return;
    case SUB_FSIN: enter(); note(op); transcendentalFSIN(); finish(); return;
    case SUB_FCOS: enter(); note(op); transcendentalFCOS(); finish(); return;
    case SUB_FYL2X: enter(); note(op); transcendentalFYL2X(); finish(); return;
    case SUB_FYL2XP1: enter(); note(op); transcendentalFYL2XP1(); finish(); return;
    case SUB_FPATAN: enter(); note(op); transcendentalFPATAN(); finish(); return;
    case SUB_FSINCOS: enter(); note(op); transcendentalFSINCOS(); finish(); return;
    case SUB_FPTAN: enter(); note(op); transcendentalFPTAN(); finish(); return;
    case SUB_FNOP: enter(); note(op); return;
    case SUB_FDECSTP: enter(); note(op); rotate(7); finish(); return;
    case SUB_FINCSTP: enter(); note(op); rotate(1); finish(); return;
    case SUB_FFREE: enter(); note(op); setEmpty(opRm(op) & 7); finish(); return;
    case SUB_FFREEP: enter(); note(op); setEmpty(opRm(op) & 7); pop(); finish(); return;
    case SUB_FWAIT: checkWait(); return;
    case SUB_FNOP_CONTROL: checkAvailable(); return;
    case SUB_FNINIT: checkAvailable(); initialize(); return;
    case SUB_FNCLEX: checkAvailable(); store<u32>(cpu, load<u32>(cpu, FPU_SW) & 0x4700, FPU_SW); return;
    case SUB_FLDCW: checkAvailable(); checkPending(); setControlWord(load16(linear(op, 2))); return;
    case SUB_FNSTCW: checkAvailable(); store16(linearForWrite(op, 2), load<u32>(cpu, FPU_CW)); return;
    case SUB_FNSTSW_M16: checkAvailable(); store16(linearForWrite(op, 2), statusWord()); return;
    case SUB_FNSTSW_AX: checkAvailable(); setReg16(0, statusWord()); return;
    case SUB_FNSTENV: checkAvailable(); storeEnvironmentImage(op); return;
    case SUB_FLDENV: checkAvailable(); checkPending(); loadEnvironmentImage(op); return;
    case SUB_FNSAVE: checkAvailable(); saveState(op); return;
    case SUB_FRSTOR: checkAvailable(); checkPending(); restoreState(op); return;
    default: unreachable();
  }
}
