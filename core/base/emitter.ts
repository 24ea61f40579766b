// A typed event source. Listeners run synchronously, in order of registration.

import { type Disposable, toDisposable } from './disposable.ts';

export type Listener<T> = (value: T) => void;

/** What a consumer sees of an Emitter. */
export type Event<T> = (listener: Listener<T>) => Disposable;

export class Emitter<T> implements Disposable {
  private readonly listeners = new Set<Listener<T>>();

  /** Registers a listener; dispose the result to stop listening. */
  readonly event: Event<T> = (listener) => {
    this.listeners.add(listener);
    return toDisposable(() => this.listeners.delete(listener));
  };

  /** Calls every listener; one that is added meanwhile is not called for this value. */
  fire(value: T): void {
    if (this.listeners.size === 0) return;
    for (const listener of [...this.listeners]) listener(value);
  }

  get hasListeners(): boolean {
    return this.listeners.size > 0;
  }

  dispose(): void {
    this.listeners.clear();
  }
}
