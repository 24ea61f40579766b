// Interrupt wiring: what a device gets to raise interrupts. It never sees the controller.

/** One interrupt wire. Level semantics: the controller decides whether it looks at edges or levels. */
export interface IrqLine {
  /** Drives the wire high (true) or low (false). Repeating the present level does nothing. */
  set(level: boolean): void;
}

/** Message-signalled interrupts: a 32-bit data write to an address in the local APIC's window. */
export interface MsiSink {
  send(address: number, data: number): void;
}

export const unconnectedIrq: IrqLine = { set: () => undefined };

/** An IrqLine that several sources share (wired-OR), as PCI interrupt pins do. */
export class SharedIrqLine {
  private readonly target: IrqLine;
  private activeSources = 0;

  constructor(target: IrqLine) {
    this.target = target;
  }

  /** A new source; the wire is high while at least one source is high. */
  connect(): IrqLine {
    let active = false;
    return {
      set: (level) => {
        if (level === active) return;
        active = level;
        this.activeSources += level ? 1 : -1;
        this.target.set(this.activeSources > 0);
      },
    };
  }
}
