// Opens the image of a floppy, CD or disk for a virtual machine: everything that can be wrong with the file is found
// here, said in one line with what to do, and the file stays as it was.

import { isNestboxError, NestboxError } from '../base/errors.ts';
import type { HostFile, HostFiles } from '../host/files/host-file.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import type { BlockDevice } from './block-device.ts';
import { roundUp } from './block-range.ts';
import { isForeignFormat } from './foreign/open-foreign.ts';
import type { ChainLink } from './image-chain.ts';
import { floppyCapacity, LARGEST_FLOPPY_BYTES } from './floppy-sizes.ts';
import {
  fatVolumeBytes,
  hasCdFileSystem,
  HEAD_BYTES,
  isoVolumeBytes,
  isRawSectorCd,
  partitionedBytes,
  recognise,
} from './medium-kinds.ts';
import { type DiskImage, openDisk } from './open-disk.ts';
import { RawDisk } from './raw-disk.ts';
import { ReadOnlyDisk } from './read-only-disk.ts';
import { SnapshotOverlay } from './snapshot-overlay.ts';

export type MediumKind = 'floppy' | 'cdrom' | 'disk';
export type MediumFormat = DiskImage['format'];

export interface OpenMediumOptions {
  readonly kind: MediumKind;
  /** As the user said it; undefined = look at the file. Only a stated `raw` takes content of another kind as it is. */
  readonly format?: MediumFormat | undefined;
  readonly readOnly?: boolean | undefined;
  /** Writes go to scratch space and are thrown away on close. */
  readonly snapshot?: boolean | undefined;
  /** Of a disk: the images below, nearest first; an image with a backing file that is not named here is refused. */
  readonly backing?: readonly ChainLink[] | undefined;
  /** The host's files; tests put others here. */
  readonly files?: HostFiles | undefined;
}

export interface Medium {
  readonly device: BlockDevice;
  readonly format: MediumFormat;
  /** What the user may want to know, one line each: padded sizes, opened write-protected, no file system found. */
  readonly notes: readonly string[];
}

const SECTOR_BYTES: Readonly<Record<MediumKind, number>> = { floppy: 512, disk: 512, cdrom: 2048 };
const NAME_OF_KIND: Readonly<Record<MediumKind, string>> = { floppy: 'floppy disk', disk: 'disk', cdrom: 'CD' };
/** Mastering programs count up to 150 sectors of padding that are not always in the file. */
const ISO_SLACK_BYTES = 300 * 2048;
const MAX_DISK_BYTES = 64 * 2 ** 40;

