// What a machine does with saved states in files: taking them while it runs and starting from them.

import { blockThread } from '../base/blocking-sleep.ts';
import type { Logger } from '../base/logger.ts';
import type { Vcpu } from '../cpu/contract.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import { join } from 'node:path';
import type { HandOverSpec, HandedOver, RestoreSpec, TakeStateSpec, TakenState } from '../protocol/vm-messages.ts';
import { HandoverState } from '../state-store/handover.ts';
import { StateStore } from '../state-store/state-store.ts';
import { monotonicMs, randomSeed, wallClockMs } from './host-services.ts';
import type { MachineFields, StateWatcher } from './machine.ts';
import type { MachineLife } from './machine-life.ts';
import { type StateParts, loadMachineFields, saveMachineFields } from './machine-state.ts';
import type { MediaSet } from './media-set.ts';
import type { PcBoard } from './pc-board.ts';
import { MachineRandom } from './random.ts';
import { LazyMemory, type SavedMemory } from './state-restore.ts';
import { StateForker } from './state-forker.ts';
import { StateTaker, type TakenMachine } from './state-taker.ts';

const DELAY_MS = 5;
/** Looks of at least a millisecond after which a machine that hands over memory and does not move counts as dead. */
const HANDOVER_PATIENCE = 20_000;

export interface MachineStatesOptions {
  readonly memory: PhysicalMemory;
  readonly vcpu: Vcpu;
  readonly board: PcBoard;
  readonly media: MediaSet;
  readonly life: MachineLife;
  readonly log: Logger;
  readonly parts: () => StateParts;
  /** Does what is pending between two slices of the processor, so that nothing outside the state is left. */
  readonly settle: () => void;
  /** Somebody else's changes to the processor: it is not known to be halted any more. */
  readonly processorChanged: () => void;
  /** The VM generation id of a state that is used again, as it lies in memory. */
  readonly generation: () => Uint8Array;
  /** With the instruction clock nothing of the host may enter. */
  readonly deterministic: boolean;
}

export class MachineStates {
  private readonly options: MachineStatesOptions;
  private readonly taker: StateTaker;
  private readonly forker: StateForker;
  private lazy: LazyMemory | undefined;

  constructor(options: MachineStatesOptions) {
    const { memory, life, media, vcpu, log } = options;
    this.options = options;
    const machine: TakenMachine = {
      memory,
      files: nodeHostFiles,
      standStill: async (stay, work) => {
        if (stay) await life.pause();
        return this.standStill(work);
      },
      goOn: () => life.start(),
      saveFields: () => this.saveFields(),
      flushDisks: () => media.flush(),
      moveDisks: (overlays) => media.moveToOverlays(overlays),
      nowMs: monotonicMs,
    };
    this.taker = new StateTaker(machine);
    this.forker = new StateForker({
      ...machine,
      canHold: vcpu.fillsAbsentPages === true,
      ready: async () => this.lazy?.loaded,
      marksTaken: () => this.taker.forgetBase(),
      onFull: (error) => log.log('warn', `${error.message}; the forked machine waits until there is space`),
    });
  }

  private standStill<T>(work: () => Promise<T>): Promise<T> {
    return this.options.life.whilePaused(async () => {
      this.options.settle();
      return work();
    });
  }

  private async saveFields(): Promise<MachineFields> {
    const { parts, deterministic } = this.options;
    return { ...(await saveMachineFields(parts())), ...(deterministic ? {} : { savedAtMs: wallClockMs() }) };
  }

  take(spec: TakeStateSpec, watcher: StateWatcher): Promise<TakenState> {
    return this.taker.take(spec, watcher);
  }

  cancelTake(): void {
    this.taker.cancel();
    this.forker.cancel();
  }

  handOver(spec: HandOverSpec): Promise<HandedOver> {
    return this.forker.handOver(spec);
  }

  handedOver(): Promise<void> {
    return this.forker.handedOver();
  }

  /** @throws NestboxError `bad-input`, `unsupported`, `not-found`; the machine must not be started then */
  async restore(spec: RestoreSpec): Promise<void> {
    const { memory, vcpu, board, parts, deterministic, log } = this.options;
    const state: SavedMemory = spec.live === true
      ? await HandoverState.open(await nodeHostFiles.open(handoverPath(spec), { readOnly: false }), spec.id, { sleep: () => blockThread(1), patience: HANDOVER_PATIENCE })
      : await new StateStore(nodeHostFiles, spec.folder).open(spec.id);
    let lazy: LazyMemory;
    try {
      lazy = new LazyMemory(state, memory);
      await loadMachineFields(parts(), state.machine);
    } catch (error) {
      await state.close();
      throw error;
    }
    this.lazy = lazy;
    lazy.attach();
    if (spec.live !== true) this.taker.startedFrom(spec.id);
    this.options.processorChanged();
    const savedAtMs = (state.machine as { readonly savedAtMs?: number }).savedAtMs;
    if (!deterministic && savedAtMs !== undefined) {
      const awayMs = wallClockMs() - savedAtMs;
      board.rtc.advance(awayMs);
      board.kvmClock?.advance(awayMs);
    }
    if (spec.newGeneration && !deterministic) {
      parts().random.state = new MachineRandom(randomSeed()).state;
      board.generationId.change(this.options.generation());
    }
    if (vcpu.fillsAbsentPages === true) {
      void lazy.readBehind(nextTurn, () => sleep(DELAY_MS)).catch((error: unknown) => {
        log.log('error', 'The rest of the memory cannot be read any more');
        this.options.life.fail(error);
      });
    } else await lazy.readAllNow();
  }

  /** Resolves when all memory has been read. @throws NestboxError when it cannot be */
  async memoryLoaded(): Promise<void> {
    await this.lazy?.loaded;
  }

  async dispose(): Promise<void> {
    this.taker.cancel();
    await this.forker.dispose();
    await this.lazy?.dispose();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

function handoverPath(spec: { readonly folder: string; readonly id: string }): string {
  return join(spec.folder, `${spec.id}.handover`);
}
