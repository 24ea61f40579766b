// x87 control instructions: control and status words, environment and state images in the 16/32-bit, real/protected forms.
// Image layouts: Intel SDM volume 1, figures 8-9 to 8-12.

import { f80IsNormal, f80IsZero } from './f80';
import {
  CR0, EFLAGS_SYSTEM, FPU_CS, FPU_CW, FPU_DP, FPU_DS, FPU_IP, FPU_OPCODE, FPU_REG, FPU_SW, FPU_TAG, FPU_TOP, SCRATCH,
} from './generated/layout';
import { load16, store16, store32 } from './memory';
import { linear, linearForWrite, opSize } from './op';
import { cpu, get32, get64, set32, set64 } from './state';
import { probeRange, setStatus, setTop } from './x87-state';

const CW_KEPT: u32 = 0x1f7f;
const CW_ALWAYS: u32 = 0x40;
const EXCEPTION_MASKS: u32 = 0x3f;

/** FNINIT: registers and their contents stay, tags say empty. */
export function initialize(): void {
  set32(FPU_CW, 0x37f);
  set32(FPU_SW, 0);
  set32(FPU_TOP, 0);
  set32(FPU_TAG, 0xffff);
  set32(FPU_OPCODE, 0);
  set64(FPU_IP, 0);
  set64(FPU_DP, 0);
  set32(FPU_CS, 0);
  set32(FPU_DS, 0);
}

export function statusWord(): u32 {
  return get32(FPU_SW) | (get32(FPU_TOP) << 11);
}

/** A new control word can bring ES up or down for exceptions that are already flagged. */
export function setControlWord(value: u32): void {
  set32(FPU_CW, (value & CW_KEPT) | CW_ALWAYS);
  setStatus(get32(FPU_SW));
}

/** The full tag word, from contents: 0 valid, 1 zero, 2 special, 3 empty. */
export function tagWord(): u32 {
  const tags = get32(FPU_TAG);
  let word: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    let tag = (tags >> (i << 1)) & 3;
    if (tag != 3) {
      const at = cpu + (<usize>i << 4);
      const sig = load<u64>(at, FPU_REG);
      const exp = <u32>load<u16>(at, FPU_REG + 8);
      tag = f80IsZero(exp, sig) ? 1 : f80IsNormal(exp, sig) ? 0 : 2;
    }
    word |= tag << (i << 1);
  }
  return word;
}

// @ts-ignore: decorator
@inline
function protectedFormat(): bool {
  return (get64(CR0) & 1) != 0 && (get32(EFLAGS_SYSTEM) & 0x20000) == 0;
}

/** Bytes of the environment image. */
// @ts-ignore: decorator
@inline
function environmentBytes(op: usize): u32 {
  return opSize(op) == 1 ? 14 : 28;
}

function storeEnvironment(op: usize, at: u64): void {
  const ip = get64(FPU_IP);
  const dp = get64(FPU_DP);
  const cs = get32(FPU_CS);
  const ds = get32(FPU_DS);
  const opcode = get32(FPU_OPCODE) & 0x7ff;
  if (opSize(op) == 1) {
    store16(at, get32(FPU_CW));
    store16(at + 2, statusWord());
    store16(at + 4, tagWord());
    if (protectedFormat()) {
      store16(at + 6, <u32>ip);
      store16(at + 8, cs);
      store16(at + 10, <u32>dp);
      store16(at + 12, ds);
    } else {
      const code = <u32>ip + (cs << 4);
      const data = <u32>dp + (ds << 4);
      store16(at + 6, code);
      store16(at + 8, ((code >> 4) & 0xf000) | opcode);
      store16(at + 10, data);
      store16(at + 12, (data >> 4) & 0xf000);
    }
    return;
  }
  store32(at, 0xffff0000 | get32(FPU_CW));
  store32(at + 4, 0xffff0000 | statusWord());
  store32(at + 8, 0xffff0000 | tagWord());
  if (protectedFormat()) {
    store32(at + 12, <u32>ip);
    store32(at + 16, (opcode << 16) | (cs & 0xffff));
    store32(at + 20, <u32>dp);
    store32(at + 24, 0xffff0000 | ds);
  } else {
    const code = <u32>ip + (cs << 4);
    const data = <u32>dp + (ds << 4);
    store32(at + 12, 0xffff0000 | code);
    store32(at + 16, ((code >> 16) << 12) | opcode);
    store32(at + 20, 0xffff0000 | data);
    store32(at + 24, (data >> 16) << 12);
  }
}

