// Saves the state of a running machine to files: memory behind the guest's back, then a short pause for the rest, devices
// and disks. The pause ends before anything slow is written; the state is complete when takeState() returns.

import { NestboxError, isNestboxError, messageOf } from '../base/errors.ts';
import { encodePng } from '../display/png.ts';
import { scaleToFit } from '../display/scale-frame.ts';
import type { HostFile, HostFiles } from '../host/files/host-file.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import type { OverlayTarget, TakeStateSpec, TakenState } from '../protocol/vm-messages.ts';
import { PackWriter } from '../state-store/pack-writer.ts';
import { writeStateFile } from '../state-store/state-file.ts';
import { type OpenState, StateStore } from '../state-store/state-store.ts';
import type { MachineFields, StateWatcher } from './machine.ts';
import { PageCollector } from './page-collector.ts';

/** Fewer unknown pages than this are copied in the pause: 16 MiB take a few milliseconds. */
const PAUSE_PAGES = 4096;
/** A guest that writes faster than we copy is paused all the same. */
const ROUNDS_MAX = 5;
const THUMBNAIL_WIDTH = 480;
const THUMBNAIL_HEIGHT = 360;

/** What the taker needs of its machine. */
export interface TakenMachine {
  readonly memory: PhysicalMemory;
  readonly files: HostFiles;
  /** Runs `work` while the guest stands still; it goes on afterwards unless it was not running or `stay` is true. */
  standStill<T>(stay: boolean, work: () => Promise<T>): Promise<T>;
  /** Lets the guest run again after a `stay` that came to nothing. */
  goOn(): void;
  /** Only while it stands still. */
  saveFields(): Promise<MachineFields>;
  /** Brings to stable storage what the guest has written so far; the guest may run. */
  flushDisks(): Promise<void>;
  /** Only while it stands still. @throws NestboxError; no disk has moved then */
  moveDisks(overlays: readonly OverlayTarget[]): Promise<void>;
  nowMs(): number;
}

export class StateTaker {
  private readonly machine: TakenMachine;
  private busy = false;
  private cancelled = false;
  /** The state that unchanged pages are the same as in, with those that have changed so far. */
  private base: { readonly id: string; readonly changed: Uint8Array } | undefined;

  constructor(machine: TakenMachine) {
    this.machine = machine;
  }

  /** The machine was loaded from that state just now. */
  startedFrom(id: string): void {
    this.machine.memory.watchState();
    this.base = { id, changed: this.noPages() };
  }

  private noPages(): Uint8Array {
    return new Uint8Array(this.machine.memory.layout.trackedPages);
  }

  /** Somebody else has cleared the marks of changed pages. */
  forgetBase(): void {
    this.base = undefined;
  }

  cancel(): void {
    this.cancelled = this.busy;
  }

  /** @throws NestboxError; see VmStateCommands.takeState */
  async take(spec: TakeStateSpec, watcher: StateWatcher): Promise<TakenState> {
    if (this.busy) throw new NestboxError('busy', 'A state of this machine is being saved already', { op: 'save state' });
    this.busy = true;
    this.cancelled = false;
    const run = new TakeRun(this.machine, spec, watcher, () => this.cancelled);
    try {
      const base = this.base;
      this.base = undefined;
      const { taken, changed } = await run.run(base);
      if (spec.storage === 'packed') this.base = { id: spec.id, changed };
      return taken;
    } catch (error) {
      await run.undo();
      if (run.stopped) this.machine.goOn();
      throw takeFailure(error, run.disksMoved);
    } finally {
      this.busy = false;
      await run.close();
    }
  }
}

export function takeFailure(error: unknown, switched: boolean): NestboxError {
  const known = isNestboxError(error) ? error : new NestboxError('internal', messageOf(error), { op: 'save state', cause: error });
  return new NestboxError(known.kind, known.message, { op: known.op, context: { ...known.context, switched }, cause: known });
}

/** One take. */
class TakeRun {
  private readonly machine: TakenMachine;
  private readonly spec: TakeStateSpec;
  private readonly watcher: StateWatcher;
  private readonly isCancelled: () => boolean;
  private readonly store: StateStore;
  private readonly relatives: OpenState[] = [];
  private packFile: HostFile | undefined;
  private stateFile: HostFile | undefined;
  disksMoved = false;
  /** The guest stands still for good. */
  stopped = false;

  constructor(machine: TakenMachine, spec: TakeStateSpec, watcher: StateWatcher, isCancelled: () => boolean) {
    this.machine = machine;
    this.spec = spec;
    this.watcher = watcher;
    this.isCancelled = isCancelled;
    this.store = new StateStore(machine.files, spec.folder);
  }

