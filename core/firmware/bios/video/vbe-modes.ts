// The VESA BIOS Extension modes: VESA's own numbers up to 11Bh, the customary ones of Bochs' adapter above.

export interface VbeMode {
  readonly number: number;
  readonly width: number;
  readonly height: number;
  readonly bitsPerPixel: number;
}

/** width height: number of 8, 15, 16, 24 and 32 bits a pixel; - where there is none. */
const TABLE = `
320 200: 146 10d 10e 10f 140
640 400: 100 - - - 141
640 480: 101 110 111 112 142
800 600: 103 113 114 115 143
1024 768: 105 116 117 118 144
1152 864: 148 149 14a 14b 14c
1280 720: - - 18d 18e 18f
1280 768: - - 175 176 177
1280 800: - - 178 179 17a
1280 960: - - 17b 17c 17d
1280 1024: 107 119 11a 11b 145
1366 768: - - 160 161 162
1400 1050: - - 181 182 183
1440 900: - - 17e 17f 180
1600 900: - - 190 191 193
1600 1200: 11c 11d 11e 11f 147
1680 1050: - - 184 185 186
1920 1080: - - 18a 18b 18c
1920 1200: - - 187 188 189`;
const DEPTHS = [8, 15, 16, 24, 32];

function read(): VbeMode[] {
  const modes: VbeMode[] = [
    { number: 0x102, width: 800, height: 600, bitsPerPixel: 4 },
    { number: 0x104, width: 1024, height: 768, bitsPerPixel: 4 },
    { number: 0x106, width: 1280, height: 1024, bitsPerPixel: 4 },
  ];
  for (const line of TABLE.trim().split('\n')) {
    const [size = '', numbers = ''] = line.split(': ');
    const [width = 0, height = 0] = size.split(' ').map(Number);
    numbers.split(' ').forEach((text, index) => {
      if (text !== '-')
        modes.push({ number: parseInt(text, 16), width, height, bitsPerPixel: DEPTHS[index] as number });
    });
  }
  return modes.sort((a, b) => a.number - b.number);
}

export const VBE_MODES: readonly VbeMode[] = read();

/** Bytes of one line without padding; a plane's line in 16-colour modes. The adapter wants multiples of 8 pixels. */
export function lineBytes(mode: VbeMode): number {
  const width = mode.width & ~7;
  return mode.bitsPerPixel === 4 ? width >> 3 : width * ((mode.bitsPerPixel + 7) >> 3);
}

/** Video memory that one picture takes. */
export function imageBytes(mode: VbeMode): number {
  return lineBytes(mode) * mode.height * (mode.bitsPerPixel === 4 ? 4 : 1);
}
