// Draws VGA text modes: fonts from plane 2, attributes, blinking, underline, cursor, smooth scrolling and split screen.
// A shadow of every drawn cell is kept, so that a refresh costs little when little changed.

import { CP437_TO_UNICODE } from './fonts/cp437-unicode.ts';
import type { TextScreen } from '../../display/frame-source.ts';
import type { FrameBuffer } from './frame-buffer.ts';
import type { VgaMode } from './vga-mode.ts';
import * as R from './vga-registers.ts';

/** Characters have 32 font bytes each, 8 KiB a font; sequencer register 3 picks one of eight for each of two sets. */
const FONT_OFFSETS = [0x0000, 0x4000, 0x8000, 0xc000, 0x2000, 0x6000, 0xa000, 0xe000] as const;
/** No cell looks like this: char, attribute, cursor and blink bits are below. */
const NOTHING_DRAWN = 0xffffffff;
const KEY_CURSOR = 0x10000;
const KEY_HIDDEN = 0x20000;
const CURSOR_OFF = 0x20;

export class VgaTextRenderer {
  private readonly vram32: Int32Array;
  private readonly frame: FrameBuffer;
  private shadow = new Uint32Array(0);
  private colours: Uint32Array = new Uint32Array(16);
  private fontA = 0;
  private fontB = 0;
  private attributeMode = 0;
  private cursorFirst = 0;
  private cursorLast = 0;
  private underline = 0;

  constructor(vram32: Int32Array, frame: FrameBuffer) {
    this.vram32 = vram32;
    this.frame = frame;
  }

  /** Forgets what was drawn: the next call of `draw` draws every cell. */
  invalidate(): void {
    this.shadow.fill(NOTHING_DRAWN);
  }

  /**
   * @param colours the sixteen attribute colours
   * @param blinkPhase counts up at about 4 Hz: cursors toggle each step, characters every second one
   */
  draw(mode: VgaMode, registers: R.VgaRegisters, colours: Uint32Array, blinkPhase: number): void {
    const { crtc, sequencer, attribute } = registers;
    this.colours = colours;
    this.attributeMode = attribute[R.AR_MODE_CONTROL] ?? 0;
    const map = sequencer[R.SR_CHARACTER_MAP] ?? 0;
    this.fontB = FONT_OFFSETS[(map & 3) | ((map >> 2) & 4)] ?? 0;
    this.fontA = FONT_OFFSETS[((map >> 2) & 3) | ((map >> 3) & 4)] ?? 0;
    this.underline = (crtc[R.CR_UNDERLINE] ?? 0) & 0x1f;
    this.cursorFirst = (crtc[R.CR_CURSOR_START] ?? 0) & 0x1f;
    this.cursorLast = (crtc[R.CR_CURSOR_END] ?? 0) & 0x1f;
    const cursorShown = ((crtc[R.CR_CURSOR_START] ?? 0) & CURSOR_OFF) === 0 && (blinkPhase & 1) === 0;
    const cursorAddress = cursorShown ? cursorAddressOf(crtc) : -1;
    const hideBlinking = (this.attributeMode & 0x08) !== 0 && (blinkPhase & 2) !== 0;

    const cellHeight = mode.rowHeight * mode.lineScale;
    // One more column and row may peep in at the edges while scrolling, and one row more above and below a split.
    const stride = mode.columns + 1;
    const needed = stride * (Math.ceil(mode.height / cellHeight) + 3);
    if (this.shadow.length !== needed) this.shadow = new Uint32Array(needed).fill(NOTHING_DRAWN);

    const split = Math.min(mode.splitLine, mode.height);
    let slot = 0;
    let address = mode.startAddress;
    // First row's top may lie above the picture by the preset row scan.
    for (let y = -Math.min(mode.presetRowScan, mode.rowHeight - 1) * mode.lineScale; y < split; y += cellHeight) {
      this.drawRow(mode, slot, address, y, split, mode.pelPan, cursorAddress, hideBlinking);
      slot += stride;
      address += mode.rowAddresses;
    }
    address = 0;
    const pan = mode.splitResetsPan ? 0 : mode.pelPan;
    for (let y = split; y < mode.height; y += cellHeight) {
      this.drawRow(mode, slot, address, y, mode.height, pan, cursorAddress, hideBlinking);
      slot += stride;
      address += mode.rowAddresses;
    }
  }

