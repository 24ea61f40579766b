// The operating-system data file: what tells a system by its medium, and what hardware it wants. The file is data
// (systems.json) so that a new system needs no code; it is checked when it is first used.

import { z } from 'zod';
import data from './systems.json' with { type: 'json' };

const regex = z.string().min(1).refine(isRegex, 'no regular expression');

function isRegex(text: string): boolean {
  try {
    new RegExp(text, 'i');
    return true;
  } catch {
    return false;
  }
}

/**
 * One thing that must hold. `volume`, `publisher`, `application`, `system`: volume descriptor texts. `has`: a file or folder
 * is there. `file`: a file's head matches. `boot`: text in the boot sector or boot image. `oem`: the FAT's OEM name.
 * `kernel`: the version text of a kernel. A group named `version` in a pattern is the system's version.
 */
const conditionSchema = z.union([
  z.strictObject({ volume: regex }),
  z.strictObject({ publisher: regex }),
  z.strictObject({ application: regex }),
  z.strictObject({ system: regex }),
  z.strictObject({ has: z.string().min(1) }),
  z.strictObject({ file: z.string().min(1), matches: regex }),
  z.strictObject({ boot: regex }),
  z.strictObject({ oem: regex }),
  z.strictObject({ kernel: regex }),
]);
export type Condition = z.infer<typeof conditionSchema>;

const systemSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]+$/),
  name: z.string().min(1),
  family: z.enum(['linux', 'bsd', 'windows', 'dos', 'other', 'tool']),
  /** Alternatives in order; every condition of one must hold. Earlier systems win, so special ones stand before general ones. */
  rules: z.array(z.array(conditionSchema).min(1)).min(1),
  memoryMib: z.int().min(1),
  minimumMemoryMib: z.int().min(1),
  /** 0: nothing to install. */
  diskGib: z.number().min(0),
  cpus: z.int().min(1).max(8).default(1),
  mode: z.enum(['full', 'paravirt']).default('paravirt'),
});
export type SystemEntry = z.infer<typeof systemSchema>;

let checked: readonly SystemEntry[] | undefined;

/** All systems, in the order in which they are tried. */
export function knownSystems(): readonly SystemEntry[] {
  return (checked ??= z.strictObject({ systems: z.array(systemSchema) }).parse(data).systems);
}

export const UNKNOWN_SYSTEM: SystemEntry = {
  id: 'unknown',
  name: '',
  family: 'other',
  rules: [],
  memoryMib: 1024,
  minimumMemoryMib: 16,
  diskGib: 16,
  cpus: 1,
  mode: 'full',
};

/** Programs that fit on a floppy without a known system want little and install nothing. */
export const UNKNOWN_FLOPPY: SystemEntry = { ...UNKNOWN_SYSTEM, memoryMib: 64, minimumMemoryMib: 1, diskGib: 0 };
