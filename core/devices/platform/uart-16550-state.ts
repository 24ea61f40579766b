// Saved form of a 16550A.

import { z } from 'zod';
import { bytesUpTo, deadlineNs, flag, u16, u8 } from './state-fields.ts';
import { UART_BACKLOG_BYTES } from './uart-16550-backlog.ts';
import { FIFO_DEPTH } from './uart-16550-fifo.ts';

export const uart16550Schema = z.strictObject({
  ier: u8,
  lcr: u8,
  mcr: u8,
  msr: u8,
  scr: u8,
  fcr: u8,
  divisor: u16,
  lineErrors: u8,
  transmitIdle: flag,
  thrPending: flag,
  timeoutPending: flag,
  modemInputs: u8,
  receiveData: bytesUpTo(FIFO_DEPTH),
  receiveErrors: bytesUpTo(FIFO_DEPTH),
  transmitData: bytesUpTo(FIFO_DEPTH),
  backlog: bytesUpTo(UART_BACKLOG_BYTES),
  timeoutDeadline: deadlineNs,
  transmitDeadline: deadlineNs,
  receiveDeadline: deadlineNs,
});
