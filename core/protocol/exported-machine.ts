// A .nestbox file: one machine that is off, to keep or to give away. A plain tar archive; machine.json stands first, behind
// it the disks as qcow2 images without backing files. CDs and floppies are not in it, nor snapshots and saved states.

import { z } from 'zod';

/** The archive's first file. */
export const EXPORT_DESCRIPTION = 'machine.json';
export const EXPORT_VERSION = 1;

export const exportedMachineSchema = z.object({
  nestbox: z.literal(EXPORT_VERSION),
  name: z.string().max(1000),
  osId: z.string().min(1).max(100),
  notes: z.string().max(200_000).default(''),
  tags: z.array(z.string().max(1000)).max(1000).default([]),
  /** Needs a UEFI firmware, whose path is the importing host's matter. */
  uefi: z.boolean().default(false),
  /** HardwareConfig without `firmware`; its values are checked as those of a form. */
  hardware: z.object({
    memoryMib: z.int().min(1).max(2 ** 24),
    cpus: z.int().min(1).max(1024).default(1),
    mode: z.enum(['full', 'paravirt']).default('paravirt'),
    engine: z.enum(['auto', 'software', 'kvm']).default('auto'),
    jit: z.boolean().default(true),
    clock: z.enum(['host', 'instructions']).default('host'),
    bootOrder: z.array(z.enum(['floppy', 'cdrom', 'disk', 'network'])).min(1).max(4).default(['floppy', 'cdrom', 'disk']),
  }),
  drives: z.array(z.object({ kind: z.enum(['floppy', 'cdrom', 'disk']), member: z.string().min(1).max(200).exactOptional() })).max(16),
});
export type ExportedMachine = z.infer<typeof exportedMachineSchema>;
