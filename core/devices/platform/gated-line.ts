// An interrupt wire with a switch in it: the 8254 and the RTC lose their inputs to the HPET while it replaces them.

import type { IrqLine } from '../../bus/irq.ts';

export class GatedLine implements IrqLine {
  private readonly target: IrqLine;
  private level = false;
  private open = true;

  constructor(target: IrqLine) {
    this.target = target;
  }

  set(level: boolean): void {
    this.level = level;
    if (this.open) this.target.set(level);
  }

  /** Closes the switch (the wire falls) or opens it (the wire takes the source's level again). */
  setOpen(open: boolean): void {
    if (open === this.open) return;
    this.open = open;
    this.target.set(open && this.level);
  }
}
