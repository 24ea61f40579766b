// The registers of the Bochs display interface by their ports, as the video BIOS uses them.

import type { PortBus } from '../../../bus/port-bus.ts';
import type { DispiControl } from './mode-set.ts';

const INDEX_PORT = 0x1ce;
const DATA_PORT = 0x1cf;
export const XRES = 1;
export const YRES = 2;
export const BPP = 3;
export const ENABLE = 4;
export const BANK = 5;
export const VIRT_WIDTH = 6;
export const X_OFFSET = 8;
export const Y_OFFSET = 9;
const MEMORY_64K = 0xa;
/** Bits of ENABLE. */
export const ENABLED = 0x01;
export const DAC_8BIT = 0x20;
export const LFB = 0x40;
export const NO_CLEAR = 0x80;
const ID_MASK = 0xfff0;
const ID = 0xb0c0;

export class Dispi implements DispiControl {
  private readonly ports: PortBus;

  constructor(ports: PortBus) {
    this.ports = ports;
  }

  read(index: number): number {
    this.ports.write(INDEX_PORT, 2, index);
    return this.ports.read(DATA_PORT, 2);
  }

  write(index: number, value: number): void {
    this.ports.write(INDEX_PORT, 2, index);
    this.ports.write(DATA_PORT, 2, value);
  }

  /** True when the adapter has the interface. */
  get present(): boolean {
    return (this.read(0) & ID_MASK) === ID;
  }

  /** Video memory in units of 64 KiB. */
  get memory64k(): number {
    return this.read(MEMORY_64K);
  }

  get memoryBytes(): number {
    return this.memory64k * 0x10000;
  }

  disable(): void {
    if (this.present) this.write(ENABLE, 0);
  }
}
