// qemu-img as a second opinion on disk images.

import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import type { DiskInfo } from '../../core/block/disk-tools.ts';

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

interface QemuSnapshot {
  readonly id: string;
  readonly name: string;
  readonly 'vm-state-size': number;
  readonly 'date-sec': number;
}

interface QemuInfo {
  readonly format: string;
  readonly 'virtual-size': number;
  readonly 'actual-size': number;
  readonly 'cluster-size': number;
  readonly 'dirty-flag': boolean;
  readonly 'backing-filename'?: string;
  readonly 'backing-filename-format'?: string;
  readonly snapshots?: readonly QemuSnapshot[];
  readonly 'format-specific': {
    readonly data: {
      readonly compat: string;
      readonly 'compression-type': string;
      readonly 'refcount-bits': number;
      readonly 'lazy-refcounts'?: boolean;
      readonly corrupt?: boolean;
    };
  };
}

/** What `qemu-img info` says of a qcow2 image, in the words of our `diskInfo`. */
export function qemuInfo(path: string): DiskInfo {
  const info = JSON.parse(qemuImgOk('info', '-f', 'qcow2', '--output=json', path)) as QemuInfo;
  const { data } = info['format-specific'];
  const backingName = info['backing-filename'];
  const backingFormat = info['backing-filename-format'];
  return {
    path,
    format: 'qcow2',
    virtualBytes: info['virtual-size'],
    fileBytes: statSync(path).size,
    allocatedBytes: info['actual-size'],
    qcow2: {
      version: data.compat === '0.10' ? 2 : 3,
      clusterBytes: info['cluster-size'],
      refcountBits: data['refcount-bits'],
      compressionType: data['compression-type'],
      // Said of version 3 only.
      lazyRefcounts: data['lazy-refcounts'] ?? false,
      corrupt: data.corrupt ?? false,
      dirty: info['dirty-flag'],
      ...(backingName === undefined ? {} : { backingName }),
      ...(backingFormat === undefined ? {} : { backingFormat }),
      snapshots: (info.snapshots ?? []).map((snapshot) => ({
        id: snapshot.id,
        name: snapshot.name,
        dateSeconds: snapshot['date-sec'],
        vmStateBytes: snapshot['vm-state-size'],
      })),
    },
  };
}
