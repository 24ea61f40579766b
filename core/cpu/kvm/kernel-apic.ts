// The local APIC of one vCPU where the kernel runs it, and whether that vCPU is at work, halted or waiting for a start-up
// message, which is the kernel's to know then. Belongs to the vCPU's thread; the guest must stand still.

import type { CpuState } from '../contract.ts';
import { KVM, MP_STATE } from './ioctl.ts';
import { APIC_IRR, APIC_ISR, LAPIC_STATE_BYTES, type LocalApicExtras, type LocalApicFields, localApicToKvm } from './irqchip-state.ts';
import type { KvmState } from './kvm-state.ts';
import { AT, type VcpuFile } from './vcpu-file.ts';

const MSR_APIC_BASE = 0x1b;
const MSR_TSC_DEADLINE = 0x6e0;

export interface KernelApicState {
  /** The register page. */
  readonly page: Uint8Array;
  readonly extras: LocalApicExtras;
}

/** @param nowNs virtual time, for the timer's present count */
export function kernelApicOf(fields: LocalApicFields, nowNs: number): KernelApicState {
  const { baseLow, baseHigh, timer } = fields;
  return { page: localApicToKvm(fields, nowNs), extras: { baseLow, baseHigh, deadlineLow: timer.deadlineLow, deadlineHigh: timer.deadlineHigh } };
}

const low = (value: bigint): number => Number(value & 0xffff_ffffn);
const high = (value: bigint): number => Number(value >> 32n);
const quad = (lowHalf: number, highHalf: number): bigint => (BigInt(highHalf) << 32n) | BigInt(lowHalf >>> 0);

export class KernelApic {
  private readonly file: VcpuFile;
  private readonly state: KvmState;

  constructor(file: VcpuFile, state: KvmState) {
    this.file = file;
    this.state = state;
  }

  activity(): CpuState['activity'] {
    const { file } = this;
    file.call(KVM.GET_MP_STATE, AT.MP_STATE, 'read the activity');
    switch (file.view.getUint32(AT.MP_STATE, true)) {
      case MP_STATE.HALTED:
        return 'halted';
      case MP_STATE.UNINITIALIZED:
      case MP_STATE.INIT_RECEIVED:
        return 'wait-for-sipi';
      default:
        return 'running';
    }
  }

  /** @returns false when KVM refuses */
  setActivity(wanted: CpuState['activity']): boolean {
    const value = wanted === 'halted' || wanted === 'mwait' ? MP_STATE.HALTED : wanted === 'wait-for-sipi' ? MP_STATE.INIT_RECEIVED : MP_STATE.RUNNABLE;
    this.file.view.setUint32(AT.MP_STATE, value, true);
    return this.file.tryCall(KVM.SET_MP_STATE, AT.MP_STATE) >= 0;
  }

  read(): KernelApicState {
    const { file, state } = this;
    file.call(KVM.GET_LAPIC, AT.LAPIC, 'read the local APIC');
    const page = file.exchange.bytes.slice(AT.LAPIC, AT.LAPIC + LAPIC_STATE_BYTES);
    const base = state.readMsr(MSR_APIC_BASE) ?? 0n;
    const deadline = state.readMsr(MSR_TSC_DEADLINE) ?? 0n;
    return { page, extras: { baseLow: low(base), baseHigh: high(base), deadlineLow: low(deadline), deadlineHigh: high(deadline) } };
  }

  /** @returns what KVM refuses, or undefined */
  write({ page, extras }: KernelApicState): string | undefined {
    const { file, state } = this;
    if (!state.writeMsr(MSR_APIC_BASE, quad(extras.baseLow, extras.baseHigh))) return 'the local APIC\'s base';
    file.exchange.bytes.set(page, AT.LAPIC);
    if (file.tryCall(KVM.SET_LAPIC, AT.LAPIC) < 0) return 'the local APIC';
    if (extras.deadlineLow !== 0 || extras.deadlineHigh !== 0) state.writeMsr(MSR_TSC_DEADLINE, quad(extras.deadlineLow, extras.deadlineHigh));
    return undefined;
  }

  /**
   * An interrupt that is acknowledged but has not reached the guest has no place in a saved state: it becomes a request
   * again. @returns its vector when it is one of the 8259s, else -1
   */
  takeBackInterrupt(): number {
    const { file } = this;
    const { view } = file;
    const vector = file.takeInjectedInterrupt();
    if (vector < 0) return -1;
    file.call(KVM.GET_LAPIC, AT.LAPIC, 'read the local APIC');
    const bitOf = (registers: number): { readonly at: number; readonly mask: number } => ({ at: AT.LAPIC + registers + (vector >> 5) * 16, mask: 1 << (vector & 31) });
    const inService = bitOf(APIC_ISR);
    const served = view.getUint32(inService.at, true);
    if ((served & inService.mask) === 0) return vector;
    view.setUint32(inService.at, (served & ~inService.mask) >>> 0, true);
    const requested = bitOf(APIC_IRR);
    view.setUint32(requested.at, (view.getUint32(requested.at, true) | requested.mask) >>> 0, true);
    file.call(KVM.SET_LAPIC, AT.LAPIC, 'take back an interrupt');
    return -1;
  }
}
