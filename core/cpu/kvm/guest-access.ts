// The guest's memory and registers for the BIOS, debuggers and reports while KVM holds the processor.

import type { PhysicalMemory } from '../../memory/physical-memory.ts';
import type { CpuState, FaultReport, VcpuIo } from '../contract.ts';
import { KVM, SREGS } from './ioctl.ts';
import { REGS_ORDER, SEGMENT_AT } from './kvm-state.ts';
import { AT, type VcpuFile } from './vcpu-file.ts';

/** A vCPU that stands still. */
export interface StandingVcpu {
  readonly file: VcpuFile;
  /** View of struct kvm_regs as of now; the registers start at AT.REGS. */
  regs(): DataView;
  /** View of struct kvm_sregs as of now, at AT.SREGS. */
  sregs(): DataView;
}

const PAGE_BYTES = 4096;
const CR0_PG = 0x8000_0000;
const RIP = 128;

/** Reads into `bytes`, or writes them. @returns false when a page is not mapped; what came before it is done */
export function accessLinear(core: StandingVcpu, memory: PhysicalMemory, io: VcpuIo, address: number, bytes: Uint8Array, write: boolean): boolean {
  const paging = (core.sregs().getUint32(AT.SREGS + SREGS.CR0, true) & CR0_PG) !== 0;
  for (let at = 0; at < bytes.length; ) {
    const linear = address + at;
    const physical = paging ? core.file.translate(linear) : linear;
    if (physical < 0) return false;
    const piece = bytes.subarray(at, Math.min(bytes.length, at + PAGE_BYTES - (linear % PAGE_BYTES)));
    const direct = memory.directBytes(physical, piece.length, write);
    if (direct === undefined) {
      for (let i = 0; i < piece.length; i++) {
        if (write) io.mmioWrite(physical + i, 1, piece[i] ?? 0);
        else piece[i] = io.mmioRead(physical + i, 1);
      }
    } else if (write) {
      direct.set(piece);
      memory.noteWritten(physical, piece.length);
    } else piece.set(direct);
    at += piece.length;
  }
  return true;
}

/** Low half of a register by its canonical number. */
export function registerOf(core: StandingVcpu, index: number): number {
  return core.regs().getUint32(AT.REGS + (REGS_ORDER[index] ?? 0) * 8, true);
}

/** Sets it; the high half becomes 0. */
export function setRegister(core: StandingVcpu, index: number, value: number): void {
  const at = AT.REGS + (REGS_ORDER[index] ?? 0) * 8;
  const view = core.regs();
  view.setUint32(at, value, true);
  view.setUint32(at + 4, 0, true);
  core.file.call(KVM.SET_REGS, AT.REGS, 'write registers');
}

export function segmentOf(core: StandingVcpu, name: keyof CpuState['segments']): { selector: number; base: number } {
  const view = core.sregs();
  const at = AT.SREGS + SEGMENT_AT[name];
  return { selector: view.getUint16(at + 12, true), base: core.file.exchange.get64(at) };
}

/** Linear address of the next instruction; exact below 2^53. */
export function nextLinear(core: StandingVcpu): number {
  core.regs();
  return segmentOf(core, 'cs').base + core.file.exchange.get64(AT.REGS + RIP);
}

/** KVM tells of no exceptions, so the report names none. */
export function faultReportOf(state: CpuState): FaultReport {
  const names = ['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15'];
  const hex = (value: bigint): string => value.toString(16).padStart(16, '0');
  const rows = [0, 4, 8, 12].map((first) => names.slice(first, first + 4).map((name, i) => `${name.padEnd(3)}=${hex(state.gpr[first + i] ?? 0n)}`).join(' '));
  rows.push(`CR0=${hex(state.cr0)} CR2=${hex(state.cr2)} CR3=${hex(state.cr3)} CR4=${hex(state.cr4)}`, `EFER=${state.efer.toString(16)} EFLAGS=${state.rflags.toString(16).padStart(8, '0')}`);
  return { cs: state.segments.cs.selector, rip: state.rip, registers: rows.join('\n'), lastExceptions: [] };
}