/** @throws NestboxError kind `bad-input` naming the file and what is wrong, `busy` when another machine uses it */
export async function openMedium(path: string, options: OpenMediumOptions): Promise<Medium> {
  const files = options.files ?? nodeHostFiles;
  await checkIsFile(files, path, options.kind);
  const notes: string[] = [];
  const file = await openFile(files, path, options, notes);
  try {
    return { ...(await openContent(file, options, files, notes)), notes };
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

function badInput(path: string, text: string, cause?: unknown): NestboxError {
  return new NestboxError('bad-input', `${path}: ${text}`, {
    op: 'open image',
    context: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Errors of the host that mean "this path will not do" become bad input; others pass. */
function translate(path: string, error: unknown, advice = ''): unknown {
  if (!isNestboxError(error)) return error;
  if (error.kind !== 'not-found' && error.kind !== 'permission' && error.kind !== 'bad-input') return error;
  return new NestboxError('bad-input', error.message + advice, { op: 'open image', context: { path }, cause: error });
}

async function checkIsFile(files: HostFiles, path: string, kind: MediumKind): Promise<void> {
  if (path === '' || path.includes('\0')) throw badInput(JSON.stringify(path), 'is not a file name');
  let status;
  try {
    status = await files.status(path);
  } catch (error) {
    throw translate(path, error);
  }
  const name = NAME_OF_KIND[kind];
  switch (status.kind) {
    case 'file':
      break;
    case 'directory':
      throw badInput(path, `is a folder; a ${name} image file is needed`);
    case 'block-device':
    case 'character-device':
      throw badInput(path, `is a device of the host; copy it to a ${name} image file first`);
    default:
      throw badInput(path, `is not a regular file (${status.kind}); a ${name} image file is needed`);
  }
  if (status.sizeBytes === 0) throw badInput(path, `is empty; a ${name} image file is needed`);
}

async function openFile(
  files: HostFiles,
  path: string,
  options: OpenMediumOptions,
  notes: string[],
): Promise<HostFile> {
  const writable = options.kind !== 'cdrom' && options.readOnly !== true && options.snapshot !== true;
  try {
    const file = await files.open(path, { readOnly: !writable });
    return await lockOrClose(file, writable ? 'exclusive' : 'shared', notes);
  } catch (error) {
    if (!writable || !isNestboxError(error) || error.kind !== 'permission') throw translate(path, error);
    if (options.kind === 'floppy') {
      // Real floppies have a write-protect notch; the guest sees just that.
      try {
        const file = await lockOrClose(await files.open(path, { readOnly: true }), 'shared', notes);
        notes.push(`${path}: the file may not be written, so the floppy disk is write-protected`);
        return file;
      } catch (second) {
        throw translate(path, second);
      }
    }
    throw translate(path, error, '; add "readonly" or "snapshot" to use it without writing to it');
  }
}

async function lockOrClose(file: HostFile, mode: 'shared' | 'exclusive', notes: string[]): Promise<HostFile> {
  try {
    if (!(await file.lock(mode)) && mode === 'exclusive') {
      notes.push(`${file.path}: this host offers no file locks; do not use the image in two machines at once`);
    }
    return file;
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

async function openContent(
  file: HostFile,
  options: OpenMediumOptions,
  files: HostFiles,
  notes: string[],
): Promise<{ device: BlockDevice; format: MediumFormat }> {
  const path = file.path;
  const fileBytes = file.identity().sizeBytes;
  if (fileBytes === 0) throw badInput(path, `is empty; a ${NAME_OF_KIND[options.kind]} image file is needed`);
  if (fileBytes > MAX_DISK_BYTES) throw badInput(path, 'is larger than 64 TiB');
  const head = new Uint8Array(Math.min(HEAD_BYTES, fileBytes));
  await file.read(0, head);
  const scratch = { createFile: () => files.createTemporary() };
  const { kind } = options;
  const format = checkContent(path, head, options);
  if (isForeignFormat(format)) notes.push(`${path}: opened as a ${format.toUpperCase()} disk image, which can only be read`);
  else if (format === 'qcow2' && options.format === undefined) notes.push(`${path}: opened as a qcow2 disk image`);
  const capacity = format === 'raw' ? capacityOf(path, fileBytes, head, options, notes) : 0;
  const device =
    kind === 'disk'
      ? await openDisk({ path, format, backing: options.backing }, { file, files, readOnly: file.readOnly })
      : new RawDisk(file, capacity);
  if (options.snapshot === true && kind !== 'cdrom') return { device: new SnapshotOverlay(device, scratch), format };
  const isFixed = format === 'raw' && device.readOnly && (options.readOnly === true || kind === 'cdrom');
  return { device: isFixed ? new ReadOnlyDisk(device) : device, format };
}

/**
 * Refuses what is recognisably something else than the user named it. A disk's format is only taken from its content
 * when nothing will be written to it: a guest could write another format's header into a raw disk.
 */
function checkContent(path: string, head: Uint8Array, options: OpenMediumOptions): MediumFormat {
  const known = recognise(head);
  if (options.format === 'qcow2') {
    if (known?.format !== 'qcow2') {
      throw badInput(
        path,
        `is not a qcow2 disk image${known === undefined ? '' : ` but ${known.what}`}; use format=raw if it is a raw image`,
      );
    }
    if (options.kind !== 'disk') throw badInput(path, `is ${known.what}, not a ${NAME_OF_KIND[options.kind]} image`);
    return 'qcow2';
  }
  if (options.format === 'raw') return 'raw';
  const canRead = options.kind === 'disk' && (options.readOnly === true || options.snapshot === true);
  if (options.format !== undefined) {
    if (canRead) return options.format;
    throw badInput(path, `${options.format.toUpperCase()} images can only be read: add "readonly" or "snapshot"`);
  }
  if (known !== undefined && !(options.kind === 'cdrom' && hasCdFileSystem(head))) {
    const name = NAME_OF_KIND[options.kind];
    switch (known.family) {
      case 'disk-format':
        if (options.kind !== 'disk') throw badInput(path, `is ${known.what}, not a ${name} image`);
        if (known.format === 'qcow2' && canRead) return 'qcow2';
        if (known.format !== undefined && isForeignFormat(known.format) && canRead) return known.format;
        throw badInput(
          path,
          known.format === 'qcow2'
            ? 'is a qcow2 disk image; say format=qcow2 to write to it, or format=raw if its bytes are the disk'
            : `is ${known.what}, which cannot be written to; convert it with "nestbox disk convert --to qcow2", or say format=raw if its bytes are the disk`,
        );
      case 'archive':
        throw badInput(path, `is ${known.what}, not a ${name} image; unpack it first`);
      case 'program':
        throw badInput(
          path,
          `is ${known.what}, not a ${name} image${options.kind === 'disk' ? '; kernels start with --kernel' : ''}`,
        );
      case 'document':
        throw badInput(path, `is ${known.what}, not a ${name} image`);
    }
  }
  return 'raw';
}

function capacityOf(
  path: string,
  fileBytes: number,
  head: Uint8Array,
  options: OpenMediumOptions,
  notes: string[],
): number {
  const sector = SECTOR_BYTES[options.kind];
  const sized = roundUp(fileBytes, sector);
  const truncated = (needed: number): NestboxError =>
    badInput(
      path,
      `is truncated: its contents say ${needed} bytes, the file has ${fileBytes}; fetch or copy it again` +
        (options.kind === 'disk' ? ', or say format=raw to use it as it is' : ''),
    );
  switch (options.kind) {
    case 'cdrom': {
      if (isRawSectorCd(head)) {
        throw badInput(path, 'is a CD image with raw 2,352-byte sectors (.bin); convert it to an ISO file first');
      }
      if (!hasCdFileSystem(head))
        notes.push(`${path}: no ISO 9660 or UDF file system found; the CD may not be readable`);
      const needed = isoVolumeBytes(head);
      if (needed !== undefined && needed > fileBytes + ISO_SLACK_BYTES && options.format !== 'raw')
        throw truncated(needed);
      break;
    }
    case 'floppy': {
      const capacity = floppyCapacity(fileBytes, head);
      if (capacity === undefined) {
        throw badInput(
          path,
          `has ${fileBytes} bytes, more than a floppy disk holds (${LARGEST_FLOPPY_BYTES}); use it as a disk or CD`,
        );
      }
      const needed = fatVolumeBytes(head);
      if (needed !== undefined && needed > fileBytes && options.format !== 'raw') throw truncated(needed);
      if (capacity !== fileBytes)
        notes.push(
          `${path}: ${fileBytes} bytes, used as a floppy disk of ${capacity / 1024} KiB with zeroes at the end`,
        );
      return capacity;
    }
    case 'disk': {
      const needed = partitionedBytes(head) ?? fatVolumeBytes(head);
      if (needed !== undefined && needed > sized && options.format !== 'raw') throw truncated(needed);
      break;
    }
  }
  if (sized !== fileBytes)
    notes.push(`${path}: ${fileBytes} bytes are not a multiple of ${sector}; zeroes fill the last sector`);
  return sized;
}
