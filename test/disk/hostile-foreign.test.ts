// Damaged VMDK, VDI, VHD and VHDX images do no harm. Many more run in the long suite.

import { describe, it } from 'vitest';
import { fuzzForeign, HOSTILE_KINDS, shareOf } from './hostile-foreign-fuzz.ts';
import { hasQemuImg } from './qemu-img.ts';

describe.skipIf(!hasQemuImg)('hostile images of other products (skipped without qemu-img, which makes them)', () => {
  it.each(HOSTILE_KINDS)('do no harm: $format $options', (kind) => fuzzForeign(kind, shareOf(kind, 2000), 20_260_101));
});
