// What a 16550A is made with.

import type { Clock } from '../../base/clock.ts';
import type { IrqLine } from '../../bus/irq.ts';

/** Modem status inputs, true = asserted. */
export interface ModemInputs {
  readonly cts: boolean;
  readonly dsr: boolean;
  readonly ri: boolean;
  readonly dcd: boolean;
}

export interface Uart16550Options {
  /** "com1"... */
  readonly id: string;
  /** 3F8h, 2F8h, 3E8h or 2E8h. */
  readonly base: number;
  readonly clock: Clock;
  readonly irq: IrqLine;
  /** Takes each byte that the guest sends. */
  readonly onTransmit: (byte: number) => void;
  /** The guest set or cleared the break condition. */
  readonly onBreak?: ((active: boolean) => void) | undefined;
  /** DTR and RTS outputs changed. */
  readonly onModemOutputs?: ((outputs: { dtr: boolean; rts: boolean }) => void) | undefined;
  /** `baud`: bytes take the time that the divisor says, both ways. Default `instant`. */
  readonly pacing?: 'instant' | 'baud' | undefined;
  /** Real boards let interrupts through only while OUT2 is set. Default false, which simple guests rely on. */
  readonly gateIrqWithOut2?: boolean | undefined;
}