/** FNSTENV: afterwards every exception is masked. */
export function storeEnvironmentImage(op: usize): void {
  const bytes = environmentBytes(op);
  const at = linearForWrite(op, bytes);
  probeRange(at, bytes);
  storeEnvironment(op, at);
  setControlWord(get32(FPU_CW) | EXCEPTION_MASKS);
}

/** Takes an environment that was copied to SCRATCH: all loads that can fault are done. */
function applyEnvironment(op: usize): void {
  const at = cpu + SCRATCH;
  let cw: u32;
  let sw: u32;
  let tags: u32;
  if (opSize(op) == 1) {
    cw = load<u16>(at);
    sw = load<u16>(at, 2);
    tags = load<u16>(at, 4);
    const ip = <u32>load<u16>(at, 6);
    const second = <u32>load<u16>(at, 8);
    const dp = <u32>load<u16>(at, 10);
    const fourth = <u32>load<u16>(at, 12);
    if (protectedFormat()) setPointers(ip, second, dp, fourth);
    else {
      setPointers(ip | ((second & 0xf000) << 4), 0, dp | ((fourth & 0xf000) << 4), 0);
      set32(FPU_OPCODE, second & 0x7ff);
    }
  } else {
    cw = load<u16>(at);
    sw = load<u16>(at, 4);
    tags = load<u16>(at, 8);
    const ip = load<u32>(at, 12);
    const second = load<u32>(at, 16);
    const dp = load<u32>(at, 20);
    const fourth = load<u32>(at, 24);
    if (protectedFormat()) {
      setPointers(ip, second & 0xffff, dp, fourth & 0xffff);
      set32(FPU_OPCODE, (second >> 16) & 0x7ff);
    } else {
      setPointers((ip & 0xffff) | ((second & 0x0ffff000) << 4), 0, (dp & 0xffff) | ((fourth & 0x0ffff000) << 4), 0);
      set32(FPU_OPCODE, second & 0x7ff);
    }
  }
  set32(FPU_TAG, tags);
  setTop(sw >> 11);
  set32(FPU_CW, (cw & CW_KEPT) | CW_ALWAYS);
  setStatus(sw);
}

function setPointers(ip: u32, cs: u32, dp: u32, ds: u32): void {
  set64(FPU_IP, <u64>ip);
  set32(FPU_CS, cs);
  set64(FPU_DP, <u64>dp);
  set32(FPU_DS, ds);
}

/** Copies `bytes` (even) from linear memory to SCRATCH. */
function copyToScratch(from: u64, bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i += 2) store<u16>(cpu + SCRATCH + <usize>i, load16(from + <u64>i));
}

export function loadEnvironmentImage(op: usize): void {
  const bytes = environmentBytes(op);
  copyToScratch(linear(op, bytes), bytes);
  applyEnvironment(op);
}

/** FNSAVE: environment and ST0 to ST7, then FNINIT. */
export function saveState(op: usize): void {
  const bytes = environmentBytes(op);
  const at = linearForWrite(op, bytes + 80);
  probeRange(at, bytes + 80);
  storeEnvironment(op, at);
  const top = get32(FPU_TOP);
  for (let i: u32 = 0; i < 8; i++) {
    const from = cpu + (<usize>((top + i) & 7) << 4);
    const to = at + <u64>(bytes + i * 10);
    // Word by word: the image asks for no more alignment.
    for (let k: u32 = 0; k < 10; k += 2) store16(to + <u64>k, load<u16>(from + <usize>k, FPU_REG));
  }
  initialize();
}

export function restoreState(op: usize): void {
  const bytes = environmentBytes(op);
  copyToScratch(linear(op, bytes + 80), bytes + 80);
  applyEnvironment(op);
  const top = get32(FPU_TOP);
  for (let i: u32 = 0; i < 8; i++) {
    const from = cpu + SCRATCH + <usize>(bytes + i * 10);
    const to = cpu + (<usize>((top + i) & 7) << 4);
    store<u64>(to, load<u64>(from), FPU_REG);
    store<u16>(to, load<u16>(from, 8), FPU_REG + 8);
  }
}
