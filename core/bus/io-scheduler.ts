// Where asynchronous host work (disk, network) re-enters the machine. In deterministic mode completions are delivered
// at a virtual time that depends only on the request, so runs repeat; otherwise as soon as they are done.

export interface IoScheduler {
  /**
   * Starts `work` and later, on the device thread between instructions, calls `done` with its result or `failed` with
   * what it threw. `latencyNs` is the virtual time that the request takes in deterministic mode.
   * @returns a handle; `cancel` makes the completion a no-op (the host work may still finish)
   */
  submit<T>(work: () => Promise<T> | T, done: (result: T) => void, failed: (error: unknown) => void, latencyNs: number): IoHandle;
}

export interface IoHandle {
  cancel(): void;
}
