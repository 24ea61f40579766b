// Schema of the floppy controller's saved state, with the invariants between its fields.

import { z } from 'zod';
import { bytes, bytesUpTo, deadlineNs, listOf, u8 } from '../platform/state-fields.ts';
import { parameterCount } from './fdc-commands.ts';
import { transferSchema, type TransferState } from './fdc-transfer.ts';
import { SECTOR_BYTES } from './floppy-drive.ts';

export const FDC_STATE_VERSION = 1;

const driveSchema = z.strictObject({
  cylinder: z.int().min(0).max(83),
  diskChanged: z.boolean(),
  rotation: z.int().min(1).max(64),
});

export const fdcStateSchema = z.strictObject({
  dor: u8,
  tdr: z.int().min(0).max(3),
  rate: z.int().min(0).max(3),
  rateChosen: z.boolean(),
  phase: z.enum(['idle', 'command', 'execute', 'result']),
  command: bytes(9),
  commandLength: z.int().min(0).max(9),
  commandExpected: z.int().min(0).max(9),
  result: bytesUpTo(16),
  resultPosition: z.int().min(0).max(16),
  transfer: transferSchema.nullable(),
  pendingFault: z.strictObject({ status0: u8, status1: u8, status2: u8 }).nullable(),
  specifyStep: u8,
  specifyHeadLoad: u8,
  configure: z.int().min(0).max(0x7f),
  precompensationTrack: u8,
  locked: z.boolean(),
  perpendicular: z.int().min(0).max(0x3f),
  presentCylinder: bytes(4),
  seekResults: bytes(4),
  interruptStatus: listOf(z.int().min(-1).max(0xff), 4),
  interrupt: z.boolean(),
  seekDeadlines: listOf(deadlineNs, 4),
  resetDeadline: deadlineNs,
  executeDeadline: deadlineNs,
  drives: listOf(driveSchema, 4),
}).refine((state) => {
  switch (state.phase) {
    case 'idle': return state.transfer === null;
    case 'command': return state.commandLength < state.commandExpected && state.commandExpected === 1 + (parameterCount(state.command[0] ?? 0) ?? -1);
    case 'result': return state.transfer === null && state.resultPosition < state.result.length;
    case 'execute': return (state.transfer !== null) !== (state.pendingFault !== null && state.executeDeadline !== null);
  }
}, 'phase and transfer do not fit each other')
  .refine((state) => state.transfer === null || transferFits(state.transfer), 'transfer sizes do not fit each other');

export type FdcState = z.infer<typeof fdcStateSchema>;

function transferFits(transfer: TransferState): boolean {
  const sectors = transfer.firstCount + transfer.secondCount;
  const expected = transfer.kind === 'format' ? sectors * 4 : sectors * SECTOR_BYTES;
  if (transfer.buffer.length !== expected || transfer.position > expected || transfer.sectorId < 1) return false;
  if (transfer.sectorId + transfer.firstCount - 1 > 36 || transfer.firstCount < 1) return false;
  return transfer.stage !== 'wait' || transfer.position < expected;
}
