// What becomes of a machine whose media fail: a full disk of the host makes it stand still until there is space, an image
// that cannot be trusted any more ends it, other failures are the guest's to handle.

import { Emitter } from '../base/emitter.ts';
import { NestboxError, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { IoQueue } from './io-queue.ts';
import type { MachineLife } from './machine-life.ts';
import type { MediaSet } from './media-set.ts';

export interface MediaTroubleOptions {
  readonly media: MediaSet;
  readonly io: IoQueue;
  readonly life: MachineLife;
  readonly log: Logger;
  /** Starts the machine again. */
  readonly start: () => void;
}

export class MediaTrouble {
  private readonly options: MediaTroubleOptions;
  /** Set while the machine stands still for lack of space on the host, and not because somebody asked. */
  private paused = false;
  private pause: Promise<void> = Promise.resolve();
  private readonly diskFullEmitter = new Emitter<string | undefined>();
  /** With what is said of a full disk, and undefined when there is space again. */
  readonly onDiskFull = this.diskFullEmitter.event;

  constructor(options: MediaTroubleOptions) {
    this.options = options;
    const { media } = options;
    media.onFailure = (error) => this.mediumFailed(error);
    media.space.onFull = (error) => this.diskFull(error);
    media.space.onSpace = () => void this.diskHasSpace();
  }

  /** Somebody asked for a pause, or a start: it is not ours any more. */
  forgetPause(): void {
    this.paused = false;
  }

  /** The guest stands still until its write is done: a full disk of the host is not the guest's trouble. */
  private diskFull(error: NestboxError): void {
    const { io, life, log } = this.options;
    log.log('warn', `${error.message}; the machine is paused and goes on when there is space`);
    this.diskFullEmitter.fire(error.message);
    io.block(error);
    if (life.state !== 'running') return;
    this.paused = true;
    this.pause = life.pause();
  }

  private async diskHasSpace(): Promise<void> {
    const { io, life, log, start } = this.options;
    this.diskFullEmitter.fire(undefined);
    io.unblock();
    await this.pause;
    if (!this.paused || life.state !== 'paused') return;
    log.log('warn', 'There is space on the disk again; the machine goes on');
    start();
  }

  private mediumFailed(error: unknown): void {
    const { life, log } = this.options;
    if (error instanceof NestboxError && error.kind === 'bad-input') life.fail(error);
    else log.log('warn', messageOf(error));
  }
}
