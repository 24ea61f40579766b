// The system ROM's code. Bundles carry the result in place of this module (build/assembled-roms.ts).

import { assemble } from '../../asm/assembler.ts';
import type { RomCode } from '../types.ts';
import { romSource } from './rom-source.ts';

let assembled: RomCode | undefined;

/** Assembled once a process. */
export function systemRomCode(): RomCode {
  assembled ??= assemble(romSource());
  return assembled;
}
