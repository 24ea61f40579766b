// What exit-latency.ts and its thread share.

/** Index and values of the state cell. */
export const KICK = { STATE: 0, IDLE: 0, WANTED: 1, END: 2 } as const;

/** Microseconds of a clock that all threads of a process share. */
export function monotonicUs(): number {
  const [seconds, ns] = process.hrtime();
  return seconds * 1e6 + ns / 1e3;
}
