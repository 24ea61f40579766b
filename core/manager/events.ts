// The manager's events as one emitter a kind, and a way to hear all of them: shells pass every event on.

import { type Disposable, DisposableStore } from '../base/disposable.ts';
import { Emitter } from '../base/emitter.ts';
import type { ManagerEvents } from '../protocol/manager-api.ts';

type Name = keyof ManagerEvents;
type Arguments<N extends Name> = Parameters<ManagerEvents[N]>;

export const EVENT_NAMES = [
  'vmChanged', 'vmRemoved', 'vmMetrics', 'thumbnailChanged', 'mediaChanged', 'snapshotsChanged', 'taskProgress', 'logLine', 'settingsChanged',
] as const satisfies readonly Name[];

export class ManagerEventHub implements Disposable {
  private readonly emitters = new Map<Name, Emitter<readonly unknown[]>>(EVENT_NAMES.map((name) => [name, new Emitter()]));

  emit<N extends Name>(name: N, ...args: Arguments<N>): void {
    this.emitters.get(name)?.fire(args);
  }

  on<N extends Name>(name: N, listener: (...args: Arguments<N>) => void): Disposable {
    return this.emitters.get(name)?.event((args) => listener(...(args as Arguments<N>))) ?? { dispose: () => undefined };
  }

  /** Calls `listener` for every event. */
  onAny(listener: <N extends Name>(name: N, args: Arguments<N>) => void): Disposable {
    const store = new DisposableStore();
    for (const [name, emitter] of this.emitters) store.add(emitter.event((args) => listener(name, args as Arguments<typeof name>)));
    return store;
  }

  /** Whether anybody would see a new thumbnail or measurement. */
  get isWatched(): boolean {
    return this.emitters.get('vmMetrics')?.hasListeners === true;
  }

  dispose(): void {
    for (const emitter of this.emitters.values()) emitter.dispose();
  }
}
