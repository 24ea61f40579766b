// States that nobody has in the registry any more but running VMs still read memory from: their files stay until then.

import type { Registry } from '../../registry/registry.ts';
import type { StateStore } from '../../state-store/state-store.ts';
import { keptFiles } from './kept-files.ts';

export class StatePins {
  private readonly registry: Registry;
  private readonly store: StateStore;
  private readonly alone: (work: () => Promise<void>) => Promise<void>;
  /** With how many read each. */
  private readonly pinned = new Map<string, number>();

  /** @param alone runs work when no other operation is under way */
  constructor(registry: Registry, store: StateStore, alone: (work: () => Promise<void>) => Promise<void>) {
    this.registry = registry;
    this.store = store;
    this.alone = alone;
  }

  pin(id: string): void {
    this.pinned.set(id, (this.pinned.get(id) ?? 0) + 1);
  }

  unpin(id: string): void {
    const left = (this.pinned.get(id) ?? 1) - 1;
    if (left > 0) this.pinned.set(id, left);
    else this.pinned.delete(id);
  }

  /** The files of a state are not needed any more when that is over. */
  unpinWhen(over: Promise<void>, id: string): void {
    void over
      .catch(() => undefined)
      .then(() => this.alone(async () => {
        this.unpin(id);
        await this.sweep();
      }))
      .catch(() => undefined);
  }

  /** Removes the files of states that nobody needs. */
  async sweep(): Promise<void> {
    await this.store.sweep(new Set([...this.registry.stateFiles(), ...this.pinned.keys(), ...keptFiles(this.registry)]));
  }
}
