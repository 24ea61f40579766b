// At least 100,000 damaged images of each format.

import { describe, it } from 'vitest';
import { fuzzForeign, HOSTILE_KINDS, shareOf } from './hostile-foreign-fuzz.ts';
import { fuzzQcow2 } from './hostile-qcow2-fuzz.ts';
import { hasQemuImg } from './qemu-img.ts';

const IMAGES = 100_000;

describe('hostile images, many of them', () => {
  it('do no harm: qcow2', () => fuzzQcow2(IMAGES, 424_242));
  it.skipIf(!hasQemuImg).each(HOSTILE_KINDS)('do no harm: $format $options (skipped without qemu-img)', (kind) =>
    fuzzForeign(kind, shareOf(kind, IMAGES), 77_777),
  );
});
