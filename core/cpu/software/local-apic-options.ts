// What a local APIC is made with.

import type { Clock } from '../../base/clock.ts';
import type { InterruptBus } from '../../bus/interrupt-bus.ts';

export interface LocalApicOptions {
  /** "lapic0"... */
  readonly id: string;
  readonly apicId: number;
  /** The boot processor: its LINT0 lets the 8259 through from the start, as firmware sets it up. */
  readonly isBsp: boolean;
  readonly clock: Clock;
  readonly bus: InterruptBus;
  /** Virtual time at which the TSC reaches a value. */
  readonly tscToNs: (tsc: number) => number;
  /** The 8259 pair whose INT output drives LINT0. */
  readonly pic?: { acknowledge(): number } | undefined;
  /** INTR to the CPU changed; see hasInterrupt(). */
  readonly onInterruptRequest: (level: boolean) => void;
  readonly onNmi: () => void;
  readonly onInit: () => void;
  readonly onStartup: (vector: number) => void;
  /** The APIC base MSR changed: the memory window moved, appeared or went away. */
  readonly onBaseChanged?: (() => void) | undefined;
}
