import { describe, expect, it } from 'vitest';
import { LostWatch, Trial } from './lost-watch.ts';

const SLICE_NS = 2e6;

/** Slices until the guest is suspected, at most `most`. */
function slicesToSuspicion(watch: LostWatch, placeOf: (slice: number) => number, most: number): number {
  for (let slice = 1; slice <= most; slice++) if (watch.isSuspect(placeOf(slice), SLICE_NS)) return slice;
  return Infinity;
}

describe('suspecting guests under KVM', () => {
  it('takes a second at a few places, and twice as long each time after', () => {
    const watch = new LostWatch();
    const fewPlaces = (slice: number): number => 0x7c00 + (slice % 7);
    expect(slicesToSuspicion(watch, fewPlaces, 10_000)).toBe(500);
    expect(slicesToSuspicion(watch, fewPlaces, 10_000)).toBe(1000);
    watch.forget();
    expect(slicesToSuspicion(watch, fewPlaces, 10_000)).toBe(500);
  });

  it('never comes to guests that get about', () => {
    expect(slicesToSuspicion(new LostWatch(), (slice) => slice * 5 % 1000, 100_000)).toBe(Infinity);
  });

  it('ends a trial at once without faults, and late with nothing else', () => {
    let faults = 3000;
    const trial = new Trial(() => faults);
    expect(trial.isOver(19_999)).toBe(false);
    expect(trial.isOver(20_000)).toBe(true);
    faults += 5000;
    expect(trial.isOver(20_000)).toBe(false);
    faults += 1e6;
    expect(trial.isOver((1 << 24) - 1)).toBe(false);
    expect(trial.isOver(1 << 24)).toBe(true);
  });
});
