// Runs a ROM image on qemu-system-x86_64 with its software CPU and returns what it wrote to port E9h.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why QEMU cannot be used here, or undefined. */
export function qemuMissing(): string | undefined {
  const result = spawnSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' });
  if (result.status !== 0) return 'qemu-system-x86_64 is not installed';
  // The ROMs leave out what this version is known to do otherwise than the manuals; others differ in other things.
  return /version 7\./.test(result.stdout) ? undefined : 'the comparison is made for QEMU 7';
}

export function runOnQemu(rom: Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), 'nestbox-qemu-'));
  try {
    const image = join(folder, 'rom.bin');
    const output = join(folder, 'out.txt');
    writeFileSync(image, rom);
    const result = spawnSync(
      'qemu-system-x86_64',
      [
        '-machine', 'pc', '-accel', 'tcg', '-cpu', 'max,vendor=GenuineIntel', '-m', '16', '-bios', image, '-display', 'none', '-nodefaults', '-no-reboot',
        '-debugcon', `file:${output}`, '-device', 'isa-debug-exit,iobase=0xf4,iosize=1',
      ],
      { timeout: 30_000, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const text = readFileSync(output, 'latin1');
    return result.error === undefined ? text : `${text}\n${result.error.message}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
