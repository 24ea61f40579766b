// Host time that compiling took, for statistics only: no guest and no decision of a machine sees it.

/** Milliseconds since some moment in the past. */
export function stopwatchMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
