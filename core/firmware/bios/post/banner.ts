// The few lines that POST shows: product, processor, memory and drives.

import type { BiosContext } from '../context.ts';
import { FIRST_CDROM, FIRST_DISK } from '../disk/drive-map.ts';

const BAR = 0x1f;
const LABEL = 0x03;
const TEXT = 0x07;
const COLUMNS = 80;
const LABEL_COLUMNS = 14;
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

function sizeText(bytes: number): string {
  if (bytes >= 10 * GIB) return `${(bytes / GIB).toFixed(0)} GiB`;
  if (bytes >= GIB) return `${(bytes / GIB).toFixed(1)} GiB`;
  if (bytes >= 10 * MIB) return `${Math.round(bytes / MIB)} MiB`;
  return `${Math.round(bytes / 1024)} KiB`;
}

export function printBanner(bios: BiosContext): void {
  const { screen, options, drives } = bios;
  const line = (label: string, text: string): void => {
    screen.print(`  ${label.padEnd(LABEL_COLUMNS)}`, LABEL);
    screen.print(`${text.slice(0, COLUMNS - LABEL_COLUMNS - 3)}\n`, TEXT);
  };
  // The last cell would scroll the cursor to the next line by itself.
  screen.print(`  Nestbox BIOS ${options.version ?? ''}`.padEnd(COLUMNS), BAR);
  screen.print('\n');
  const count = options.cpuCount ?? 1;
  line('Processor', `${options.cpuName ?? 'x86-64'}${count > 1 ? `, ${count} CPUs` : ''}`);
  line('Memory', sizeText(options.lowRamBytes + options.highRamBytes));
  drives.floppies.forEach((drive, index) => {
    const medium = drive.medium();
    line(`Floppy ${index === 0 ? 'A' : 'B'}`, medium === undefined ? 'empty' : sizeText(medium.sizeBytes));
  });
  drives.disks.forEach((drive, index) => {
    const medium = drive.medium();
    line(
      `Disk ${(FIRST_DISK + index).toString(16)}h`,
      medium === undefined ? 'not there' : `${drive.name}, ${sizeText(medium.sizeBytes)}`,
    );
  });
  drives.cdroms.forEach((drive, index) => {
    const medium = drive.medium();
    const content = medium === undefined ? 'empty' : sizeText(medium.sizeBytes);
    line(`CD ${(FIRST_CDROM + index).toString(16).toUpperCase()}h`, `${drive.name}, ${content}`);
  });
  screen.print('\n');
}
