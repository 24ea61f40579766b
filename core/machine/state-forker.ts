// Lets a running machine go on in a second one as well: disks move to overlays at one instant, memory follows while both
// run (memory-handover.ts).

import { NestboxError } from '../base/errors.ts';
import type { HandOverSpec, HandedOver } from '../protocol/vm-messages.ts';
import { StateStore } from '../state-store/state-store.ts';
import { MemoryHandover } from './memory-handover.ts';
import { type TakenMachine, takeFailure } from './state-taker.ts';

const FULL_DISK_DELAY_MS = 500;

export interface ForkedMachine extends TakenMachine {
  /** The processor asks before it changes a page (Vcpu.fillsAbsentPages). */
  readonly canHold: boolean;
  /** Resolves when all of the machine's own memory is there. */
  ready(): Promise<void>;
  /** The marks of changed pages have been used up. */
  marksTaken(): void;
  /** The disk is full: the second machine waits. */
  onFull(error: NestboxError): void;
}

export class StateForker {
  private readonly machine: ForkedMachine;
  private handing: Promise<void> = Promise.resolve();
  private cancelled = false;

  constructor(machine: ForkedMachine) {
    this.machine = machine;
  }

  cancel(): void {
    this.cancelled = true;
  }

  /** See VmStateCommands. @throws NestboxError */
  async handOver(spec: HandOverSpec): Promise<HandedOver> {
    const { machine } = this;
    // One page can wait for one reader only, and what is still in a file has nothing to hand over.
    await this.handing.catch(() => undefined);
    await machine.ready();
    this.cancelled = false;
    const handover = await MemoryHandover.create({
      memory: machine.memory,
      files: machine.files,
      path: new StateStore(machine.files, spec.folder).handoverPath(spec.id),
      id: spec.id,
      canHold: machine.canHold,
      nextTurn,
      delay: () => new Promise((resolve) => setTimeout(resolve, FULL_DISK_DELAY_MS)),
      checkCancelled: () => {
        if (this.cancelled) throw new NestboxError('cancelled', 'Cancelled', { op: 'fork' });
      },
    });
    let moved = false;
    try {
      await handover.prepare();
      if (!machine.canHold) machine.marksTaken();
      await machine.flushDisks();
      const asked = machine.nowMs();
      const fields = await machine.standStill(false, async () => {
        const saved = await machine.saveFields();
        await machine.moveDisks(spec.overlays);
        moved = spec.overlays.length > 0;
        handover.hold();
        return saved;
      });
      const pauseMs = machine.nowMs() - asked;
      await handover.describe(fields);
      this.handing = handover.run((error) => machine.onFull(error));
      this.handing.catch(() => undefined);
      return { pauseMs };
    } catch (error) {
      await handover.undo();
      throw takeFailure(error, moved);
    }
  }

  /** Resolves when nothing is left to be handed over; rejects when some of it never will be. */
  async handedOver(): Promise<void> {
    await this.handing;
  }

  /** Another machine needs what is left: it is handed over before the machine goes. */
  async dispose(): Promise<void> {
    this.cancel();
    await this.handing.catch(() => undefined);
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
