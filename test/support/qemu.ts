// QEMU as an oracle: boots the same guest under TCG and takes its screen.

import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { type Picture, readPpm } from './images.ts';
import { hasCommand } from './guests.ts';

export const NO_QEMU = 'skipped: qemu-system-x86_64 is not installed';

export function hasQemu(): boolean {
  return hasCommand('qemu-system-x86_64');
}

/** Boots with `args`, waits `seconds`, and returns the screen. */
export async function qemuScreen(args: readonly string[], seconds: number, folder: string, keys: readonly string[] = []): Promise<Picture> {
  const path = `${folder}/qemu.ppm`;
  const child = spawn('qemu-system-x86_64', ['-accel', 'tcg', '-display', 'none', '-monitor', 'stdio', '-snapshot', '-net', 'none', ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
  try {
    await pause(seconds * 1000);
    for (const key of keys) {
      child.stdin.write(`sendkey ${key}\n`);
      await pause(300);
    }
    if (keys.length > 0) await pause(1000);
    child.stdin.write(`screendump ${path}\n`);
    for (let i = 0; i < 100 && !(existsSync(path) && statSync(path).size > 1000); i++) await pause(100);
    await pause(200);
    child.stdin.write('quit\n');
    await Promise.race([ended, pause(3000)]);
  } finally {
    child.kill('SIGKILL');
  }
  return readPpm(path);
}
