// Builds the 64 KiB ROM images of the system tests: a prelude for the mode, the tests, the reset vector.

import { readFileSync } from 'node:fs';
import { assemble } from '../../../core/firmware/asm/assembler.ts';
import { ROM_BYTES } from './machine.ts';

const RESET_VECTOR = `
bits 16
times 0xfff0-($-$$) db 0
  jmp 0xf000:start16
times 0x10000-($-$$) db 0
`;

export interface Rom {
  readonly bytes: Uint8Array;
  readonly symbols: ReadonlyMap<string, number>;
}

/** `names` are files beside this one, in order; the first is the prelude. */
export function buildRom(names: readonly string[], defines: Readonly<Record<string, string>> = {}): Rom {
  const source = names.map((name) => readFileSync(new URL(name, import.meta.url), 'utf8')).join('\n');
  const { bytes, symbols } = assemble(`${source}\n${RESET_VECTOR}`, { bits: 16, defines });
  if (bytes.length !== ROM_BYTES) throw new Error(`ROM of ${bytes.length} bytes`);
  return { bytes, symbols };
}

/** Where the ROM copies itself and runs. */
const BASE = 0x1_0000;

/** Replaces addresses after IP= by label+offset, so that expectations survive changes elsewhere in the ROM. */
export function nameAddresses(text: string, symbols: ReadonlyMap<string, number>): string {
  const labels = [...symbols].filter(([name]) => !name.includes('.')).sort((a, b) => a[1] - b[1]);
  return text.replace(/\bIP=([0-9A-F]{8,16})\b/g, (whole, digits: string) => {
    const value = Number.parseInt(digits, 16);
    const address = value >= BASE ? value - BASE : value;
    const label = labels.filter(([, at]) => at <= address).at(-1);
    if (label === undefined || address >= BASE || address - label[1] > 0x100) return whole;
    return `IP=${label[0]}+${(address - label[1]).toString(16)}`;
  });
}
