// The EDID block (VESA E-EDID 1.3) of the virtual monitor, read by drivers through the adapter's register range.

const PREFERRED = { width: 1280, height: 800, horizontalBlank: 160, verticalBlank: 23 };
const REFRESH_HZ = 60;
/** 5-bit letters "NBX", big-endian. */
const MANUFACTURER = ((14 << 10) | (2 << 5) | 24) & 0x7fff;
/** Standard timings besides the preferred mode: width, aspect code (0 16:10, 1 4:3, 2 5:4, 3 16:9). */
const STANDARD_TIMINGS: readonly (readonly [width: number, aspect: number])[] = [
  [1920, 0], [1920, 3], [1680, 0], [1600, 1], [1440, 0], [1280, 2], [1280, 3], [1024, 1],
];

/** 128 bytes; all modes fit the adapter's largest resolution. */
export function monitorEdid(): Uint8Array {
  const edid = new Uint8Array(128);
  edid.set([0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]);
  edid.set([MANUFACTURER >> 8, MANUFACTURER & 0xff, 0x01, 0x00, 1, 0, 0, 0, 1, 36, 1, 3], 8);
  // Digital input, 34 x 21 cm, gamma 2.2, preferred timing is the first one, RGB.
  edid.set([0x80, 34, 21, 120, 0x0a], 20);
  // sRGB chromaticities.
  edid.set([0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54], 25);
  // Established: 640x480, 800x600, 1024x768 at 60 Hz.
  edid.set([0x21, 0x08, 0x00], 35);
  STANDARD_TIMINGS.forEach(([width, aspect], index) => edid.set([width / 8 - 31, aspect << 6], 38 + index * 2));
  edid.set(detailedTiming(), 54);
  edid.set(textDescriptor(0xfc, 'Nestbox'), 72);
  edid.set([0, 0, 0, 0xfd, 0, 50, 85, 30, 110, 30, 0, 0x0a, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20], 90);
  edid.set([0, 0, 0, 0x10], 108);
  edid[127] = -edid.subarray(0, 127).reduce((sum, byte) => sum + byte, 0);
  return edid;
}

function detailedTiming(): number[] {
  const { width, height, horizontalBlank, verticalBlank } = PREFERRED;
  const clock = Math.round(((width + horizontalBlank) * (height + verticalBlank) * REFRESH_HZ) / 10_000);
  return [
    clock & 0xff, clock >> 8,
    width & 0xff, horizontalBlank & 0xff, ((width >> 8) << 4) | (horizontalBlank >> 8),
    height & 0xff, verticalBlank & 0xff, ((height >> 8) << 4) | (verticalBlank >> 8),
    48, 32, (3 << 4) | 6, 0, // sync offsets and widths
    340 & 0xff, 210 & 0xff, ((340 >> 8) << 4) | (210 >> 8),
    0, 0, 0x1e, // separate syncs, both positive
  ];
}

function textDescriptor(tag: number, text: string): number[] {
  const padded = `${text}\n`.padEnd(13, ' ');
  return [0, 0, 0, tag, 0, ...[...padded].map((character) => character.charCodeAt(0))];
}
