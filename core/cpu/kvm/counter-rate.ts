// The rate of a vCPU's time-stamp counter, which a restored machine brings along.

import type { Logger } from '../../base/logger.ts';
import { KVM } from './ioctl.ts';
import type { VcpuFile } from './vcpu-file.ts';

/** Asks KVM for `tscHz` ticks a second. @returns the ticks that the counter has then, and whether that is what was asked for, as far as KVM tells */
export function giveCounterRate(file: VcpuFile, tscHz: number): { readonly hz: number; readonly given: boolean } {
  const wantedKhz = Math.round(tscHz / 1000);
  const khz = file.callPlain(KVM.GET_TSC_KHZ);
  const given = khz === wantedKhz || file.callPlain(KVM.SET_TSC_KHZ, wantedKhz) >= 0;
  return { hz: given || khz <= 0 ? tscHz : khz * 1000, given };
}

export function warnOfCounterRate(log: Logger, tscHz: number): void {
  log.log('warn', `The saved machine's time-stamp counter ran at ${Math.round(tscHz / 1e6)} MHz, which this host's KVM cannot give: clocks that the guest took from it may be off`);
}
