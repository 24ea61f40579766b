// Words for a guest that cannot go on.

import type { Logger } from '../base/logger.ts';
import type { CpuState, FaultReport, Vcpu } from '../cpu/contract.ts';
import type { VmExit } from '../protocol/vm-messages.ts';
import { processorsOf } from './processors.ts';

const FLAG_IF = 0x200n;

function hex(value: number | bigint): string {
  return value.toString(16).padStart(4, '0');
}

export function guestFault(report: FaultReport): VmExit {
  const exceptions = report.lastExceptions.map((entry) => `  #${entry.vector} error ${hex(entry.errorCode)} at ${hex(entry.cs)}:${hex(entry.rip)}`);
  const processor = report.processor === undefined ? '' : `processor ${report.processor}: `;
  return {
    reason: 'fault',
    message: `${processor}${report.what ?? 'triple fault'} at CS:RIP ${hex(report.cs)}:${hex(report.rip)}`,
    report: `${report.registers}\nlast exceptions, oldest first:\n${exceptions.join('\n')}`,
  };
}

/** No interrupt wakes it; NMI and INIT would. */
function isDead({ activity, rflags }: CpuState): boolean {
  return activity === 'wait-for-sipi' || (activity === 'halted' && (rflags & FLAG_IF) === 0n);
}

/** Hardware just sits there, and so do we: the screen stays and a reset helps. But whoever waits should know. */
export function tellIfHaltedForGood(vcpu: Vcpu, log: Logger): void {
  if (!processorsOf(vcpu).every((processor) => isDead(processor.getState()))) return;
  const { segments, rip } = vcpu.getState();
  log.log('warn', `The guest has halted with interrupts off at CS:RIP ${hex(segments.cs.selector)}:${hex(rip)}; only a reset can wake it`);
}
