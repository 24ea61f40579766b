// Runs the operations on one medium strictly one after another. A controller that was reset may start new requests while
// the host still works on abandoned ones: the order on the medium must stay the order of the guest's commands.

import { NestboxError } from '../../base/errors.ts';
import type { BlockDevice } from '../../block/block-device.ts';

export class MediumQueue {
  readonly device: BlockDevice;
  private tail: Promise<unknown> = Promise.resolve();

  constructor(device: BlockDevice) {
    this.device = device;
  }

  /**
   * Runs `operation` after all earlier ones, however those ended. When `isAbandoned` says so at its turn, it is not
   * started and the promise rejects with kind `cancelled`.
   */
  run<T>(operation: (device: BlockDevice) => Promise<T>, isAbandoned: () => boolean): Promise<T> {
    const result = this.tail.then(() => {
      if (isAbandoned()) throw new NestboxError('cancelled', 'The request was abandoned', { op: 'access medium' });
      return operation(this.device);
    });
    this.tail = result.then(ignore, ignore);
    return result;
  }

  /** Resolves when nothing that was asked for so far is under way any more. */
  async idle(): Promise<void> {
    await this.tail;
  }
}

function ignore(): void {}
