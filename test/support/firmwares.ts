// The firmwares that every guest is booted with: ours, and Debian's SeaBIOS as it is.

import { existsSync } from 'node:fs';

const SEABIOS = '/usr/share/seabios/bios-256k.bin';

export interface Firmware {
  /** For the name of a suite; says why when its tests are skipped. */
  readonly name: string;
  /** Value of `--firmware`. */
  readonly path: string;
  readonly missing: boolean;
  /** What it shows when it is done and hands over to a floppy: from then on it keeps what is typed. */
  readonly bootsFloppy: string;
  /** Least guest memory that it works with. */
  readonly leastMemoryMib: number;
}

const seabiosMissing = !existsSync(SEABIOS);

export const FIRMWARES: readonly Firmware[] = [
  { name: 'built-in BIOS', path: 'bios', missing: false, bootsFloppy: 'Floppy A', leastMemoryMib: 1 },
  { name: seabiosMissing ? 'SeaBIOS (skipped: the seabios package is not installed)' : 'SeaBIOS', path: SEABIOS, missing: seabiosMissing, bootsFloppy: 'Booting from Floppy', leastMemoryMib: 2 },
];
