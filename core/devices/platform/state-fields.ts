// Schema pieces for saved device state: small integer ranges, times, byte strings of an exact length.

import { z } from 'zod';

export const u3 = z.int().min(0).max(7);
export const u4 = z.int().min(0).max(15);
export const u8 = z.int().min(0).max(0xff);
export const u16 = z.int().min(0).max(0xffff);
export const u32 = z.int().min(0).max(0xffffffff);
export const flag = z.boolean();

/** Any time or tick number that arithmetic on doubles keeps exact, with head room for sums. */
const MAX_TIME = 2 ** 52;
export const timeNs = z.int().min(0).max(MAX_TIME);
/** A time that may lie before power-on (a phase origin). */
export const signedTimeNs = z.int().min(-MAX_TIME).max(MAX_TIME);
export const deadlineNs = timeNs.nullable();

/** A byte string of exactly `length` bytes. */
export function bytes(length: number): z.ZodType<Uint8Array> {
  return z.custom<Uint8Array>(
    (value) => value instanceof Uint8Array && value.length === length,
    `expected ${length} bytes`,
  );
}

/** A byte string of at most `maxLength` bytes. */
export function bytesUpTo(maxLength: number): z.ZodType<Uint8Array> {
  return z.custom<Uint8Array>(
    (value) => value instanceof Uint8Array && value.length <= maxLength,
    `expected at most ${maxLength} bytes`,
  );
}

/** An array of exactly `length` items. */
export function listOf<T extends z.ZodType>(item: T, length: number): z.ZodArray<T> {
  return z.array(item).length(length);
}
