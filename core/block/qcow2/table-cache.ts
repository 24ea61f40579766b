// Least-recently-used cache of whole metadata clusters (L2 tables, refcount blocks). Changes are written to the file
// before they are made here, so a table can be dropped at any time.

import { viewOf } from './layout.ts';

export class TableCache {
  private readonly limit: number;
  private readonly load: (offset: number) => Promise<Uint8Array>;
  private readonly tables = new Map<number, DataView>();
  private readonly loading = new Map<number, Promise<DataView>>();

  constructor(limitBytes: number, tableBytes: number, load: (offset: number) => Promise<Uint8Array>) {
    this.limit = Math.max(4, Math.floor(limitBytes / tableBytes));
    this.load = load;
  }

  /** The table if it is here: saves a turn of the event loop on hot paths. */
  peek(offset: number): DataView | undefined {
    return this.tables.get(offset);
  }

  get(offset: number): Promise<DataView> {
    const cached = this.tables.get(offset);
    if (cached !== undefined) {
      this.tables.delete(offset);
      this.tables.set(offset, cached);
      return Promise.resolve(cached);
    }
    let loading = this.loading.get(offset);
    if (loading === undefined) {
      loading = this.load(offset)
        .then((bytes) => {
          const view = viewOf(bytes);
          this.put(offset, view);
          return view;
        })
        .finally(() => this.loading.delete(offset));
      this.loading.set(offset, loading);
    }
    return loading;
  }

  /** Makes `view` the cached table. */
  put(offset: number, view: DataView): void {
    this.tables.delete(offset);
    this.tables.set(offset, view);
    if (this.tables.size > this.limit) {
      const oldest = this.tables.keys().next();
      if (oldest.done !== true) this.tables.delete(oldest.value);
    }
  }

  drop(offset: number): void {
    this.tables.delete(offset);
  }

  clear(): void {
    this.tables.clear();
  }
}
