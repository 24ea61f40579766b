// Small wires between the processor, the board and the log.

import type { Logger } from '../base/logger.ts';
import type { SiblingVcpu, Vcpu, VcpuOptions } from '../cpu/contract.ts';
import { DISPLAY_WINDOW, type PcBoard, type PcBoardOptions } from './pc-board.ts';

const LINE_MAX = 1000;

/** What a processor reaches of the board. */
export function processorLines(board: PcBoard): Pick<VcpuOptions, 'io' | 'interrupts' | 'msrs' | 'postedWrites'> {
  return {
    io: {
      portRead: (port, size) => board.ports.read(port, size),
      portWrite: (port, size, value) => board.ports.write(port, size, value),
      mmioRead: (address, size) => board.mmio.read(address, size),
      mmioWrite: (address, size, value) => board.mmio.write(address, size, value),
    },
    postedWrites: [DISPLAY_WINDOW],
    interrupts: board.localApic,
    msrs: {
      read: (index, out) => board.localApic.readMsr(index, out) || board.kvmClock?.readMsr(index, out) === true,
      write: (index, low, high) => board.localApic.writeMsr(index, low, high) || board.kvmClock?.writeMsr(index, low, high) === true,
    },
  };
}

/** What the board does to its processors. @param first undefined while there is none: devices drive their outputs while they are made */
export function boardToProcessors(first: () => Vcpu | undefined): Pick<PcBoardOptions, 'setInterruptRequest' | 'raiseNmi' | 'raiseInit' | 'raiseStartup' | 'setA20'> {
  const processor = (cpu: number): SiblingVcpu | undefined => (cpu === 0 ? first() : first()?.siblings?.[cpu - 1]);
  return {
    setInterruptRequest: (cpu, level) => processor(cpu)?.setInterruptRequest(level),
    raiseNmi: (cpu) => processor(cpu)?.raiseNmi(),
    raiseInit: (cpu) => processor(cpu)?.raiseInit(),
    raiseStartup: (cpu, vector) => processor(cpu)?.raiseStartup(vector),
    setA20: (enabled) => first()?.setA20(enabled),
  };
}

/** FERR# of the FPU is IRQ 13; the guest clears it through port F0h. */
export function ferrLine(board: PcBoard): (level: boolean) => void {
  const line = board.irqs.isa(13);
  board.ports.register(0xf0, 1, { readPort: () => 0xff, writePort: () => line.set(false) });
  return (level) => line.set(level);
}

/** Collects debug console bytes into lines for the log. */
export function debugLines(log: Logger): (byte: number) => void {
  let line = '';
  return (byte) => {
    if (byte === 10 || line.length >= LINE_MAX) {
      log.log('debug', `debug console: ${line}`);
      line = '';
    } else if (byte >= 32) line += String.fromCharCode(byte);
  };
}
