// IN and OUT with the permission check of protected mode (control.ts).

import { checkIoPermission } from './io-permission';
import { hostPortIn, hostPortOut } from './env';
import { opSize } from './op';
import { reg16, reg32, reg8, setReg16, setReg32, setReg8 } from './state';

export function portIn(op: usize, port: u32): void {
  const size = <u32>1 << opSize(op);
  checkIoPermission(port, size);
  const value = hostPortIn(port, size);
  if (size == 1) setReg8(0, value);
  else if (size == 2) setReg16(0, value);
  else setReg32(0, value);
}

export function portOut(op: usize, port: u32): void {
  const size = <u32>1 << opSize(op);
  checkIoPermission(port, size);
  hostPortOut(port, size, size == 1 ? reg8(0) : size == 2 ? reg16(0) : reg32(0));
}
