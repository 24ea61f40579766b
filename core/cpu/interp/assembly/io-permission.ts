// Port access rights: IOPL, else the I/O permission bitmap of a 32-bit (or 64-bit) TSS. Intel SDM volume 1, 19.5.

import { ioBreakpoint } from './debug';
import { iopl } from './eflags';
import { raiseGp0 } from './fault';
import { CPL, DR } from './generated/layout';
import { loadSystem16 } from './memory';
import { isProtected, isReal, segAccess, segBase, segLimit, TR } from './modes';
import { get32, get64 } from './state';

/** Raises #GP(0) when the current program may not touch `size` ports from `port` on. Notes I/O breakpoints. */
export function checkIoPermission(port: u32, size: u32): void {
  if (!isReal() && (!isProtected() || get32(CPL) > iopl())) checkBitmap(port, size);
  if ((get64(DR + 7 * 8) & 0xff) != 0) ioBreakpoint(port, size);
}

function checkBitmap(port: u32, size: u32): void {
  const limit = segLimit(TR);
  if ((segAccess(TR) & 9) != 9 || limit < 0x67) raiseGp0();
  const at = loadSystem16(segBase(TR) + 0x66) + (port >> 3);
  // Two bytes are always read, so that no access needs a third.
  if (at + 1 > limit) raiseGp0();
  const bits = loadSystem16(segBase(TR) + <u64>at) >> (port & 7);
  if ((bits & ((1 << size) - 1)) != 0) raiseGp0();
}
