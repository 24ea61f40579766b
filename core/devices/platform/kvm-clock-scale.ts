// How a paravirtual clock page tells nanoseconds from ticks: ns = ((ticks << shift) * multiplier) >> 32, with a shift to the
// right when it is negative (struct pvclock_vcpu_time_info, Linux Documentation/virt/kvm/x86/msr.rst).

export interface TickScale {
  /** 2^31 .. 2^32 - 1 */
  readonly multiplier: number;
  /** -31 .. 31 */
  readonly shift: number;
}

const TWO_31 = 2 ** 31;
const TWO_32 = 2 ** 32;

/** @param nsPerTick between 2^-31 and 2^31 */
export function tickScale(nsPerTick: number): TickScale {
  let multiplier = nsPerTick * TWO_32;
  let shift = 0;
  for (; multiplier >= TWO_32; shift++) multiplier /= 2;
  for (; multiplier < TWO_31; shift--) multiplier *= 2;
  return { multiplier: Math.floor(multiplier), shift };
}

/** Nanoseconds of `ticks`, as the guest finds them but for the last one. */
export function scaleTicks(ticks: number, { multiplier, shift }: TickScale): number {
  return Math.floor((Math.floor(ticks * 2 ** shift) * multiplier) / TWO_32);
}
