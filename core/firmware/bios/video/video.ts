// INT 10h: the video BIOS. Dispatches to mode setting, characters, palette, fonts, state and VBE. Not offered: light pen,
// video refresh control beyond on and off.

import type { BiosContext, Screen } from '../context.ts';
import { BDA } from '../data-area.ts';
import type { Frame } from '../frame.ts';
import { type GuestMemory, linear } from '../guest-memory.ts';
import { ACTION_DONE } from '../rom/trap.ts';
import { Characters } from './characters.ts';
import { FontServices } from './font-services.ts';
import { ModeSetter } from './mode-set.ts';
import { PaletteServices } from './palette-services.ts';
import { StateServices } from './state-services.ts';
import { Vbe } from './vbe.ts';
import { VgaPorts } from './vga-ports.ts';
import type { VgaRom } from './vga-rom.ts';

const BELL = 7;
const BACKSPACE = 8;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const PAGES = 8;

export class Video implements Screen {
  readonly vbe: Vbe;
  private readonly mem: GuestMemory;
  private readonly vga: VgaPorts;
  private readonly characters: Characters;
  private readonly modes: ModeSetter;
  private readonly palette: PaletteServices;
  private readonly fonts: FontServices;
  private readonly state: StateServices;
  private readonly bios: BiosContext;

  constructor(bios: BiosContext, rom: VgaRom) {
    this.bios = bios;
    this.mem = bios.mem;
    this.vga = new VgaPorts(bios.ports);
    this.characters = new Characters(this.mem, this.vga);
    this.palette = new PaletteServices(this.mem, this.vga);
    this.vbe = new Vbe(bios, this.vga, rom);
    this.modes = new ModeSetter(this.mem, this.vga, rom, this.vbe.dispi, (first, count) =>
      this.palette.sumToGrey(first, count),
    );
    this.fonts = new FontServices(this.mem, this.vga, rom, this.modes);
    this.state = new StateServices(this.mem, this.vga, rom);
    this.vbe.modes = this.modes;
  }

  /** Data area before the first mode set in POST. */
  initialize(savePointers: { segment: number; offset: number }): void {
    const { mem } = this;
    // 400 lines, VGA active, palette loads on.
    mem.write8(BDA.MODE_SET_CONTROL, 0x51);
    mem.write8(BDA.DISPLAY_COMBINATION, 0x0b);
    mem.write16(BDA.VIDEO_SAVE_POINTER, savePointers.offset);
    mem.write16(BDA.VIDEO_SAVE_POINTER + 2, savePointers.segment);
    mem.write8(BDA.VIDEO_CONTROL, 0x60);
  }

  handle(frame: Frame): number {
    switch (frame.ah) {
      case 0x00:
        return this.setModeService(frame);
      case 0x01:
        this.setCursorShape(frame.ch, frame.cl);
        break;
      case 0x02:
        this.moveCursor(frame.bh & 7, frame.dh, frame.dl);
        break;
      case 0x03: {
        const position = this.cursor(frame.bh & 7);
        frame.cx = this.mem.read16(BDA.CURSOR_SHAPE);
        frame.dh = position.row;
        frame.dl = position.column;
        frame.ax = 0;
        break;
      }
      case 0x04:
        frame.ah = 0;
        break;
      case 0x05:
        this.setPage(frame.al & 7);
        break;
      case 0x06:
      case 0x07:
        this.scrollService(frame);
        break;
      case 0x08: {
        const { row, column } = this.cursor(frame.bh & 7);
        const cell = this.characters.read(frame.bh & 7, row, column);
        frame.al = cell.code;
        frame.ah = cell.attribute;
        break;
      }
      case 0x09:
      case 0x0a: {
        const { row, column } = this.cursor(frame.bh & 7);
        this.characters.write(
          frame.bh & 7,
          row,
          column,
          frame.al,
          frame.ah === 0x09 ? frame.bl : undefined,
          frame.cx,
          frame.bl,
        );
        break;
      }
      case 0x0b:
        this.palette.cgaPalette(frame.bh, frame.bl);
        break;
      case 0x0c:
        this.characters.writePixel(frame.bh, frame.cx, frame.dx, frame.al);
        break;
      case 0x0d:
        frame.al = this.characters.readPixel(frame.bh, frame.cx, frame.dx);
        break;
      case 0x0e:
        this.teletype(frame.al, this.mem.read8(BDA.VIDEO_PAGE), undefined, frame.bl);
        break;
      case 0x0f:
        frame.ah = this.mem.read16(BDA.VIDEO_COLUMNS) & 0xff;
        frame.al = this.mem.read8(BDA.VIDEO_MODE) | (this.mem.read8(BDA.VIDEO_CONTROL) & 0x80);
        frame.bh = this.mem.read8(BDA.VIDEO_PAGE);
        break;
      case 0x10:
        this.palette.handle(frame);
        break;
      case 0x11:
        this.fonts.handle(frame);
        break;
      case 0x12:
        this.state.alternateSelect(frame);
        break;
      case 0x13:
        this.writeString(frame);
        break;
      case 0x1a:
        this.state.displayCombination(frame);
        break;
      case 0x1b:
        this.state.functionality(frame);
        break;
      case 0x1c:
        this.state.saveRestore(frame);
        break;
      case 0x4f:
        return this.vbe.handle(frame);
      default:
        this.bios.log.log('debug', 'unknown video function', { ax: frame.ax });
    }
    return ACTION_DONE;
  }

  setMode(mode: number): void {
    this.modes.set(mode);
  }

