// Validation of saved device state. State comes from files and is hostile: nothing is taken over before all of it fits.

import type { ZodType } from 'zod';
import { NestboxError } from '../base/errors.ts';
import type { DeviceState } from './device.ts';

/**
 * Checks a saved state against the device's schema and version.
 * @throws NestboxError kind `bad-input` naming the device and the first field that does not fit
 */
export function parseState<T>(deviceId: string, state: DeviceState, version: number, schema: ZodType<T>): T {
  if (state.version !== version) {
    throw new NestboxError('bad-input', `Saved state of ${deviceId} has version ${state.version}, expected ${version}`, {
      op: 'load state',
    });
  }
  const result = schema.safeParse(state.fields);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new NestboxError('bad-input', `Saved state of ${deviceId}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`, {
    op: 'load state',
  });
}
