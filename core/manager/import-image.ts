// Takes a copy of an image into the library as a qcow2 disk: of any format that can be read, from a file or out of an
// appliance. The user has just chosen the file, so its content tells the format; nothing that it names is followed, but the
// extents of a VMDK descriptor in its own folder.

import { createHash } from 'node:crypto';
import { NestboxError, throwIfCancelled } from '../base/errors.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { copyDisk } from '../block/copy-disk.ts';
import { type ImageFormat, asDisk, makeFile, readFormat } from '../block/disk-files.ts';
import { createQcow2 } from '../block/qcow2/create-qcow2.ts';
import { openQcow2 } from '../block/qcow2/open-qcow2.ts';
import type { HostFile, HostFiles } from '../host/files/host-file.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import { RangeFile } from '../host/files/range-file.ts';
import { fileSource } from '../inspect/byte-source.ts';
import { type TarEntry, readTarEntries } from '../inspect/tar.ts';

const HASH_CHUNK_BYTES = 1 << 20;
const MANIFEST_BYTES_MAX = 1 << 20;
/** Share of the progress that checking an appliance's digest takes. */
const CHECK_SHARE = 0.2;

export interface ImageSource {
  readonly path: string;
  /** Name of the image inside the archive `path`. */
  readonly member?: string | undefined;
}

export interface ImportOptions {
  readonly signal?: AbortSignal | undefined;
  /** 0..1 */
  readonly onProgress?: (fraction: number) => void;
}

/** An archive's image may not reach for other files of the host. */
const closedFiles: HostFiles = new Proxy(nodeHostFiles, {
  get: (files, name) => {
    if (name === 'open') return refuseFile;
    const value: unknown = Reflect.get(files, name);
    return typeof value === 'function' ? (value.bind(files) as unknown) : value;
  },
});

async function refuseFile(path: string): Promise<never> {
  throw new NestboxError('bad-input', `The disk in the archive refers to another file, ${path}`, { op: 'import disk' });
}

interface OpenedImage {
  readonly disk: BlockDevice;
  readonly format: ImageFormat;
}

async function openSource(source: ImageSource, options: ImportOptions): Promise<OpenedImage> {
  const whole = await nodeHostFiles.open(source.path, { readOnly: true });
  try {
    await whole.lock('shared');
    const file = source.member === undefined ? whole : await memberOf(whole, source.member, options);
    if (file.identity().sizeBytes === 0) throw new NestboxError('bad-input', `${file.path}: is empty; a disk image is needed`, { op: 'import disk' });
    const format = await readFormat(file);
    return { disk: await asDisk(source.member === undefined ? nodeHostFiles : closedFiles, file, format, false), format };
  } catch (error) {
    await whole.close().catch(() => undefined);
    throw error;
  }
}

async function memberOf(whole: HostFile, name: string, options: ImportOptions): Promise<HostFile> {
  const entries = await readTarEntries(fileSource(whole));
  const entry = entries.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new NestboxError('bad-input', `${whole.path}: has no file ${name}`, { op: 'import disk' });
  if (options.onProgress !== undefined) await checkDigest(whole, entries, entry, options);
  return new RangeFile(whole, name, entry.offset, entry.sizeBytes);
}

/** Appliances may carry a manifest: lines such as "SHA256(disk1.vmdk)= 0123…". */
async function checkDigest(whole: HostFile, entries: readonly TarEntry[], entry: TarEntry, options: ImportOptions): Promise<void> {
  const manifest = entries.find((candidate) => /\.mf$/i.test(candidate.name) && candidate.sizeBytes <= MANIFEST_BYTES_MAX);
  if (manifest === undefined) return;
  const bytes = new Uint8Array(manifest.sizeBytes);
  await whole.read(manifest.offset, bytes);
  const lines = [...new TextDecoder().decode(bytes).matchAll(/^SHA(1|256|512)\s*\((.+?)\)\s*=\s*([0-9a-f]+)\s*$/gim)];
  const line = lines.find(([, , name]) => name === entry.name);
  if (line === undefined) return;
  const hash = createHash(`sha${line[1] ?? ''}`);
  const chunk = new Uint8Array(HASH_CHUNK_BYTES);
  for (let at = 0; at < entry.sizeBytes; at += HASH_CHUNK_BYTES) {
    throwIfCancelled(options.signal, 'import disk');
    const part = chunk.subarray(0, Math.min(HASH_CHUNK_BYTES, entry.sizeBytes - at));
    await whole.read(entry.offset + at, part);
    hash.update(part);
    options.onProgress?.((at / entry.sizeBytes) * CHECK_SHARE);
  }
  if (hash.digest('hex') !== (line[3] ?? '').toLowerCase())
    throw new NestboxError('bad-input', `${whole.path}: the disk ${entry.name} in it is damaged (its checksum is wrong); fetch or copy the file again`, { op: 'import disk', context: { path: whole.path } });
}

/** Looks whether it could be imported. @throws NestboxError `bad-input`, `unsupported` with what is wrong */
export async function probeImage(source: ImageSource): Promise<{ readonly virtualBytes: number; readonly format: ImageFormat }> {
  const { disk, format } = await openSource(source, {});
  const virtualBytes = disk.sizeBytes;
  await disk.close();
  return { virtualBytes, format };
}

/** @param target path of the new disk; nothing is left there when it fails. @returns its size in bytes as a guest sees it */
export async function importImage(source: ImageSource, target: string, options: ImportOptions): Promise<number> {
  const { disk } = await openSource(source, { onProgress: () => undefined, ...options });
  try {
    await makeFile(nodeHostFiles, target, false, async (file) => {
      await createQcow2(file, { sizeBytes: disk.sizeBytes });
      const copy = await openQcow2(file, { durable: false });
      await copyDisk(disk, copy, { signal: options.signal, onProgress: (done, total) => options.onProgress?.(CHECK_SHARE + (1 - CHECK_SHARE) * (total === 0 ? 1 : done / total)) });
      await copy.close();
    });
    return disk.sizeBytes;
  } finally {
    await disk.close();
  }
}
