// Access to the guest's memory as the caller of a service sees it (linear addresses, segment:offset), and to the BIOS
// data areas in the first 1 MiB.

import type { BiosCpu } from './types.ts';

export class GuestMemory {
  private readonly cpu: () => BiosCpu;
  private readonly scratch = new Uint8Array(4);
  private readonly one = this.scratch.subarray(0, 1);
  private readonly two = this.scratch.subarray(0, 2);

  constructor(cpu: () => BiosCpu) {
    this.cpu = cpu;
  }

  read(address: number, target: Uint8Array): void {
    if (!this.cpu().readLinear(address >>> 0, target)) target.fill(0xff);
  }

  write(address: number, source: Uint8Array): void {
    this.cpu().writeLinear(address >>> 0, source);
  }

  read8(address: number): number {
    this.read(address, this.one);
    return this.scratch[0] as number;
  }

  read16(address: number): number {
    this.read(address, this.two);
    return (this.scratch[0] as number) | ((this.scratch[1] as number) << 8);
  }

  read32(address: number): number {
    this.read(address, this.scratch);
    const s = this.scratch;
    return ((s[0] as number) | ((s[1] as number) << 8) | ((s[2] as number) << 16) | ((s[3] as number) << 24)) >>> 0;
  }

  write8(address: number, value: number): void {
    this.scratch[0] = value;
    this.write(address, this.one);
  }

  write16(address: number, value: number): void {
    this.scratch[0] = value;
    this.scratch[1] = value >>> 8;
    this.write(address, this.two);
  }

  write32(address: number, value: number): void {
    const s = this.scratch;
    s[0] = value;
    s[1] = value >>> 8;
    s[2] = value >>> 16;
    s[3] = value >>> 24;
    this.write(address, s);
  }

  fill(address: number, length: number, value: number): void {
    this.write(address, new Uint8Array(length).fill(value));
  }
}

/** Linear address of a real-mode far address. */
export function linear(segment: number, offset: number): number {
  return ((segment & 0xffff) << 4) + (offset & 0xffff);
}