  private checkCancelled(): void {
    if (this.isCancelled()) throw new NestboxError('cancelled', 'Cancelled', { op: 'save state' });
  }

  async run(base: { readonly id: string; readonly changed: Uint8Array } | undefined): Promise<{ taken: TakenState; changed: Uint8Array }> {
    const { machine, spec, store } = this;
    const { memory } = machine;
    this.packFile = await store.files.create(store.packPath(spec.id));
    await this.openRelatives();
    const writer = new PackWriter(this.packFile, spec.id, spec.storage);
    const pages = new PageCollector({ memory, writer, relatives: this.relatives, storage: spec.storage, nextTurn });
    const changed = base?.changed ?? new Uint8Array(memory.layout.trackedPages);
    const known = base === undefined ? undefined : this.relatives.find((state) => state.id === base.id);
    if (known === undefined) memory.watchState();
    else {
      memory.takeStateDirty(changed);
      pages.takeOver(known, changed);
    }
    changed.fill(0);
    await this.copyAhead(pages, changed);
    await machine.flushDisks();
    this.checkCancelled();

    const asked = machine.nowMs();
    this.stopped = spec.afterwards === 'stop';
    const instant = await machine.standStill(spec.afterwards === 'stop', async () => {
      const fields = await machine.saveFields();
      // A guest that stops here has its disks as far as the state, also after a power cut.
      if (spec.afterwards === 'stop') await machine.flushDisks();
      changed.fill(0);
      memory.takeStateDirty(changed);
      pages.forget(changed);
      const copies = pages.copyUnknown();
      const { width, height, pixels } = this.watcher.screen();
      const screen = { width, height, pixels: pixels.slice() };
      await machine.moveDisks(spec.overlays);
      this.disksMoved = spec.overlays.length > 0;
      return { fields, copies, screen };
    });
    const pauseMs = spec.afterwards === 'stop' ? 0 : machine.nowMs() - asked;

    await pages.collectCopies(instant.copies, (fraction) => this.watcher.progress(0.8 + fraction * 0.15));
    const pack = await writer.finish();
    const tables = pages.finish({ ...pack, id: spec.id });
    this.stateFile = await store.files.create(store.statePath(spec.id));
    const stateBytes = await writeStateFile(this.stateFile, { ...tables, machine: instant.fields });
    if (pack.entries === 0) await this.removePack();
    await store.files.syncDirectory(spec.folder);
    this.watcher.progress(1);
    const taken = { pauseMs, stateBytes, pageBytes: pack.entries === 0 ? 0 : pack.bytes, thumbnail: encodePng(scaleToFit(instant.screen, THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT)) };
    changed.fill(0);
    return { taken, changed };
  }

  private async openRelatives(): Promise<void> {
    if (this.spec.storage === 'plain') return;
    for (const id of this.spec.relatives) {
      try {
        this.relatives.push(await this.store.open(id));
      } catch (error) {
        // Sharing saves space; a relative that cannot be read is no reason to save nothing.
        if (!isNestboxError(error)) throw error;
      }
    }
  }

  /** Copies until few pages are left for the pause, or the guest is faster. */
  private async copyAhead(pages: PageCollector, changed: Uint8Array): Promise<void> {
    let left = Infinity;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const share = round === 0 ? 0.7 : 0.1 / ROUNDS_MAX;
      const start = round === 0 ? 0 : 0.7 + share * round;
      await pages.collect((fraction) => {
        this.checkCancelled();
        this.watcher.progress(start + fraction * share);
      });
      changed.fill(0);
      this.machine.memory.takeStateDirty(changed);
      const now = pages.forget(changed);
      if (now <= PAUSE_PAGES || now > left * 0.8) return;
      left = now;
    }
  }

  private async removePack(): Promise<void> {
    await this.packFile?.close();
    this.packFile = undefined;
    await this.store.files.unlink(this.store.packPath(this.spec.id));
  }

  /** Removes what was written. */
  async undo(): Promise<void> {
    const { store, spec } = this;
    await this.packFile?.close().catch(() => undefined);
    await this.stateFile?.close().catch(() => undefined);
    const paths = [...(this.packFile === undefined ? [] : [store.packPath(spec.id)]), ...(this.stateFile === undefined ? [] : [store.statePath(spec.id)])];
    for (const path of paths) await store.files.unlink(path).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.packFile?.close();
    await this.stateFile?.close();
    for (const state of this.relatives) await state.close();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
