// Many readers or one writer, in the order of arrival: reads and writes in place share, changes of the mapping are alone.

type Waiter = { readonly exclusive: boolean; readonly start: () => void };

export class RwLock {
  private readers = 0;
  private writing = false;
  private readonly queue: Waiter[] = [];

  async shared<T>(work: () => Promise<T>): Promise<T> {
    if (this.writing || this.queue.length > 0) await this.wait(false);
    else this.readers++;
    try {
      return await work();
    } finally {
      this.readers--;
      this.next();
    }
  }

  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    if (this.writing || this.readers > 0 || this.queue.length > 0) await this.wait(true);
    else this.writing = true;
    try {
      return await work();
    } finally {
      this.writing = false;
      this.next();
    }
  }

  private wait(exclusive: boolean): Promise<void> {
    return new Promise((resolve) => this.queue.push({ exclusive, start: resolve }));
  }

  private next(): void {
    for (;;) {
      const first = this.queue[0];
      if (first === undefined || this.writing || (first.exclusive && this.readers > 0)) return;
      this.queue.shift();
      // The state changes here, not in the waiter, so that nobody slips in before it runs.
      if (first.exclusive) this.writing = true;
      else this.readers++;
      first.start();
      if (first.exclusive) return;
    }
  }
}
