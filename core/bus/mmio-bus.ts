// Memory-mapped registers: ranges of guest physical addresses that are answered by devices instead of RAM.
// 8-byte accesses are split into two 4-byte ones. Unclaimed addresses read all ones and ignore writes.

import { type Disposable, toDisposable } from '../base/disposable.ts';
import type { AccessSize } from './port-bus.ts';

export interface MmioDevice {
  /** Value at `offset` from the range's start, zero-extended. Never throws. */
  readMmio(offset: number, size: AccessSize): number;
  /** `value` is an unsigned number of `size` bytes. Never throws. */
  writeMmio(offset: number, size: AccessSize, value: number): void;
}

interface Range {
  readonly base: number;
  readonly end: number;
  readonly device: MmioDevice;
  readonly priority: number;
}

export class MmioBus {
  private ranges: Range[] = [];
  private last: Range | undefined;

  /**
   * Answers `length` bytes from guest physical `base` (a number below 2^52). Where ranges overlap the higher priority
   * wins, then the later registration.
   */
  register(base: number, length: number, device: MmioDevice, priority = 0): Disposable {
    const range: Range = { base, end: base + length, device, priority };
    this.ranges.push(range);
    this.ranges.sort((a, b) => b.priority - a.priority);
    this.last = undefined;
    return toDisposable(() => {
      this.ranges = this.ranges.filter((other) => other !== range);
      this.last = undefined;
    });
  }

  private find(address: number): Range | undefined {
    const last = this.last;
    if (last !== undefined && address >= last.base && address < last.end) return last;
    for (const range of this.ranges) {
      if (address >= range.base && address < range.end) {
        // Only an unambiguous hit may be remembered: a range of higher priority may cover its neighbour's addresses.
        if (range.priority === (this.ranges[0]?.priority ?? 0)) this.last = range;
        return range;
      }
    }
    return undefined;
  }

  read(address: number, size: AccessSize): number {
    const range = this.find(address);
    if (range === undefined) return size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
    return range.device.readMmio(address - range.base, size) >>> 0;
  }

  write(address: number, size: AccessSize, value: number): void {
    const range = this.find(address);
    if (range !== undefined) range.device.writeMmio(address - range.base, size, value);
  }
}
