// Joins PCI ranges to the machine's port and memory buses. A guest may put two ranges on the same ports; real hardware
// then misbehaves, here the first one keeps the ports and the other is answered once they are free.

import { type Disposable, toDisposable } from '../../base/disposable.ts';
import { type Logger, nullLogger } from '../../base/logger.ts';
import type { MmioBus, MmioDevice } from '../../bus/mmio-bus.ts';
import type { AccessSize, PortBus, PortDevice } from '../../bus/port-bus.ts';
import type { PciMapper } from './pci-device.ts';

/** Below the board's own registers (I/O APIC, HPET), which a BAR can therefore never hide. */
const PCI_PRIORITY = -1;

export interface BusPciMapperOptions {
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  /** Tells whether a memory range may be answered by PCI: RAM keeps its addresses. Default: every range may. */
  readonly isPciMemory?: ((base: number, length: number) => boolean) | undefined;
  readonly log?: Logger | undefined;
}

interface PortRange {
  readonly base: number;
  readonly count: number;
  readonly device: PortDevice;
  readonly maxSize: AccessSize;
  mapping: Disposable | undefined;
}

export class BusPciMapper implements PciMapper {
  private readonly ports: PortBus;
  private readonly mmio: MmioBus;
  private readonly isPciMemory: (base: number, length: number) => boolean;
  private readonly log: Logger;
  private readonly ranges = new Set<PortRange>();

  constructor(options: BusPciMapperOptions) {
    this.ports = options.ports;
    this.mmio = options.mmio;
    this.isPciMemory = options.isPciMemory ?? (() => true);
    this.log = options.log ?? nullLogger;
  }

  mapPorts(base: number, count: number, device: PortDevice, maxSize: AccessSize): Disposable {
    const range: PortRange = { base, count, device, maxSize, mapping: undefined };
    this.ranges.add(range);
    this.tryMap(range);
    return toDisposable(() => {
      this.ranges.delete(range);
      if (range.mapping === undefined) return;
      range.mapping.dispose();
      for (const waiting of this.ranges) if (waiting.mapping === undefined) this.tryMap(waiting);
    });
  }

  mapMemory(base: number, length: number, device: MmioDevice): Disposable {
    if (!this.isPciMemory(base, length)) {
      this.log.log('debug', 'PCI memory range lies over RAM and is not answered', { base, length });
      return toDisposable(() => undefined);
    }
    return this.mmio.register(base, length, device, PCI_PRIORITY);
  }

  private tryMap(range: PortRange): void {
    try {
      range.mapping = this.ports.register(range.base, range.count, range.device, range.maxSize);
    } catch {
      // The only failure of register() is a collision: the range waits.
      this.log.log('debug', 'PCI port range collides with another one', { base: range.base, count: range.count });
    }
  }
}
