// Interrupt wiring of the PC: each ISA interrupt reaches the 8259 pair and the I/O APIC (IRQ 0 on input 2), and may have
// several sources; the PICs' INT output is the local APIC's LINT0.

import { type IrqLine, SharedIrqLine } from '../bus/irq.ts';

const ISA_IRQS = 16;
const IO_APIC_PINS = 24;
/** The 8254's interrupt arrives at input 2 of the I/O APIC, as the MADT's source override tells. */
const TIMER_INPUT = 2;

export class InterruptWiring {
  private readonly shared: SharedIrqLine[];
  private readonly direct: IrqLine[];

  constructor(pic: (irq: number) => IrqLine, ioApic: (pin: number) => IrqLine) {
    this.shared = Array.from({ length: ISA_IRQS }, (_, irq) => {
      const first = pic(irq);
      const second = ioApic(irq === 0 ? TIMER_INPUT : irq);
      return new SharedIrqLine({
        set: (level) => {
          first.set(level);
          second.set(level);
        },
      });
    });
    this.direct = Array.from({ length: IO_APIC_PINS }, (_, pin) => {
      if (pin === TIMER_INPUT) return this.isa(0);
      return pin < ISA_IRQS ? this.isa(pin) : new SharedIrqLine(ioApic(pin)).connect();
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
