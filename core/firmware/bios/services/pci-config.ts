// PCI configuration space through mechanism #1.

import type { AccessSize, PortBus } from '../../../bus/port-bus.ts';

const ADDRESS = 0xcf8;
const DATA = 0xcfc;

export class PciConfig {
  private readonly ports: PortBus;

  constructor(ports: PortBus) {
    this.ports = ports;
  }

  /** @param place bus << 8 | device << 3 | function */
  private select(place: number, register: number): void {
    this.ports.write(ADDRESS, 4, (0x80000000 | (place << 8) | (register & 0xfc)) >>> 0);
  }

  read(place: number, register: number, size: AccessSize): number {
    this.select(place, register);
    return this.ports.read(DATA + (register & 3), size);
  }

  write(place: number, register: number, size: AccessSize, value: number): void {
    this.select(place, register);
    this.ports.write(DATA + (register & 3), size, value);
  }

  /** Every function of bus 0 that answers. */
  *functions(): Generator<{ readonly place: number; readonly id: number }> {
    for (let device = 0; device < 32; device++) {
      let count = 1;
      for (let fn = 0; fn < count; fn++) {
        const place = (device << 3) | fn;
        const id = this.read(place, 0x00, 4);
        if ((id & 0xffff) === 0xffff || id === 0) continue;
        if (fn === 0 && (this.read(place, 0x0e, 1) & 0x80) !== 0) count = 8;
        yield { place, id };
      }
    }
  }
}
