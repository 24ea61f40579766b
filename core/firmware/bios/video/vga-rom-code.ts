// The video ROM's code. Bundles carry the result in place of this module (build/assembled-roms.ts).

import { assemble } from '../../asm/assembler.ts';
import type { RomCode } from '../types.ts';
import { vgaRomSource } from './vga-rom-source.ts';

let assembled: RomCode | undefined;

/** Assembled once a process. */
export function vgaRomCode(): RomCode {
  assembled ??= assemble(vgaRomSource());
  return assembled;
}
