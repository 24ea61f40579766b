// Writes a machine that is off into a .nestbox file (core/protocol/exported-machine.ts): its settings, and its disks as they
// are now, each as one compressed qcow2 image without backing files.

import { createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { NestboxError, throwIfCancelled } from '../base/errors.ts';
import { copyDisk } from '../block/copy-disk.ts';
import { type DiskImage, openDisk } from '../block/open-disk.ts';
import { createQcow2 } from '../block/qcow2/create-qcow2.ts';
import { openQcow2 } from '../block/qcow2/open-qcow2.ts';
import { hostFileError } from '../host/files/host-errors.ts';
import type { HostFile } from '../host/files/host-file.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import { EXPORT_DESCRIPTION, EXPORT_VERSION, type ExportedMachine } from '../protocol/exported-machine.ts';
import type { Registry } from '../registry/registry.ts';
import type { VmRow } from '../registry/rows.ts';
import { imageOf } from './drives.ts';
import { refusal } from './notices.ts';
import { firmwareKind } from './firmwares.ts';
import type { TaskContext } from './tasks.ts';

const BLOCK = 512;
const CHUNK_BYTES = 1 << 20;
/** Largest size that eleven octal digits hold. */
const OCTAL_MAX = 8 ** 11;

interface Packed {
  readonly member: string;
  readonly file: HostFile;
  /** Beside the target, where there is room if there is any. */
  readonly scratch: string;
}

/** A ustar header (POSIX.1); sizes beyond 8 GiB as GNU tar's binary numbers. */
export function tarHeader(name: string, sizeBytes: number, mtimeSeconds: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, text: string): void => block.set(new TextEncoder().encode(text), at);
  const octal = (at: number, digits: number, value: number): void => put(at, value.toString(8).padStart(digits, '0'));
  put(0, name);
  octal(100, 7, 0o644);
  octal(108, 7, 0);
  octal(116, 7, 0);
  if (sizeBytes < OCTAL_MAX) octal(124, 11, sizeBytes);
  else {
    block[124] = 0x80;
    for (let index = 11, rest = sizeBytes; index > 0; index--, rest = Math.floor(rest / 256)) block[124 + index] = rest % 256;
  }
  octal(136, 11, mtimeSeconds);
  block.fill(0x20, 148, 156);
  put(156, '0');
  put(257, 'ustar\0' + '00');
  octal(148, 6, block.reduce((sum, byte) => sum + byte, 0));
  block[154] = 0;
  return block;
}

/** @param target is replaced when the export is complete, and left as it is when it fails */
export async function exportVm(registry: Registry, row: VmRow, target: string, task: TaskContext): Promise<void> {
  const part = `${target}.partial`;
  const packed: Packed[] = [];
  try {
    const drives: ExportedMachine['drives'] = [];
    const disks = row.drives.filter((drive) => drive.kind === 'disk' && drive.mediumId !== null);
    for (const drive of row.drives) {
      if (drive.kind !== 'disk' || drive.mediumId === null) {
        drives.push({ kind: drive.kind });
        continue;
      }
      const member = `disk${packed.length + 1}.qcow2`;
      const scratch = `${target}.${member}.partial`;
      await rm(scratch, { force: true });
      const file = await nodeHostFiles.create(scratch);
      packed.push({ member, file, scratch });
      const medium = registry.medium(drive.mediumId);
      if (medium === undefined) throw refusal('not-found', 'medium-unknown');
      await pack(imageOf(medium, (id) => registry.medium(id)), file, task, (packed.length - 1) / disks.length, 1 / disks.length);
      drives.push({ kind: 'disk', member });
    }
    const { memoryMib, cpus, mode, engine, jit, clock, bootOrder, firmware } = row.config;
    const description: ExportedMachine = { nestbox: EXPORT_VERSION, name: row.name, osId: row.osId, notes: row.notes, tags: [...row.tags], uefi: firmwareKind(firmware) === 'ovmf', hardware: { memoryMib, cpus, mode, engine, jit, clock, bootOrder }, drives };
    await pipeline(Readable.from(archive(JSON.stringify(description, undefined, 1), packed, task)), createWriteStream(part, { mode: 0o600 }));
    const handle = await open(part, 'r');
    await handle.sync();
    await handle.close();
    await rename(part, target);
  } catch (error) {
    await rm(part, { force: true });
    throw error instanceof NestboxError ? error : hostFileError(error, 'export machine', target);
  } finally {
    for (const { file, scratch } of packed) {
      await file.close().catch(() => undefined);
      await rm(scratch, { force: true });
    }
  }
}

async function pack(image: DiskImage, file: HostFile, task: TaskContext, from: number, share: number): Promise<void> {
  const source = await openDisk(image, { readOnly: true });
  try {
    await createQcow2(file, { sizeBytes: source.sizeBytes });
    const target = await openQcow2(keptOpen(file), { durable: false });
    await copyDisk(source, target, { compress: true, signal: task.signal, onProgress: (done, total) => task.progress(from + share * 0.9 * (total === 0 ? 1 : done / total)) });
    await target.close();
  } finally {
    await source.close();
  }
}

/** The image is read again after it has been written. */
function keptOpen(file: HostFile): HostFile {
  return new Proxy(file, {
    get: (whole, name) => {
      if (name === 'close') return async (): Promise<void> => undefined;
      const value: unknown = Reflect.get(whole, name);
      return typeof value === 'function' ? (value.bind(whole) as unknown) : value;
    },
  });
}

async function* archive(description: string, disks: readonly Packed[], task: TaskContext): AsyncGenerator<Uint8Array> {
  const now = Math.floor(Date.now() / 1000);
  const text = new TextEncoder().encode(description);
  yield tarHeader(EXPORT_DESCRIPTION, text.length, now);
  yield text;
  yield new Uint8Array(padding(text.length));
  for (const { member, file } of disks) {
    const { sizeBytes } = file.identity();
    yield tarHeader(member, sizeBytes, now);
    for (let at = 0; at < sizeBytes; at += CHUNK_BYTES) {
      throwIfCancelled(task.signal, 'export machine');
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, sizeBytes - at));
      await file.read(at, chunk);
      yield chunk;
    }
    yield new Uint8Array(padding(sizeBytes));
  }
  yield new Uint8Array(2 * BLOCK);
}

const padding = (bytes: number): number => (BLOCK - (bytes % BLOCK)) % BLOCK;
