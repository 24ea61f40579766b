// Raster timing of a VGA from its registers and the virtual clock: where the beam is, for input status 1, and the frame
// count that makes cursors and characters blink. Programs poll these bits, so they must move even in absurd modes.

import * as R from './vga-registers.ts';

const PIXEL_CLOCKS_HZ = [25_175_000, 28_322_000, 25_175_000, 28_322_000] as const;
const STATUS_DISPLAY_DISABLED = 0x01;
const STATUS_VERTICAL_RETRACE = 0x08;
/** Used before the firmware has set a mode: 80x25 text, 70 Hz. */
const DEFAULT_LINE_NS = 31_778;
const DEFAULT_TOTAL_LINES = 449;

export class VgaTiming {
  private lineNs = DEFAULT_LINE_NS;
  private totalLines = DEFAULT_TOTAL_LINES;
  private displayLines = 400;
  private retraceLine = 412;
  private displayFraction = 0.8;

  /** Takes over the timing registers. */
  configure(registers: R.VgaRegisters): void {
    const { crtc, sequencer } = registers;
    const overflow = crtc[R.CR_OVERFLOW] ?? 0;
    const totalCharacters = (crtc[R.CR_HORIZONTAL_TOTAL] ?? 0) + 5;
    const displayCharacters = (crtc[R.CR_HORIZONTAL_DISPLAY_END] ?? 0) + 1;
    const clocking = sequencer[R.SR_CLOCKING_MODE] ?? 0;
    const dots = (clocking & 1 ? 8 : 9) * (clocking & 8 ? 2 : 1);
    const pixelClock = PIXEL_CLOCKS_HZ[(registers.miscellaneous >> 2) & 3] ?? PIXEL_CLOCKS_HZ[0];
    this.totalLines = ((crtc[R.CR_VERTICAL_TOTAL] ?? 0) | ((overflow & 1) << 8) | ((overflow & 0x20) << 4)) + 2;
    if (totalCharacters < 40 || this.totalLines < 150) {
      this.lineNs = DEFAULT_LINE_NS;
      this.totalLines = DEFAULT_TOTAL_LINES;
      this.displayLines = 400;
      this.retraceLine = 412;
      this.displayFraction = 0.8;
      return;
    }
    this.lineNs = (totalCharacters * dots * 1e9) / pixelClock;
    this.displayLines = Math.min(R.verticalDisplayEnd(crtc), this.totalLines - 2);
    const start = (crtc[R.CR_VERTICAL_RETRACE_START] ?? 0) | ((overflow & 4) << 6) | ((overflow & 0x80) << 2);
    this.retraceLine = Math.min(Math.max(start, this.displayLines), this.totalLines - 2);
    this.displayFraction = Math.min(displayCharacters / totalCharacters, 0.95);
  }

  /** Duration of one frame in nanoseconds. */
  get frameNs(): number {
    return this.lineNs * this.totalLines;
  }

  frameCount(nowNs: number): number {
    return Math.floor(nowNs / this.frameNs);
  }

  /**
   * Bits 0 and 3 of input status 1. The retrace bit stays up until the frame ends, not for two lines only: a guest whose
   * time advances in steps would miss so short a pulse.
   */
  status(nowNs: number): number {
    const inFrame = nowNs % this.frameNs;
    const line = inFrame / this.lineNs;
    if (line >= this.retraceLine) return STATUS_VERTICAL_RETRACE | STATUS_DISPLAY_DISABLED;
    if (line >= this.displayLines) return STATUS_DISPLAY_DISABLED;
    return line % 1 >= this.displayFraction ? STATUS_DISPLAY_DISABLED : 0;
  }
}
