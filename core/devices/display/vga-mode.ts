// What the registers of a VGA say about the picture: kind of mode, size in pixels, addresses. Decoded afresh for every
// frame; the renderers redraw everything when a decoded value differs from the frame before.

import type { DispiMode } from './vbe-dispi.ts';
import * as R from './vga-registers.ts';

export type ModeKind =
  | 'blank'
  | 'text'
  | 'planar' // 16 colours from four planes
  | 'interleaved' // CGA 4 colours: two bits a pixel, bytes of plane 0 and 1 in turn
  | 'packed' // 256 colours: one byte a pixel, two dots wide
  | 'linear'; // Bochs interface, 8 to 32 bits a pixel

export interface VgaMode {
  readonly kind: ModeKind;
  /** Size of the frame in pixels, as a monitor would show it: doubled dots and lines count. */
  readonly width: number;
  readonly height: number;
  /** Character clocks a line: text columns, or groups of eight dots. */
  readonly columns: number;
  /** Dots a character. */
  readonly characterWidth: number;
  /** 2 when the dot clock is halved. */
  readonly dotScale: number;
  /** Scan lines a character row or a graphics row. */
  readonly rowHeight: number;
  /** 2 when each scan line is shown twice. */
  readonly lineScale: number;
  /** Plane address of the top left character or dots. */
  readonly startAddress: number;
  /** Plane addresses from one row to the next. */
  readonly rowAddresses: number;
  /** Scan line at which the address starts again at 0; beyond the picture when there is no split. */
  readonly splitLine: number;
  readonly presetRowScan: number;
  readonly pelPan: number;
  /** The part below the split ignores panning. */
  readonly splitResetsPan: boolean;
  /** CRTC mode control: row scan bits that replace address bits (CGA and Hercules memory layouts). */
  readonly rowScanAddressing: number;
  readonly bitsPerPixel: number;
  readonly linearStart: number;
  readonly linearStride: number;
}

const NO_SPLIT = 0x10000;

const BLANK: VgaMode = {
  kind: 'blank', width: 640, height: 400, columns: 80, characterWidth: 8, dotScale: 1, rowHeight: 16, lineScale: 1, startAddress: 0,
  rowAddresses: 80, splitLine: NO_SPLIT, presetRowScan: 0, pelPan: 0, splitResetsPan: false, rowScanAddressing: 3, bitsPerPixel: 0,
  linearStart: 0, linearStride: 0,
};

/** A picture smaller than this is a mode that is half set; the screen stays dark. */
const MIN_WIDTH = 32;
const MIN_HEIGHT = 16;

export function decodeMode(registers: R.VgaRegisters, dispi: DispiMode | undefined): VgaMode {
  const paletteOff = (registers.attributeIndex & R.PALETTE_ADDRESS_SOURCE) === 0;
  if (dispi !== undefined) return decodeDispi(dispi, paletteOff);
  const { crtc, sequencer, graphics, attribute } = registers;
  const clocking = sequencer[R.SR_CLOCKING_MODE] ?? 0;
  const maximumScanLine = crtc[R.CR_MAXIMUM_SCAN_LINE] ?? 0;
  const modeControl = crtc[R.CR_MODE_CONTROL] ?? 0;
  const attributeMode = attribute[R.AR_MODE_CONTROL] ?? 0;
  const isText = ((graphics[R.GR_MISCELLANEOUS] ?? 0) & 1) === 0;
  const graphicsMode = graphics[R.GR_MODE] ?? 0;

  const columns = (crtc[R.CR_HORIZONTAL_DISPLAY_END] ?? 0) + 1;
  const characterWidth = isText && (clocking & 1) === 0 ? 9 : 8;
  const dotScale = clocking & 8 ? 2 : 1;
  const verticalDouble = modeControl & 4 ? 2 : 1;
  const width = columns * characterWidth * dotScale;
  const height = R.verticalDisplayEnd(crtc) * verticalDouble;
  if (paletteOff || clocking & 0x20 || width < MIN_WIDTH || height < MIN_HEIGHT) return blankOf(width, height);

  let kind: ModeKind = 'planar';
  if (isText) kind = 'text';
  else if (graphicsMode & 0x40) kind = 'packed';
  else if (graphicsMode & 0x20) kind = 'interleaved';
  const presetRowScan = crtc[R.CR_PRESET_ROW_SCAN] ?? 0;
  const startAddress = ((crtc[R.CR_START_ADDRESS_HIGH] ?? 0) << 8) | (crtc[R.CR_START_ADDRESS_LOW] ?? 0);
  return {
    kind,
    width,
    height,
    columns,
    characterWidth,
    dotScale,
    rowHeight: (maximumScanLine & 0x1f) + 1,
    lineScale: (maximumScanLine & 0x80 ? 2 : 1) * verticalDouble,
    startAddress: startAddress + ((presetRowScan >> 5) & 3),
    rowAddresses: (crtc[R.CR_OFFSET] ?? 0) * 2,
    splitLine: Math.min((R.lineCompare(crtc) + 1) * verticalDouble, NO_SPLIT),
    presetRowScan: presetRowScan & 0x1f,
    pelPan: pelPanOf(attribute[R.AR_PEL_PANNING] ?? 0, kind, characterWidth),
    splitResetsPan: (attributeMode & 0x20) !== 0,
    rowScanAddressing: modeControl & 0x43,
    bitsPerPixel: 0,
    linearStart: 0,
    linearStride: 0,
  };
}

/** Dots that the picture moves left. */
function pelPanOf(value: number, kind: ModeKind, characterWidth: number): number {
  if (kind === 'packed') return (value & 7) >> 1;
  if (characterWidth === 9) return value >= 8 ? 0 : value + 1;
  return value & 7;
}

function blankOf(width: number, height: number): VgaMode {
  if (width < MIN_WIDTH || height < MIN_HEIGHT) return BLANK;
  return { ...BLANK, width, height };
}

function decodeDispi(dispi: DispiMode, paletteOff: boolean): VgaMode {
  if (paletteOff) return blankOf(dispi.width, dispi.height);
  const planar = dispi.bitsPerPixel === 4;
  return {
    ...BLANK,
    kind: planar ? 'planar' : 'linear',
    width: dispi.width,
    height: dispi.height,
    columns: dispi.width >> 3,
    rowHeight: 1,
    startAddress: planar ? dispi.startByte >> 2 : 0,
    rowAddresses: planar ? dispi.strideBytes >> 2 : 0,
    bitsPerPixel: dispi.bitsPerPixel,
    linearStart: dispi.startByte,
    linearStride: dispi.strideBytes,
  };
}

/** True when nothing that a renderer uses differs. */
export function sameMode(a: VgaMode, b: VgaMode): boolean {
  for (const key of MODE_KEYS) if (a[key] !== b[key]) return false;
  return true;
}

const MODE_KEYS = Object.keys(BLANK) as (keyof VgaMode)[];
