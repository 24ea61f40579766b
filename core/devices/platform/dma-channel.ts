// What a device on the ISA bus (floppy, sound card) sees of its 8237 DMA channel. The device never learns addresses:
// the guest programs them into the controller.

import type { Disposable } from '../../base/disposable.ts';

export interface DmaResult {
  /** Bytes moved; less than asked for when the channel is masked or reached terminal count. */
  readonly bytes: number;
  /** True when this transfer reached terminal count (the TC pin was pulsed). An autoinit channel goes on after it. */
  readonly terminalCount: boolean;
}

export interface DmaChannel {
  /**
   * Requests service: memory -> device. Fills at most `target.length` bytes, as the channel is programmed. A request
   * stops at terminal count, also in autoinit mode, so that the device can see TC; ask again for the rest.
   * A channel programmed for verify counts without moving data (`target` reads 0xFF).
   */
  read(target: Uint8Array): DmaResult;
  /** Requests service: device -> memory. Stops at terminal count as `read` does. */
  write(source: Uint8Array): DmaResult;
  /** True when a request would be served: the controller is enabled and the channel is not masked. */
  readonly ready: boolean;
  /** Bytes left until terminal count. */
  readonly remainingBytes: number;
  /** Calls `listener` whenever the channel becomes ready, so that a device may start a request that had to wait. */
  onReady(listener: () => void): Disposable;
}
