// Operations of snapshots as the registry's journal keeps them: enough to finish or undo each after a crash. Written before
// the first file is touched.

import { z } from 'zod';

const id = z.string().regex(/^[0-9a-f]{32}$/);
const overlaySchema = z.strictObject({ slot: z.string(), mediumId: id, path: z.string(), backingId: z.string() });

/**
 * `files`: overlays are being made, nothing uses them. `switch`: the guest may be writing to them, or the rows are about to
 * be written.
 */
export const takeSchema = z.strictObject({ name: z.string(), notes: z.string(), stateId: id, live: z.boolean(), overlays: z.array(overlaySchema) });
export type TakeData = z.infer<typeof takeSchema>;

/** Overlays of a restore are used once the rows say so; until then they are rubbish. */
export const overlaysSchema = z.strictObject({ overlays: z.array(overlaySchema) });

/** Overlays `own` belong to the VM that was forked and may be in use at step `switch`; `others` are the new VM's. */
export const forkSchema = z.strictObject({ stateId: id, own: z.array(overlaySchema), others: z.array(overlaySchema) });

export const mergeSchema = z.strictObject({ gone: z.string(), above: z.string(), down: z.boolean() });

export const keepSchema = z.strictObject({ mediumId: z.string(), to: z.string() });
