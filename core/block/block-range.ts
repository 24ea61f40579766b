// Range checks that every block device makes before it touches anything.

import { NestboxError } from '../base/errors.ts';

/** @throws NestboxError kind `internal`: a controller must never ask beyond the end of its medium. */
export function checkRange(sizeBytes: number, offset: number, length: number, op: string): void {
  if (
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(length) &&
    offset >= 0 &&
    length >= 0 &&
    offset + length <= sizeBytes
  )
    return;
  throw new NestboxError('internal', `Access at ${offset} of ${length} bytes leaves the medium of ${sizeBytes} bytes`, {
    op,
    context: { offset, length, sizeBytes },
  });
}

/** The error for a write to a medium that takes none. */
export function writeProtectedError(op: string): NestboxError {
  return new NestboxError('permission', 'The medium is write-protected', { op });
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
