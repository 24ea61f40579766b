// Rows of the registry as the rest of the app sees them. Rows come from a file and are checked when they are read.

import { z } from 'zod';
import type { Notice } from '../protocol/library.ts';
import { vmConfigSchema } from '../protocol/vm-config.ts';
import type { VmExit } from '../protocol/vm-messages.ts';

/** The part of a VM's configuration that is stored as JSON; media have tables of their own. */
export const storedConfigSchema = vmConfigSchema.omit({ media: true, name: true });
export type StoredConfig = z.infer<typeof storedConfigSchema>;

/** What forms edit; the rest is left out. */
export const hardwareSchema = z.object(storedConfigSchema.omit({ tracePath: true, rtcEpochMs: true, seed: true, directBoot: true, debugExit: true, generationId: true }).shape);

export const mediumRowSchema = z.strictObject({
  id: z.string(),
  kind: z.enum(['floppy', 'cdrom', 'disk']),
  path: z.string(),
  format: z.enum(['raw', 'qcow2']),
  virtualBytes: z.int(),
  backingId: z.string().nullable(),
  managed: z.boolean(),
  createdMs: z.int(),
});
export type MediumRow = z.infer<typeof mediumRowSchema>;

export const exitSchema: z.ZodType<VmExit> = z.object({
  reason: z.enum(['power-off', 'debug-exit', 'fault', 'host', 'error']),
  status: z.int().exactOptional(),
  report: z.string().exactOptional(),
  message: z.string().exactOptional(),
  kind: z.string().exactOptional(),
});

export const noticeSchema: z.ZodType<Notice> = z.object({
  code: z.string(),
  text: z.string(),
  params: z.record(z.string(), z.union([z.string(), z.number()])),
});

export interface DriveRow {
  readonly slot: string;
  readonly kind: 'floppy' | 'cdrom' | 'disk';
  readonly mediumId: string | null;
  readonly readOnly: boolean;
}

export const driveRowsSchema = z.array(
  z.strictObject({ slot: z.string(), kind: z.enum(['floppy', 'cdrom', 'disk']), mediumId: z.string().nullable(), readOnly: z.boolean() }),
);

export interface VmRow {
  readonly id: string;
  readonly name: string;
  readonly config: StoredConfig;
  readonly notes: string;
  readonly groupPath: string;
  readonly tags: readonly string[];
  readonly drives: readonly DriveRow[];
  readonly currentSnapshotId: string | null;
  readonly savedStateId: string | null;
  readonly osId: string;
  readonly startedMs: number | null;
  readonly lastExit: VmExit | null;
  readonly notice: Notice | null;
  /** Whether there is a picture of the last screen. */
  readonly hasThumbnail: boolean;
  readonly createdMs: number;
  readonly changedMs: number;
}

export type SnapshotKind = 'live' | 'offline' | 'saved';

export interface SnapshotRow {
  readonly id: string;
  readonly vmId: string;
  readonly parentId: string | null;
  readonly name: string;
  readonly notes: string;
  readonly kind: SnapshotKind;
  readonly config: StoredConfig;
  readonly stateFile: string | null;
  readonly drives: readonly DriveRow[];
  readonly forked: boolean;
  readonly hasThumbnail: boolean;
  readonly sizeBytes: number;
  readonly createdMs: number;
  /** Drive slot to medium. */
  readonly media: Readonly<Record<string, string>>;
}

export interface OperationRow {
  readonly id: number;
  readonly kind: string;
  readonly vmId: string | null;
  readonly step: string;
  readonly data: unknown;
  readonly startedMs: number;
}
