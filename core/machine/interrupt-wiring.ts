// Interrupt wiring of the PC: inputs of the interrupt controllers, each of which may have several sources.

import { type IrqLine, SharedIrqLine } from '../bus/irq.ts';
import { TIMER_INPUT } from './interrupt-controllers.ts';

const ISA_IRQS = 16;
const IO_APIC_PINS = 24;

export class InterruptWiring {
  private readonly shared: SharedIrqLine[];
  private readonly direct: IrqLine[];

  /** @param drive sets input 0..23; those below 16 are ISA interrupts */
  constructor(drive: (gsi: number, level: boolean) => void) {
    const input = (gsi: number): SharedIrqLine => new SharedIrqLine({ set: (level) => drive(gsi, level) });
    this.shared = Array.from({ length: ISA_IRQS }, (_, irq) => input(irq));
    this.direct = Array.from({ length: IO_APIC_PINS }, (_, pin) => {
      if (pin === TIMER_INPUT) return this.isa(0);
      return pin < ISA_IRQS ? this.isa(pin) : input(pin).connect();
    });
  }

  /** A new source of ISA interrupt 0..15. */
  isa(irq: number): IrqLine {
    const line = this.shared[irq];
    if (line === undefined) throw new RangeError(`ISA interrupt ${irq}`);
    return line.connect();
  }

  /** The source that the HPET drives for an I/O APIC input; always the same object for one input. */
  input(pin: number): IrqLine {
    return this.direct[pin] ?? { set: () => undefined };
  }
}
