// Classifies ATA command codes: the many read, write and verify variants become one description each.

import * as A from './ata-registers.ts';

export type TransferKind = 'read' | 'write' | 'verify';

export type AtaCommand =
  | {
      readonly kind: 'transfer';
      readonly transfer: TransferKind;
      readonly dma: boolean;
      /** 48-bit address and 16-bit count. */
      readonly wide: boolean;
      /** Blocks of as many sectors as SET MULTIPLE MODE said. */
      readonly multiple: boolean;
      /** Forced unit access: on stable storage before the command ends. */
      readonly flushAfter: boolean;
    }
  | { readonly kind: 'other'; readonly code: number };

function transfer(kind: TransferKind, options: { dma?: boolean; wide?: boolean; multiple?: boolean; flushAfter?: boolean } = {}): AtaCommand {
  return {
    kind: 'transfer',
    transfer: kind,
    dma: options.dma ?? false,
    wide: options.wide ?? false,
    multiple: options.multiple ?? false,
    flushAfter: options.flushAfter ?? false,
  };
}

const TRANSFERS: Readonly<Record<number, AtaCommand>> = {
  [A.CMD_READ_SECTORS]: transfer('read'),
  [A.CMD_READ_SECTORS_NO_RETRY]: transfer('read'),
  [A.CMD_READ_SECTORS_EXT]: transfer('read', { wide: true }),
  [A.CMD_READ_MULTIPLE]: transfer('read', { multiple: true }),
  [A.CMD_READ_MULTIPLE_EXT]: transfer('read', { wide: true, multiple: true }),
  [A.CMD_READ_DMA]: transfer('read', { dma: true }),
  [A.CMD_READ_DMA_NO_RETRY]: transfer('read', { dma: true }),
  [A.CMD_READ_DMA_EXT]: transfer('read', { dma: true, wide: true }),
  [A.CMD_WRITE_SECTORS]: transfer('write'),
  [A.CMD_WRITE_SECTORS_NO_RETRY]: transfer('write'),
  [A.CMD_WRITE_SECTORS_EXT]: transfer('write', { wide: true }),
  [A.CMD_WRITE_VERIFY]: transfer('write'),
  [A.CMD_WRITE_MULTIPLE]: transfer('write', { multiple: true }),
  [A.CMD_WRITE_MULTIPLE_EXT]: transfer('write', { wide: true, multiple: true }),
  [A.CMD_WRITE_MULTIPLE_FUA_EXT]: transfer('write', { wide: true, multiple: true, flushAfter: true }),
  [A.CMD_WRITE_DMA]: transfer('write', { dma: true }),
  [A.CMD_WRITE_DMA_NO_RETRY]: transfer('write', { dma: true }),
  [A.CMD_WRITE_DMA_EXT]: transfer('write', { dma: true, wide: true }),
  [A.CMD_WRITE_DMA_FUA_EXT]: transfer('write', { dma: true, wide: true, flushAfter: true }),
  [A.CMD_READ_VERIFY]: transfer('verify'),
  [A.CMD_READ_VERIFY_NO_RETRY]: transfer('verify'),
  [A.CMD_READ_VERIFY_EXT]: transfer('verify', { wide: true }),
};

/** Describes a command; RECALIBRATE, SEEK and the old power commands come back under one code each. */
export function ataCommand(code: number): AtaCommand {
  const known = TRANSFERS[code];
  if (known !== undefined) return known;
  const row = code & 0xf0;
  if (row === A.CMD_RECALIBRATE || row === A.CMD_SEEK) return { kind: 'other', code: row };
  return { kind: 'other', code: A.OLD_POWER_COMMANDS[code] ?? code };
}
