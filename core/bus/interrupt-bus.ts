// The bus between I/O APICs, message-signalled interrupts and local APICs: finds the targets of a message, arbitrates
// lowest-priority delivery, carries end-of-interrupt back (Intel SDM volume 3, chapter 11).

import { type Disposable, toDisposable } from '../base/disposable.ts';
import type { MsiSink } from './irq.ts';

export const DELIVERY_FIXED = 0;
export const DELIVERY_LOWEST_PRIORITY = 1;
export const DELIVERY_SMI = 2;
export const DELIVERY_NMI = 4;
export const DELIVERY_INIT = 5;
export const DELIVERY_STARTUP = 6;
export const DELIVERY_EXTINT = 7;

/** The bus's view of a local APIC. */
export interface InterruptTarget {
  readonly apicId: number;
  /** Lower values win lowest-priority arbitration. */
  readonly arbitrationPriority: number;
  /** False while the APIC takes no fixed interrupts (switched off by software or in its base MSR). */
  readonly acceptsFixed: boolean;
  matchesPhysical(destination: number): boolean;
  matchesLogical(destination: number): boolean;
  /** Takes a message. `vector` counts for fixed, lowest-priority and start-up messages. */
  accept(deliveryMode: number, vector: number, levelTriggered: boolean): void;
}

/** Learns of the end of level-triggered interrupts. */
export interface EoiListener {
  endOfInterrupt(vector: number): void;
}

const MSI_DESTINATION_SHIFT = 12;
const MSI_REDIRECTION_HINT = 0x08;
const MSI_LOGICAL = 0x04;
const MSI_LEVEL = 0x8000;

export class InterruptBus implements MsiSink {
  private targets: InterruptTarget[] = [];
  private listeners: EoiListener[] = [];

  addTarget(target: InterruptTarget): Disposable {
    this.targets = [...this.targets, target].sort((a, b) => a.apicId - b.apicId);
    return toDisposable(() => {
      this.targets = this.targets.filter((other) => other !== target);
    });
  }

  addEoiListener(listener: EoiListener): Disposable {
    this.listeners = [...this.listeners, listener];
    return toDisposable(() => {
      this.listeners = this.listeners.filter((other) => other !== listener);
    });
  }

  /** Sends a message to the APICs that `destination` names; @returns false when there is none */
  deliver(
    destination: number,
    logical: boolean,
    deliveryMode: number,
    vector: number,
    levelTriggered: boolean,
  ): boolean {
    if (deliveryMode === DELIVERY_LOWEST_PRIORITY)
      return this.deliverLowest(destination, logical, vector, levelTriggered);
    let found = false;
    for (const target of this.targets) {
      if (logical ? !target.matchesLogical(destination) : !target.matchesPhysical(destination)) continue;
      found = true;
      target.accept(deliveryMode, vector, levelTriggered);
    }
    return found;
  }

  /** Destination shorthand "all": to every APIC but `except`. */
  broadcast(except: InterruptTarget | undefined, deliveryMode: number, vector: number, levelTriggered: boolean): void {
    if (deliveryMode === DELIVERY_LOWEST_PRIORITY) {
      this.lowest((target) => target !== except)?.accept(DELIVERY_FIXED, vector, levelTriggered);
      return;
    }
    for (const target of this.targets) if (target !== except) target.accept(deliveryMode, vector, levelTriggered);
  }

  /** A local APIC finished a level-triggered interrupt. */
  broadcastEoi(vector: number): void {
    for (const listener of this.listeners) listener.endOfInterrupt(vector);
  }

  /** A write of `data` to FEExxxxxh. */
  send(address: number, data: number): void {
    const logical = (address & MSI_LOGICAL) !== 0;
    let deliveryMode = (data >> 8) & 7;
    if ((address & MSI_REDIRECTION_HINT) !== 0 && logical && deliveryMode === DELIVERY_FIXED) {
      deliveryMode = DELIVERY_LOWEST_PRIORITY;
    }
    this.deliver(
      (address >>> MSI_DESTINATION_SHIFT) & 0xff,
      logical,
      deliveryMode,
      data & 0xff,
      (data & MSI_LEVEL) !== 0,
    );
  }

  private deliverLowest(destination: number, logical: boolean, vector: number, levelTriggered: boolean): boolean {
    const chosen = this.lowest((target) =>
      logical ? target.matchesLogical(destination) : target.matchesPhysical(destination),
    );
    chosen?.accept(DELIVERY_FIXED, vector, levelTriggered);
    return chosen !== undefined;
  }

  /** Equal priorities go to the lowest APIC id, so that runs repeat. */
  private lowest(wanted: (target: InterruptTarget) => boolean): InterruptTarget | undefined {
    let best: InterruptTarget | undefined;
    for (const target of this.targets) {
      if (!target.acceptsFixed || !wanted(target)) continue;
      if (best === undefined || target.arbitrationPriority < best.arbitrationPriority) best = target;
    }
    return best;
  }
}