  private drawRow(
    mode: VgaMode, slot: number, address: number, y: number, bottom: number, pan: number, cursorAddress: number, hideBlinking: boolean,
  ): void {
    const columns = mode.columns + (pan > 0 ? 1 : 0);
    for (let column = 0; column < columns; column++) {
      const cellAddress = (address + column) & 0xffff;
      const cell = (this.vram32[cellAddress] as number) & 0xffff;
      let key = cell;
      if (cellAddress === cursorAddress) key |= KEY_CURSOR;
      if (hideBlinking && cell & 0x8000) key |= KEY_HIDDEN;
      if (this.shadow[slot + column] === key) continue;
      this.shadow[slot + column] = key;
      this.drawCell(mode, key, column, y, bottom, pan);
    }
  }

  private drawCell(mode: VgaMode, key: number, column: number, y: number, bottom: number, pan: number): void {
    const code = key & 0xff;
    const attribute = (key >> 8) & 0xff;
    const blinks = (this.attributeMode & 0x08) !== 0;
    const background = this.colours[(attribute >> 4) & (blinks ? 7 : 15)] as number;
    const foreground = key & KEY_HIDDEN ? background : (this.colours[attribute & 15] as number);
    const font = (attribute & 0x08 ? this.fontA : this.fontB) + code * 32;
    const underlined = (attribute & 0x77) === 0x01;
    const lineGraphics = (this.attributeMode & 0x04) !== 0 && code >= 0xc0 && code <= 0xdf;
    const { characterWidth, dotScale, lineScale, rowHeight } = mode;
    const { width, words } = this.frame;

    const cellWidth = characterWidth * dotScale;
    const left = column * cellWidth - pan * dotScale;
    const firstX = Math.max(left, 0);
    const lastX = Math.min(left + cellWidth, width);
    const firstY = Math.max(y, 0);
    const lastY = Math.min(y + rowHeight * lineScale, bottom);
    for (let line = firstY; line < lastY; line++) {
      const row = lineScale === 1 ? line - y : Math.floor((line - y) / lineScale);
      let bits = (((this.vram32[(font + row) & 0xffff] as number) >>> 16) & 0xff) << 1;
      if (lineGraphics) bits |= (bits >> 1) & 1;
      if (underlined && row === this.underline) bits = 0x1ff;
      if (key & KEY_CURSOR && row >= this.cursorFirst && row <= this.cursorLast) bits = 0x1ff;
      const start = line * width;
      for (let x = firstX; x < lastX; x++) {
        const dot = dotScale === 1 ? x - left : (x - left) >> 1;
        words[start + x] = bits & (0x100 >> dot) ? foreground : background;
      }
    }
    this.frame.damage.add(firstX, firstY, lastX - firstX, lastY - firstY);
  }

  /** The characters on the screen. */
  textScreen(mode: VgaMode, registers: R.VgaRegisters): TextScreen {
    const { crtc } = registers;
    const cellHeight = mode.rowHeight * mode.lineScale;
    const split = Math.min(mode.splitLine, mode.height);
    const rowsAbove = Math.ceil((split + mode.presetRowScan * mode.lineScale) / cellHeight);
    const rowsBelow = Math.ceil((mode.height - split) / cellHeight);
    const cursorAddress = cursorAddressOf(crtc);
    const lines: string[] = [];
    const attributes = new Uint8Array((rowsAbove + rowsBelow) * mode.columns);
    let cursor = { column: 0, row: 0, visible: false };
    for (let row = 0; row < rowsAbove + rowsBelow; row++) {
      const first = row < rowsAbove ? mode.startAddress + row * mode.rowAddresses : (row - rowsAbove) * mode.rowAddresses;
      let line = '';
      for (let column = 0; column < mode.columns; column++) {
        const address = (first + column) & 0xffff;
        const cell = this.vram32[address] as number;
        line += CP437_TO_UNICODE.charAt(cell & 0xff);
        attributes[row * mode.columns + column] = cell >>> 8;
        if (address === cursorAddress) cursor = { column, row, visible: ((crtc[R.CR_CURSOR_START] ?? 0) & CURSOR_OFF) === 0 };
      }
      lines.push(line);
    }
    return { columns: mode.columns, rows: lines.length, lines, attributes, cursor };
  }
}

function cursorAddressOf(crtc: Uint8Array): number {
  return ((crtc[R.CR_CURSOR_HIGH] ?? 0) << 8) | (crtc[R.CR_CURSOR_LOW] ?? 0);
}
