// qemu-img as a second opinion on disk images.

import { spawnSync } from 'node:child_process';

export const hasQemuImg = spawnSync('qemu-img', ['--version']).status === 0;

export interface QemuResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function qemuImg(...args: readonly string[]): QemuResult {
  const result = spawnSync('qemu-img', args, { encoding: 'utf8', timeout: 60_000 });
  return { status: result.status ?? -1, stdout: result.stdout, stderr: result.stderr };
}

/** Runs it and fails with its words when it does. */
export function qemuImgOk(...args: readonly string[]): string {
  const result = qemuImg(...args);
  if (result.status !== 0)
    throw new Error(`qemu-img ${args.join(' ')}: ${result.status} ${result.stderr}${result.stdout}`);
  return result.stdout;
}

export interface QemuCheck {
  readonly corruptions?: number;
  readonly leaks?: number;
  readonly 'allocated-clusters'?: number;
  readonly 'compressed-clusters'?: number;
  readonly 'image-end-offset'?: number;
  readonly 'total-clusters'?: number;
}

export function qemuCheck(path: string): QemuCheck {
  const result = qemuImg('check', '-f', 'qcow2', '--output=json', path);
  if (result.status !== 0 && result.status !== 2 && result.status !== 3)
    throw new Error(`qemu-img check ${path}: ${result.status} ${result.stderr}`);
  return JSON.parse(result.stdout) as QemuCheck;
}
