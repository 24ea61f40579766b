// The configuration of one virtual machine, as the registry keeps it, the command line makes it and the VM process takes
// it. Everything that crosses a process boundary is checked against this schema.

import { z } from 'zod';
import { CPUS_MAX, MEMORY_MIB_MAX, MEMORY_MIB_MIN } from './limits.ts';

const path = z.string().min(1).max(4096).refine((text) => !text.includes('\0'), 'contains a NUL character');

export { CPUS_MAX, MEMORY_MIB_MAX, MEMORY_MIB_MIN };

/** Drives by the place where they stand: floppies 0-1, IDE primary master to secondary slave 0-3. */
export const slotSchema = z.string().regex(/^(floppy[01]|ide[0-3])$/);
/** Longest chain of images below a drive. */
export const BACKING_CHAIN_MAX = 62;

export const imageSchema = z.strictObject({ path, format: z.enum(['raw', 'qcow2']) });

export const mediumSchema = z.strictObject({
  kind: z.enum(['floppy', 'cdrom', 'disk']),
  /** Path of the image; absent = an empty drive. */
  path: path.optional(),
  format: z.enum(['raw', 'qcow2']).optional(),
  readOnly: z.boolean().default(false),
  /** Writes are thrown away when the VM ends. */
  snapshot: z.boolean().default(false),
  interface: z.enum(['ide', 'virtio']).default('ide'),
  /** Where the drive stands; absent = the first free place that suits. */
  slot: slotSchema.optional(),
  /**
   * The images below, nearest first, as the registry knows them: names in the image files are not followed. Absent = an
   * image with a backing file is refused.
   */
  backing: z.array(imageSchema).max(BACKING_CHAIN_MAX).optional(),
});

export const directBootSchema = z.strictObject({
  kernel: path,
  initrd: path.optional(),
  commandLine: z.string().max(65_535).default(''),
});

export const vmConfigSchema = z.strictObject({
  name: z.string().min(1).max(200),
  engine: z.enum(['auto', 'software', 'kvm']).default('auto'),
  jit: z.boolean().default(true),
  /** KVM: what the interpreter takes over: all that it does faster than this host's KVM, or only what KVM cannot do. */
  kvmHandOff: z.enum(['when-faster', 'when-needed']).optional(),
  /** KVM: whose interrupt controllers; absent = the kernel's where it offers them and has every mode, else ours. */
  kvmIrqchip: z.enum(['kernel', 'user']).optional(),
  /** Instructions executed of a block after which it is compiled at once instead of in the background; for tests and for finding differences. */
  jitThreshold: z.int().min(1).max(1_000_000).optional(),
  memoryMib: z.int().min(MEMORY_MIB_MIN).max(MEMORY_MIB_MAX).default(256),
  cpus: z.int().min(1).max(CPUS_MAX).default(1),
  machine: z.enum(['pc']).default('pc'),
  mode: z.enum(['full', 'paravirt']).default('paravirt'),
  /** Which hypervisor the guest sees: none, or KVM's CPUID leaves and clock. */
  personality: z.enum(['none', 'kvm']).default('none'),
  /** `bios` = built in, `demo` is never stored; else the path of a firmware image. */
  firmware: z.union([z.literal('bios'), path]).default('bios'),
  media: z.array(mediumSchema).max(16).default([]),
  directBoot: directBootSchema.optional(),
  bootOrder: z.array(z.enum(['floppy', 'cdrom', 'disk', 'network'])).max(4).default(['floppy', 'cdrom', 'disk']),
  clock: z.enum(['host', 'instructions']).default('host'),
  /** Adds the test port 0xF4. */
  debugExit: z.boolean().default(false),
  /** Milliseconds since 1970 at power-on; absent = now (host clock) or a fixed date (instruction clock). */
  rtcEpochMs: z.number().int().optional(),
  /** Seed of the machine's random stream; absent = from the host, or 1 with the instruction clock. */
  seed: z.int().min(0).max(0xffffffff).optional(),
  /** Hardware address of the network adapter, kept for the one that is to come; forks and copies get another. */
  macAddress: z.string().regex(/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/, 'is no address of one station, such as 52:4e:42:00:00:01').optional(),
  /** Which generation of the machine's state this is (VM generation id); absent = of this run only. */
  generationId: z.guid().optional(),
  /** One line per executed instruction goes to this file. */
  tracePath: path.optional(),
});

export type MediumConfig = z.infer<typeof mediumSchema>;
export type VmConfig = z.infer<typeof vmConfigSchema>;
/** What a caller may leave out. */
export type VmConfigInput = z.input<typeof vmConfigSchema>;
