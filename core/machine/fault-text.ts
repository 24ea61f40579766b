// Words for a guest that cannot go on.

import type { FaultReport } from '../cpu/contract.ts';
import type { VmExit } from '../protocol/vm-messages.ts';

export function hex(value: number | bigint): string {
  return value.toString(16).padStart(4, '0');
}

export function guestFault(report: FaultReport): VmExit {
  const exceptions = report.lastExceptions.map((entry) => `  #${entry.vector} error ${hex(entry.errorCode)} at ${hex(entry.cs)}:${hex(entry.rip)}`);
  return {
    reason: 'fault',
    message: `${report.what ?? 'triple fault'} at CS:RIP ${hex(report.cs)}:${hex(report.rip)}`,
    report: `${report.registers}\nlast exceptions, oldest first:\n${exceptions.join('\n')}`,
  };
}
