// A raw image: byte n of the medium is byte n of the file. Where the medium is larger than the file (a size that is no
// multiple of the sector size, a floppy image of one boot sector) the rest reads as zeroes, and the file grows only when
// the guest writes there. Somebody else's change of the file's size is an error, never silent corruption.

import { NestboxError } from '../base/errors.ts';
import type { HostFile } from '../host/files/host-file.ts';
import type { BlockDevice } from './block-device.ts';
import { checkRange, writeProtectedError } from './block-range.ts';

const ZERO_CHUNK_BYTES = 256 * 1024;
/** Smaller ranges are not worth a hole. */
const MIN_HOLE_BYTES = 64 * 1024;

export class RawDisk implements BlockDevice {
  private capacity: number;
  private writable: boolean;
  private readonly file: HostFile;
  /** The file's size as this disk knows it; it only ever grows, by this disk's own writes. */
  private fileSizeBytes: number;
  /** Writes under way that may make the file longer than `fileSizeBytes`. */
  private growing = 0;

  /**
   * @param file owned by the disk from now on
   * @param sizeBytes capacity of the medium, at least the file's size
   */
  constructor(file: HostFile, sizeBytes: number) {
    this.file = file;
    this.writable = !file.readOnly;
    this.capacity = sizeBytes;
    this.fileSizeBytes = file.identity().sizeBytes;
    if (this.fileSizeBytes > sizeBytes) {
      throw new NestboxError('internal', `${file.path}: the medium of ${sizeBytes} bytes is smaller than its file`, {
        op: 'open disk',
      });
    }
  }

  get sizeBytes(): number {
    return this.capacity;
  }

  get readOnly(): boolean {
    return !this.writable;
  }

  /** As the user named the file. */
  get path(): string {
    return this.file.path;
  }

  /** Makes the disk and its file that long; what is new reads as zeroes, what is cut off is gone. */
  async resize(sizeBytes: number): Promise<void> {
    if (this.readOnly) throw writeProtectedError('resize disk');
    this.checkFileSize('resize disk');
    await this.file.truncate(sizeBytes);
    this.fileSizeBytes = sizeBytes;
    this.capacity = sizeBytes;
  }

  /** Everything is on stable storage and the disk read-only from here on: it can be the backing file of others. */
  async freeze(): Promise<void> {
    await this.flush();
    this.writable = false;
    await this.file.lock('shared');
  }

  /** False for an image that was opened for reading only. */
  get canThaw(): boolean {
    return !this.file.readOnly;
  }

  /** Undoes `freeze`. @throws NestboxError `busy` when somebody else reads the file by now */
  async thaw(): Promise<void> {
    if (this.file.readOnly) throw writeProtectedError('write disk');
    await this.file.lock('exclusive');
    this.writable = true;
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    checkRange(this.sizeBytes, offset, target.length, 'read disk');
    this.checkFileSize('read disk');
    const expected = Math.max(0, Math.min(target.length, this.fileSizeBytes - offset));
    if (expected > 0) {
      const count = await this.file.read(offset, expected === target.length ? target : target.subarray(0, expected));
      if (count < expected) throw this.sizeChanged('read disk', offset + count);
    }
    if (expected < target.length) target.fill(0, expected);
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    checkRange(this.sizeBytes, offset, source.length, 'write disk');
    if (this.readOnly) throw writeProtectedError('write disk');
    if (source.length === 0) return;
    this.checkFileSize('write disk');
    const end = offset + source.length;
    if (end <= this.fileSizeBytes) return this.file.write(offset, source);
    this.growing++;
    try {
      await this.file.write(offset, source);
      if (end > this.fileSizeBytes) this.fileSizeBytes = end;
    } finally {
      this.growing--;
      // A write that failed half-way may have lengthened the file: from here on that is its size.
      if (this.growing === 0)
        this.fileSizeBytes = Math.max(this.fileSizeBytes, Math.min(this.file.identity().sizeBytes, this.sizeBytes));
    }
  }

  async flush(): Promise<void> {
    if (this.readOnly) return;
    this.checkFileSize('flush disk');
    await this.file.flush();
  }

  async writeZeroes(offset: number, length: number): Promise<void> {
    checkRange(this.sizeBytes, offset, length, 'write zeroes');
    if (this.readOnly) throw writeProtectedError('write zeroes');
    this.checkFileSize('write zeroes');
    // What lies beyond the end of the file reads as zeroes already.
    const end = Math.min(offset + length, this.fileSizeBytes);
    if (end <= offset) return;
    if (end - offset >= MIN_HOLE_BYTES && (await this.file.punchHole(offset, end - offset))) return;
    const zeroes = new Uint8Array(Math.min(ZERO_CHUNK_BYTES, end - offset));
    for (let at = offset; at < end; at += zeroes.length) {
      await this.file.write(at, end - at < zeroes.length ? zeroes.subarray(0, end - at) : zeroes);
    }
  }

  async discard(offset: number, length: number): Promise<void> {
    checkRange(this.sizeBytes, offset, length, 'discard');
    if (this.readOnly) return;
    const end = Math.min(offset + length, this.fileSizeBytes);
    if (end - offset >= MIN_HOLE_BYTES) await this.file.punchHole(offset, end - offset);
  }

  async close(): Promise<void> {
    try {
      if (!this.readOnly) await this.file.flush();
    } finally {
      await this.file.close();
    }
  }

  private checkFileSize(op: string): void {
    if (this.growing > 0) return;
    const size = this.file.identity().sizeBytes;
    if (size !== this.fileSizeBytes) throw this.sizeChanged(op, size);
  }

  private sizeChanged(op: string, foundBytes: number): NestboxError {
    return new NestboxError(
      'bad-input',
      `${this.file.path}: changed size while open (was ${this.fileSizeBytes} bytes, is ${foundBytes})`,
      {
        op,
        context: { path: this.file.path, expectedBytes: this.fileSizeBytes, foundBytes },
      },
    );
  }
}
