// Ownership of things that must be closed: everything that opens, listens, maps or schedules returns a Disposable.

export interface Disposable {
  /** Releases what is held. Calling it twice is allowed and does nothing the second time. */
  dispose(): void;
}

/** Wraps a clean-up action so that it runs at most once. */
export function toDisposable(action: () => void): Disposable {
  let done = false;
  return {
    dispose(): void {
      if (done) return;
      done = true;
      action();
    },
  };
}

/** Owns several disposables and releases them in reverse order of registration. */
export class DisposableStore implements Disposable {
  private readonly items: Disposable[] = [];
  private disposed = false;

  /** Takes ownership of `item`; if the store is closed already, `item` is released at once. */
  add<T extends Disposable>(item: T): T {
    if (this.disposed) item.dispose();
    else this.items.push(item);
    return item;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    for (let item = this.items.pop(); item !== undefined; item = this.items.pop()) item.dispose();
  }
}