  private setModeService(frame: Frame): number {
    const request = frame.al;
    if (!this.modes.set(request)) {
      this.bios.log.log('debug', 'unknown video mode', { mode: request });
      return ACTION_DONE;
    }
    const mode = request & 0x7f;
    frame.al = mode > 7 ? 0x20 : mode === 6 ? 0x3f : 0x30;
    return ACTION_DONE;
  }

  private cursor(page: number): { row: number; column: number } {
    const value = this.mem.read16(BDA.CURSOR_POSITIONS + page * 2);
    return { row: value >> 8, column: value & 0xff };
  }

  private setCursorShape(start: number, end: number): void {
    const { mem, vga } = this;
    mem.write16(BDA.CURSOR_SHAPE, ((start & 0x3f) << 8) | (end & 0x1f));
    const height = mem.read16(BDA.CHARACTER_HEIGHT);
    let [first, last] = [start & 0x3f, end & 0x1f];
    // Shapes for 8-line cells are stretched to the real height unless emulation is off.
    if ((mem.read8(BDA.VIDEO_CONTROL) & 1) === 0 && height > 8 && last < 8 && first < 0x20) {
      if (last !== first + 1) first = Math.floor(((first + 1) * height) / 8) - 1;
      else first = Math.floor(((last + 1) * height) / 8) - 2;
      last = Math.floor(((last + 1) * height) / 8) - 1;
    }
    vga.writeCrtc(0x0a, first);
    vga.writeCrtc(0x0b, last);
  }

  private moveCursor(page: number, row: number, column: number): void {
    const { mem } = this;
    mem.write16(BDA.CURSOR_POSITIONS + page * 2, (row << 8) | column);
    if (page === mem.read8(BDA.VIDEO_PAGE)) this.showCursor(page, row, column);
  }

  private showCursor(page: number, row: number, column: number): void {
    if (this.characters.mode?.kind !== 'text') return;
    const cell = ((page * this.mem.read16(BDA.VIDEO_PAGE_BYTES)) >> 1) + row * this.characters.columns + column;
    this.vga.writeCrtc(0x0e, (cell >> 8) & 0xff);
    this.vga.writeCrtc(0x0f, cell & 0xff);
  }

  private setPage(page: number): void {
    const { mem } = this;
    const mode = this.characters.mode;
    if (mode === undefined || page >= Math.min(mode.pages, PAGES)) return;
    const start = page * mem.read16(BDA.VIDEO_PAGE_BYTES);
    mem.write16(BDA.VIDEO_PAGE_START, start);
    mem.write8(BDA.VIDEO_PAGE, page);
    // The CRTC counts cells in text modes and bytes of a plane in planar ones.
    const units = mode.kind === 'text' ? start >> 1 : start;
    this.vga.writeCrtc(0x0c, units >> 8);
    this.vga.writeCrtc(0x0d, units & 0xff);
    const { row, column } = this.cursor(page);
    this.showCursor(page, row, column);
  }

  private scrollService(frame: Frame): void {
    const lines = frame.ah === 0x06 ? frame.al : -frame.al;
    this.characters.scroll(this.mem.read8(BDA.VIDEO_PAGE), frame.ch, frame.cl, frame.dh, frame.dl, lines, frame.bh);
  }

  /** Writes at the cursor of a page and moves it; an undefined attribute keeps what is there (text). */
  teletype(code: number, page: number, attribute: number | undefined, colour: number): void {
    const { characters } = this;
    let { row, column } = this.cursor(page);
    const { columns, rows } = characters;
    switch (code) {
      case BELL:
        return;
      case BACKSPACE:
        if (column > 0) column--;
        break;
      case LINE_FEED:
        row++;
        break;
      case CARRIAGE_RETURN:
        column = 0;
        break;
      default:
        characters.write(page, row, column, code, attribute, 1, colour);
        column++;
        if (column >= columns) {
          column = 0;
          row++;
        }
    }
    if (row >= rows) {
      row = rows - 1;
      // New lines take the attribute of where the cursor was, in graphics black.
      const fill = characters.mode?.kind === 'text' ? (attribute ?? characters.read(page, row, column).attribute) : 0;
      characters.scroll(page, 0, 0, rows - 1, columns - 1, 1, fill);
    }
    this.moveCursor(page, row, column);
  }

  private writeString(frame: Frame): void {
    const { mem } = this;
    const mode = frame.al;
    if (mode > 3) return;
    const page = frame.bh & 7;
    const before = this.cursor(page);
    const withAttributes = (mode & 2) !== 0;
    const text = new Uint8Array(frame.cx * (withAttributes ? 2 : 1));
    mem.read(linear(frame.es, frame.bp), text);
    // FFh: continue at the cursor (a widely used extension).
    if (frame.dh !== 0xff) this.moveCursor(page, frame.dh, frame.dl);
    for (let i = 0; i < frame.cx; i++) {
      const code = text[withAttributes ? i * 2 : i] as number;
      const attribute = withAttributes ? (text[i * 2 + 1] as number) : frame.bl;
      this.teletype(code, page, attribute, attribute);
    }
    if ((mode & 1) === 0) this.moveCursor(page, before.row, before.column);
  }

  print(text: string, attribute = 0x07): void {
    const page = this.mem.read8(BDA.VIDEO_PAGE);
    for (const letter of text) {
      const code = letter.codePointAt(0) ?? 0x20;
      if (letter === '\n') {
        this.teletype(CARRIAGE_RETURN, page, attribute, attribute);
        this.teletype(LINE_FEED, page, attribute, attribute);
      } else this.teletype(code < 256 ? code : 0x3f, page, attribute, attribute);
    }
  }
}
