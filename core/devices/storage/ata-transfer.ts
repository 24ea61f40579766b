// One data command of an ATA disk as saved states hold it: its fields, the invariants between them and the data port, and
// the ranges of a TRIM command.

import { z } from 'zod';
import { MAX_MULTIPLE_SECTORS } from './ata-identify.ts';
import { type DriveBaseState, MAX_CHUNK_BYTES } from './ide-drive.ts';

export const SECTOR_BYTES = 512;
export const CHUNK_SECTORS = MAX_CHUNK_BYTES / SECTOR_BYTES;

export const ataTransferSchema = z.strictObject({
  kind: z.enum(['read', 'write', 'verify', 'trim', 'flush', 'data']),
  dma: z.boolean(),
  wide: z.boolean(),
  flushAfter: z.boolean(),
  /** First sector of the buffer's content. */
  lba: z.int().min(0).max(2 ** 48),
  /** Sectors that the guest and the drive have still to exchange, those of the present block included. */
  remaining: z.int().min(0).max(65536),
  blockSectors: z.int().min(1).max(MAX_MULTIPLE_SECTORS),
  /** Sectors of the buffer that went through the data port. */
  moved: z.int().min(0).max(CHUNK_SECTORS),
});
export type AtaTransfer = z.infer<typeof ataTransferSchema>;

/** @returns why the transfer cannot be in this phase on a disk of so many sectors, or undefined */
export function checkTransfer(base: DriveBaseState, transfer: AtaTransfer, sectors: number): string | undefined {
  const { kind, lba, remaining, moved } = transfer;
  const bufferSectors = base.buffer.length / SECTOR_BYTES;
  if (lba + moved + remaining > sectors && kind !== 'flush' && kind !== 'trim' && kind !== 'data') return 'transfer beyond the end of the disk';
  switch (base.phase) {
    case 'pio-in':
    case 'pio-out':
    case 'pause': {
      const inDirection = base.phase === 'pause' || (base.phase === 'pio-out') === (kind === 'write');
      if (transfer.dma || !inDirection || (kind !== 'read' && kind !== 'write' && kind !== 'data')) return 'block of another kind of transfer';
      if (bufferSectors < 1 || bufferSectors % 1 !== 0 || moved + 1 > bufferSectors || bufferSectors > moved + remaining) return 'block size does not fit';
      if (base.phase === 'pause') return undefined;
      const block = base.end / SECTOR_BYTES - moved;
      return block % 1 !== 0 || block < 1 || block > remaining || base.position < moved * SECTOR_BYTES ? 'block position does not fit' : undefined;
    }
    case 'dma':
      return transfer.dma && remaining > 0 ? undefined : 'no data to wait for';
    case 'medium':
      if (kind === 'flush') return undefined;
      if (kind === 'read') return remaining > 0 && moved === 0 ? undefined : 'nothing to read';
      if (kind === 'write') return moved > 0 && bufferSectors === moved ? undefined : 'written data does not fit';
      return kind === 'trim' && base.buffer.length === SECTOR_BYTES ? undefined : 'no work for the medium';
    case 'idle':
      return 'transfer without a command';
  }
}

/** The ranges of a data set management block, or undefined when one lies beyond the end. Entries of length 0 are unused. */
export function trimRanges(block: Uint8Array, sectors: number): { offset: number; length: number }[] | undefined {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const ranges: { offset: number; length: number }[] = [];
  for (let at = 0; at + 8 <= block.length; at += 8) {
    const count = view.getUint16(at + 6, true);
    if (count === 0) continue;
    const lba = view.getUint32(at, true) + view.getUint16(at + 4, true) * 0x1_0000_0000;
    if (lba + count > sectors) return undefined;
    ranges.push({ offset: lba * SECTOR_BYTES, length: count * SECTOR_BYTES });
  }
  return ranges;
}
