// Exact conversion between virtual nanoseconds and ticks of the PC's 14.31818 MHz crystal divided by 12 (the 8254, at
// 105/88 MHz) or by 4 (the ACPI timer, 315/88 MHz). Splitting before multiplying keeps every product below 2^53.

const BLOCK_NS = 88_000;

/** Ticks of a `ticksPerBlock / 88 us` counter that have passed at `ns`. */
function ticksAt(ns: number, ticksPerBlock: number): number {
  const blocks = Math.floor(ns / BLOCK_NS);
  return blocks * ticksPerBlock + Math.floor(((ns - blocks * BLOCK_NS) * ticksPerBlock) / BLOCK_NS);
}

/** The first nanosecond at which `ticksAt` gives `tick`. */
function timeOf(tick: number, ticksPerBlock: number): number {
  const blocks = Math.floor(tick / ticksPerBlock);
  return blocks * BLOCK_NS + Math.ceil(((tick - blocks * ticksPerBlock) * BLOCK_NS) / ticksPerBlock);
}

export const PIT_HZ = 1_193_181.8181818181;
export const pitTicksAt = (ns: number): number => ticksAt(ns, 105);
export const pitTimeOf = (tick: number): number => timeOf(tick, 105);
export const acpiTicksAt = (ns: number): number => ticksAt(ns, 315);
export const acpiTimeOf = (tick: number): number => timeOf(tick, 315);
