// The collected guests that draw show the same picture as on QEMU, by the built-in BIOS and by SeaBIOS. Both machines run
// at the same time and are looked at until their screens agree: what moves need not be caught at one instant.

import { describe, expect, it } from 'vitest';
import { FIRMWARES } from '../support/firmwares.ts';
import { NO_SHARED, shared } from '../support/guests.ts';
import { type Picture, colours, resize, similarity } from '../support/images.ts';
import { NO_QEMU, type ScreenGuest, hasQemu, screenOf, startNestbox, startQemu, until } from '../support/screens.ts';

/** Seconds; long enough for a busy machine. */
const LIMIT = 200;
/** Frames of each side that are kept for comparing. */
const KEPT = 40;

const available = shared('guests/MANIFEST.md') !== undefined;
const reason = available ? NO_QEMU : NO_SHARED;
const ready = available && hasQemu();

/** Waits until some screen of `ours` is like some screen of `theirs`, among those with at least `leastColours` colours. */
async function expectSamePicture(ours: ScreenGuest, theirs: ScreenGuest, leastColours: number, alike: number): Promise<void> {
  const seen: [Picture[], Picture[]] = [[], []];
  let best = 0;
  const look = async (guest: ScreenGuest, mine: Picture[], others: readonly Picture[]): Promise<void> => {
    const picture = await guest.screen();
    const last = mine.at(-1);
    if (colours(picture) < leastColours || (last !== undefined && similarity(picture, last, 0) === 1)) return;
    if (mine.push(picture) > KEPT) mine.shift();
    for (const other of others) best = Math.max(best, similarity(picture, other));
  };
  await until('a picture equal to QEMU\'s', LIMIT, async () => {
    await Promise.all([look(ours, seen[0], seen[1]), look(theirs, seen[1], seen[0])]);
    return best >= alike ? true : undefined;
  }).catch((error: unknown) => {
    throw new Error(`best likeness ${best.toFixed(3)} of ${alike}, ${seen[0].length} and ${seen[1].length} pictures`, { cause: error });
  });
  expect(best).toBeGreaterThanOrEqual(alike);
}

/** The colours of a picture of 40 by 25 character cells, from the middle of each. */
function cells(picture: Picture): string[] {
  const grid = resize(picture, 80, 50);
  const out: string[] = [];
  for (let row = 0; row < 25; row++) {
    for (let column = 0; column < 40; column++) {
      const at = ((row * 2 + 1) * 80 + column * 2 + 1) * 3;
      // Four bits a channel: QEMU's DAC gives A8h where ours gives AAh.
      out.push([0, 1, 2].map((c) => ((grid.rgb[at + c] ?? 0) >> 4).toString(16)).join(''));
    }
  }
  return out;
}

describe.skipIf(!ready)(ready ? 'pictures equal to QEMU' : `pictures equal to QEMU (${reason})`, () => {
  for (const firmware of FIRMWARES) {
    describe.skipIf(firmware.missing)(firmware.name, () => {
      const boot = (image: string, memoryMib: number): Promise<[ScreenGuest, ScreenGuest]> => {
        const path = shared(`guests/${image}`) ?? '';
        return Promise.all([
          startNestbox({ firmware: firmware.path, memoryMib: Math.max(memoryMib, firmware.leastMemoryMib), media: [{ kind: 'floppy', path, snapshot: true }] }),
          startQemu(['-m', String(Math.max(memoryMib, 4)), '-drive', `if=floppy,format=raw,file=${path}`]),
        ]);
      };

      it('raytracer.img draws the same picture with the x87', async () => {
        const [ours, theirs] = await boot('raytracer.img', 1);
        await using left = ours;
        await using right = theirs;
        await expectSamePicture(left, right, 30, 0.99);
      });

      it('floppybird.img shows its first scene', async () => {
        const [ours, theirs] = await boot('floppybird.img', 1);
        await using left = ours;
        await using right = theirs;
        await expectSamePicture(left, right, 16, 0.99);
      });

      it('tetros.img shows its pit and pieces', async () => {
        const [ours, theirs] = await boot('tetros.img', 1);
        await using left = ours;
        await using right = theirs;
        // Pieces and their colours follow the timer's ticks. They are left to fall by themselves: driven by keys, many fall
        // within one tick, all of one kind, until the pit is full and the game over.
        const play = async (guest: ScreenGuest): Promise<string[]> => cells(await screenOf(guest, 'the pit and pieces of two colours', LIMIT, (screen) => {
            const grid = cells(screen);
            return outside(grid).every((colour) => colour === '000' || colour === 'aaa') && new Set(inside(grid)).size > 2;
          }));
        const isInside = (index: number): boolean => index % 40 > 13 && index % 40 < 26 && index < 21 * 40;
        const inside = (grid: readonly string[]): string[] => grid.filter((_colour, index) => isInside(index));
        const outside = (grid: readonly string[]): string[] => grid.filter((_colour, index) => !isInside(index));
        const [our, their] = await Promise.all([play(left), play(right)]);
        expect(outside(our)).toEqual(outside(their));
        expect(new Set(outside(our)).size).toBe(2);
        for (const colour of inside(our)) expect(['000', '00a', '0a0', '0aa', 'a00', 'a0a', 'a50', 'aaa']).toContain(colour);
      });

      it('kolibri-2020.img reaches its desktop', async () => {
        const [ours, theirs] = await boot('kolibri-2020.img', 64);
        await using left = ours;
        await using right = theirs;
        await expectSamePicture(left, right, 300, 0.99);
      });
    });
  }
});
