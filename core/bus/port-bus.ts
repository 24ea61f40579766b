// The x86 I/O port space: 65,536 ports, accesses of 1, 2 and 4 bytes. An access that no device claims at its width is
// split into smaller ones, as the ISA bridge does; unclaimed ports read all ones and ignore writes.

import { type Disposable, toDisposable } from '../base/disposable.ts';
import { NestboxError } from '../base/errors.ts';

export type AccessSize = 1 | 2 | 4;

export interface PortDevice {
  /** Value at `offset` from the registered base, zero-extended. Never throws. */
  readPort(offset: number, size: AccessSize): number;
  /** `value` is an unsigned number of `size` bytes. Never throws. */
  writePort(offset: number, size: AccessSize, value: number): void;
}

interface Claim {
  readonly base: number;
  readonly count: number;
  readonly device: PortDevice;
  readonly maxSize: AccessSize;
}

export class PortBus {
  private readonly claims = new Array<Claim | undefined>(0x10000).fill(undefined);

  /**
   * Claims `count` ports from `base`. Wider accesses than `maxSize`, or ones that leave the range, are split.
   * @throws NestboxError kind `internal` when a port is claimed already
   */
  register(base: number, count: number, device: PortDevice, maxSize: AccessSize = 1): Disposable {
    for (let port = base; port < base + count; port++) {
      if (this.claims[port] !== undefined || port > 0xffff) {
        throw new NestboxError('internal', `Port 0x${port.toString(16)} is claimed twice`, { op: 'register ports' });
      }
    }
    const claim: Claim = { base, count, device, maxSize };
    this.claims.fill(claim, base, base + count);
    return toDisposable(() => {
      for (let port = base; port < base + count; port++) if (this.claims[port] === claim) this.claims[port] = undefined;
    });
  }

  read(port: number, size: AccessSize): number {
    const claim = this.claims[port];
    if (claim !== undefined && size <= claim.maxSize && port + size <= claim.base + claim.count) {
      return claim.device.readPort(port - claim.base, size) >>> 0;
    }
    if (size === 1) return 0xff;
    const half: AccessSize = size === 4 ? 2 : 1;
    const low = this.read(port, half);
    const high = this.read((port + half) & 0xffff, half);
    return ((high << (half * 8)) | low) >>> 0;
  }

  write(port: number, size: AccessSize, value: number): void {
    const claim = this.claims[port];
    if (claim !== undefined && size <= claim.maxSize && port + size <= claim.base + claim.count) {
      claim.device.writePort(port - claim.base, size, value);
      return;
    }
    if (size === 1) return;
    const half: AccessSize = size === 4 ? 2 : 1;
    const mask = half === 2 ? 0xffff : 0xff;
    this.write(port, half, value & mask);
    this.write((port + half) & 0xffff, half, (value >>> (half * 8)) & mask);
  }
}
