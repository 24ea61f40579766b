// The VGA's registers through its I/O ports.

import type { PortBus } from '../../../bus/port-bus.ts';
import type { ModeRegisters } from './mode-table.ts';

const ATTRIBUTE = 0x3c0;
const ATTRIBUTE_READ = 0x3c1;
const MISCELLANEOUS_WRITE = 0x3c2;
const MISCELLANEOUS_READ = 0x3cc;
const SEQUENCER = 0x3c4;
const DAC_MASK = 0x3c6;
const DAC_READ_INDEX = 0x3c7;
const DAC_WRITE_INDEX = 0x3c8;
const DAC_DATA = 0x3c9;
const GRAPHICS = 0x3ce;
const PALETTE_ON = 0x20;
const CRTC_PROTECT_INDEX = 0x11;

export class VgaPorts {
  private readonly ports: PortBus;

  constructor(ports: PortBus) {
    this.ports = ports;
  }

  /** 3D4h or 3B4h, as the colour/mono bit says. */
  get crtcPort(): number {
    return (this.ports.read(MISCELLANEOUS_READ, 1) & 1) !== 0 ? 0x3d4 : 0x3b4;
  }

  writeCrtc(index: number, value: number): void {
    const port = this.crtcPort;
    this.ports.write(port, 1, index);
    this.ports.write(port + 1, 1, value);
  }

  readCrtc(index: number): number {
    const port = this.crtcPort;
    this.ports.write(port, 1, index);
    return this.ports.read(port + 1, 1);
  }

  writeSequencer(index: number, value: number): void {
    this.ports.write(SEQUENCER, 1, index);
    this.ports.write(SEQUENCER + 1, 1, value);
  }

  readSequencer(index: number): number {
    this.ports.write(SEQUENCER, 1, index);
    return this.ports.read(SEQUENCER + 1, 1);
  }

  writeGraphics(index: number, value: number): void {
    this.ports.write(GRAPHICS, 1, index);
    this.ports.write(GRAPHICS + 1, 1, value);
  }

  readGraphics(index: number): number {
    this.ports.write(GRAPHICS, 1, index);
    return this.ports.read(GRAPHICS + 1, 1);
  }

  readMiscellaneous(): number {
    return this.ports.read(MISCELLANEOUS_READ, 1);
  }

  writeMiscellaneous(value: number): void {
    this.ports.write(MISCELLANEOUS_WRITE, 1, value);
  }

  /** Makes the next write to 3C0h an index. */
  private resetAttribute(): void {
    this.ports.read(this.crtcPort + 6, 1);
  }

  /** Palette entry or attribute register; the picture stays on. */
  writeAttribute(index: number, value: number): void {
    this.resetAttribute();
    this.ports.write(ATTRIBUTE, 1, index);
    this.ports.write(ATTRIBUTE, 1, value);
    this.showPicture();
  }

  readAttribute(index: number): number {
    this.resetAttribute();
    this.ports.write(ATTRIBUTE, 1, index);
    const value = this.ports.read(ATTRIBUTE_READ, 1);
    this.showPicture();
    return value;
  }

  /** Ends the access to the palette: the screen would stay blank. */
  showPicture(): void {
    this.resetAttribute();
    this.ports.write(ATTRIBUTE, 1, PALETTE_ON);
  }

  writeDac(index: number, r: number, g: number, b: number): void {
    this.ports.write(DAC_WRITE_INDEX, 1, index);
    this.ports.write(DAC_DATA, 1, r);
    this.ports.write(DAC_DATA, 1, g);
    this.ports.write(DAC_DATA, 1, b);
  }

  readDac(index: number): [number, number, number] {
    this.ports.write(DAC_READ_INDEX, 1, index);
    return [this.ports.read(DAC_DATA, 1), this.ports.read(DAC_DATA, 1), this.ports.read(DAC_DATA, 1)];
  }

  /** Loads a run of DAC entries from R, G, B bytes. */
  loadDac(first: number, colours: Uint8Array): void {
    this.ports.write(DAC_WRITE_INDEX, 1, first);
    for (const value of colours) this.ports.write(DAC_DATA, 1, value);
  }

  get dacMask(): number {
    return this.ports.read(DAC_MASK, 1);
  }

  set dacMask(value: number) {
    this.ports.write(DAC_MASK, 1, value);
  }

  /** True while the picture is in vertical retrace or blank is asked for by the sequencer. */
  setScreenOff(off: boolean): void {
    const value = this.readSequencer(1);
    this.writeSequencer(1, off ? value | 0x20 : value & ~0x20);
  }

  /** Programs all registers of a mode; the attribute palette can be kept. */
  program(registers: ModeRegisters, keepPalette: boolean): void {
    this.resetAttribute();
    this.ports.write(ATTRIBUTE, 1, 0);
    this.writeSequencer(0, 1);
    registers.sequencer.forEach((value, index) => this.writeSequencer(index + 1, value));
    this.writeMiscellaneous(registers.miscellaneous);
    this.writeSequencer(0, 3);
    this.writeCrtc(CRTC_PROTECT_INDEX, 0);
    registers.crtc.forEach((value, index) => this.writeCrtc(index, value));
    registers.graphics.forEach((value, index) => this.writeGraphics(index, value));
    registers.attribute.forEach((value, index) => {
      if (keepPalette && index < 16) return;
      this.resetAttribute();
      this.ports.write(ATTRIBUTE, 1, index);
      this.ports.write(ATTRIBUTE, 1, value);
    });
    this.resetAttribute();
    this.ports.write(ATTRIBUTE, 1, 0x14);
    this.ports.write(ATTRIBUTE, 1, 0);
    this.showPicture();
  }
}
