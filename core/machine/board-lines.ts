// Small wires between the processor, the board and the log.

import type { Logger } from '../base/logger.ts';
import type { PcBoard } from './pc-board.ts';

const LINE_MAX = 1000;

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
