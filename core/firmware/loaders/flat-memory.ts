// Plain guest memory for tests and tools: RAM from 0, nothing else. It counts writes that miss RAM.

import type { DmaMemory } from '../../bus/dma.ts';

export class FlatMemory implements DmaMemory {
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  /** Writes of which at least one byte lay outside RAM. */
  strayWrites = 0;

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  private holds(address: number, length: number): boolean {
    return address >= 0 && address + length <= this.bytes.length;
  }

  read(address: number, target: Uint8Array): void {
    target.fill(0xff);
    if (address < this.bytes.length)
      target.set(this.bytes.subarray(address, Math.min(address + target.length, this.bytes.length)));
  }

  write(address: number, source: Uint8Array): void {
    if (!this.holds(address, source.length)) this.strayWrites++;
    if (address < this.bytes.length) this.bytes.set(source.subarray(0, this.bytes.length - address), address);
  }

  read8(address: number): number {
    return this.holds(address, 1) ? this.view.getUint8(address) : 0xff;
  }

  read16(address: number): number {
    return this.holds(address, 2) ? this.view.getUint16(address, true) : 0xffff;
  }

  read32(address: number): number {
    return this.holds(address, 4) ? this.view.getUint32(address, true) : 0xffffffff;
  }

  write8(address: number, value: number): void {
    if (this.holds(address, 1)) this.view.setUint8(address, value);
    else this.strayWrites++;
  }

  write16(address: number, value: number): void {
    if (this.holds(address, 2)) this.view.setUint16(address, value, true);
    else this.strayWrites++;
  }

  write32(address: number, value: number): void {
    if (this.holds(address, 4)) this.view.setUint32(address, value, true);
    else this.strayWrites++;
  }
}
