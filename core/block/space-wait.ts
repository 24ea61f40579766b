// What happens to a write when the host's disk is full: it waits instead of failing, the machine stands still, and the
// write is tried again until there is space. A guest never sees the host's shortage as a broken drive.

import { isNestboxError, NestboxError } from '../base/errors.ts';
import type { BlockDevice } from './block-device.ts';

const RETRY_MS = 2000;

/** Shared by the disks of one machine. */
export class SpaceWait {
  /** The first write found the disk full: `error` names the file. Called again when a retry by the user fails. */
  onFull: ((error: NestboxError) => void) | undefined;
  /** Everything that waited is written. */
  onSpace: (() => void) | undefined;
  private readonly retryMs: number;
  private readonly waiting = new Set<{ readonly retry: () => void; readonly fail: (error: NestboxError) => void }>();
  private timer: NodeJS.Timeout | undefined;
  private trying = 0;
  private reason: NestboxError | undefined;
  private closed = false;

  constructor(retryMs = RETRY_MS) {
    this.retryMs = retryMs;
  }

  /** Why writes wait, or undefined. */
  get full(): NestboxError | undefined {
    return this.reason;
  }

  /** Runs `work` until it ends otherwise than by lack of space. */
  async attempt(work: () => Promise<void>): Promise<void> {
    for (let again = false; ; again = true) {
      try {
        await work();
        if (again) this.succeeded();
        return;
      } catch (error) {
        if (again) this.trying--;
        if (!isNestboxError(error) || error.kind !== 'no-space' || this.closed) throw error;
        await this.hold(error);
      }
    }
  }

  /** Tries again what waits. */
  retry(): void {
    for (const held of [...this.waiting]) {
      this.waiting.delete(held);
      this.trying++;
      held.retry();
    }
  }

  /** The user wants to go on: when there is still no space, `onFull` says so once more. */
  retryLoudly(): void {
    this.reason = undefined;
    this.retry();
  }

  /** Lets everything that waits fail, now and later: the machine ends. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    const error = this.reason ?? new NestboxError('no-space', 'No space left on the disk', { op: 'write disk' });
    for (const held of this.waiting) held.fail(error);
    this.waiting.clear();
  }

  private hold(error: NestboxError): Promise<void> {
    const isNews = this.reason === undefined;
    this.reason = error;
    const held = new Promise<void>((retry, fail) => this.waiting.add({ retry, fail }));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.retry(), this.retryMs);
    if (isNews) this.onFull?.(error);
    return held;
  }

  private succeeded(): void {
    this.trying--;
    if (this.waiting.size > 0 || this.trying > 0) return;
    clearTimeout(this.timer);
    this.reason = undefined;
    this.onSpace?.();
  }
}

/** The disk, with writes that wait for space. */
export function waitingForSpace(disk: BlockDevice, wait: SpaceWait): BlockDevice {
  return {
    sizeBytes: disk.sizeBytes,
    readOnly: disk.readOnly,
    read: (offset, target) => disk.read(offset, target),
    write: (offset, source) => wait.attempt(() => disk.write(offset, source)),
    flush: () => wait.attempt(() => disk.flush()),
    writeZeroes: (offset, length) => wait.attempt(() => disk.writeZeroes(offset, length)),
    discard: (offset, length) => wait.attempt(() => disk.discard(offset, length)),
    close: () => disk.close(),
  };
}
