// What a bus-mastering device gets to reach guest memory. It reaches RAM only, never another device's registers, so a
// guest cannot make a device talk to itself.

export interface DmaMemory {
  /** Copies guest physical memory into `target`; bytes outside RAM read as 0xFF. */
  read(address: number, target: Uint8Array): void;
  /** Copies `source` to guest physical memory, marking pages dirty and dropping cached code; bytes outside RAM are lost. */
  write(address: number, source: Uint8Array): void;
  read8(address: number): number;
  read16(address: number): number;
  read32(address: number): number;
  write8(address: number, value: number): void;
  write16(address: number, value: number): void;
  write32(address: number, value: number): void;
}
