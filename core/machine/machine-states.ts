// What a machine does with saved states in files: taking them while it runs and starting from them.

import type { Logger } from '../base/logger.ts';
import type { Vcpu } from '../cpu/contract.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import type { RestoreSpec, TakeStateSpec, TakenState } from '../protocol/vm-messages.ts';
import { StateStore } from '../state-store/state-store.ts';
import { monotonicMs, randomSeed, wallClockMs } from './host-services.ts';
import type { StateWatcher } from './machine.ts';
import type { MachineLife } from './machine-life.ts';
import { type StateParts, loadMachineFields, saveMachineFields } from './machine-state.ts';
import type { MediaSet } from './media-set.ts';
import type { PcBoard } from './pc-board.ts';
import { MachineRandom } from './random.ts';
import { LazyMemory } from './state-restore.ts';
import { StateTaker } from './state-taker.ts';

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
  /** With the instruction clock nothing of the host may enter. */
  readonly deterministic: boolean;
}

export class MachineStates {
  private readonly options: MachineStatesOptions;
  private readonly taker: StateTaker;
  private lazy: LazyMemory | undefined;

  constructor(options: MachineStatesOptions) {
    const { memory, life, media, deterministic } = options;
    this.options = options;
    this.taker = new StateTaker({
      memory,
      standStill: async (stay, work) => {
        if (stay) await life.pause();
        return life.whilePaused(async () => {
          options.settle();
          return work();
        });
      },
      goOn: () => life.start(),
      saveFields: async () => ({ ...(await saveMachineFields(options.parts())), ...(deterministic ? {} : { savedAtMs: wallClockMs() }) }),
      flushDisks: () => media.flush(),
      moveDisks: (overlays) => media.moveToOverlays(overlays),
      nowMs: monotonicMs,
    });
  }

  take(spec: TakeStateSpec, watcher: StateWatcher): Promise<TakenState> {
    return this.taker.take(spec, watcher);
  }

  cancelTake(): void {
    this.taker.cancel();
  }

  /** @throws NestboxError `bad-input`, `unsupported`, `not-found`; the machine must not be started then */
  async restore(spec: RestoreSpec): Promise<void> {
    const { memory, vcpu, board, parts, deterministic, log } = this.options;
    const state = await new StateStore(nodeHostFiles, spec.folder).open(spec.id);
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
    this.taker.startedFrom(spec.id);
    this.options.processorChanged();
    const savedAtMs = (state.machine as { readonly savedAtMs?: number }).savedAtMs;
    if (!deterministic && savedAtMs !== undefined) board.rtc.advance(wallClockMs() - savedAtMs);
    if (spec.newGeneration && !deterministic) parts().random.state = new MachineRandom(randomSeed()).state;
    if (vcpu.fillsAbsentPages === true) {
      void lazy.readBehind(nextTurn).catch((error: unknown) => {
        log.log('error', 'The saved state cannot be read any more');
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
    await this.lazy?.dispose();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
