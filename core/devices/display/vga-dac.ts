// The VGA's colour look-up table (RAMDAC, IBM VGA "video digital-to-analog converter"): 256 entries of 6 bits a gun, or 8
// bits when the Bochs interface asks for it, reached by the index ports 3C7/3C8 and the data port 3C9.

import { z } from 'zod';
import { bytes, u8 } from '../platform/state-fields.ts';

/** What port 3C7 reads: which of the two index ports was written last. */
const STATE_WRITING = 0;
const STATE_READING = 3;

export const dacSchema = z.strictObject({
  entries: bytes(768),
  pelMask: u8,
  readIndex: u8,
  writeIndex: u8,
  component: z.int().min(0).max(2),
  reading: z.boolean(),
  latch: bytes(3),
});

export class VgaDac {
  private readonly entries = new Uint8Array(768);
  private readonly latch = new Uint8Array(3);
  private readonly colours = new Uint32Array(256);
  private coloursValid = false;
  private pelMask = 0xff;
  private readIndex = 0;
  private writeIndex = 0;
  private component = 0;
  private state = STATE_WRITING;
  private eightBits = false;
  /** Grows with every change of a visible colour. */
  version = 0;

  reset(): void {
    this.entries.fill(0);
    this.latch.fill(0);
    this.pelMask = 0xff;
    this.readIndex = 0;
    this.writeIndex = 0;
    this.component = 0;
    this.state = STATE_WRITING;
    this.eightBits = false;
    this.changed();
  }

  /** Eight bits a gun instead of six (Bochs dispi enable bit 5). */
  setEightBits(eightBits: boolean): void {
    if (eightBits === this.eightBits) return;
    this.eightBits = eightBits;
    this.changed();
  }

  get mask(): number {
    return this.pelMask;
  }

  writeMask(value: number): void {
    if (value === this.pelMask) return;
    this.pelMask = value;
    this.changed();
  }

  readState(): number {
    return this.state;
  }

  readWriteIndex(): number {
    return this.writeIndex;
  }

  writeReadIndex(value: number): void {
    this.readIndex = value;
    this.component = 0;
    this.state = STATE_READING;
  }

  writeWriteIndex(value: number): void {
    this.writeIndex = value;
    this.component = 0;
    this.state = STATE_WRITING;
  }

  readData(): number {
    const value = this.entries[this.readIndex * 3 + this.component] ?? 0;
    if (++this.component === 3) {
      this.component = 0;
      this.readIndex = (this.readIndex + 1) & 0xff;
    }
    return value;
  }

  /** The three components reach the table together, when the third arrives. */
  writeData(value: number): void {
    this.latch[this.component] = this.eightBits ? value : value & 0x3f;
    if (++this.component < 3) return;
    this.component = 0;
    this.entries.set(this.latch, this.writeIndex * 3);
    this.writeIndex = (this.writeIndex + 1) & 0xff;
    this.changed();
  }

  /** Colours by pixel value (the pel mask applied), as little-endian R, G, B, A words. */
  pixelColours(): Uint32Array {
    if (!this.coloursValid) {
      this.coloursValid = true;
      for (let pixel = 0; pixel < 256; pixel++) {
        const entry = (pixel & this.pelMask) * 3;
        const red = this.scale(this.entries[entry] ?? 0);
        const green = this.scale(this.entries[entry + 1] ?? 0);
        const blue = this.scale(this.entries[entry + 2] ?? 0);
        this.colours[pixel] = (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
      }
    }
    return this.colours;
  }

  private scale(value: number): number {
    return this.eightBits ? value : ((value << 2) | (value >> 4)) & 0xff;
  }

  private changed(): void {
    this.coloursValid = false;
    this.version++;
  }

  save(): z.infer<typeof dacSchema> {
    return {
      entries: this.entries.slice(),
      pelMask: this.pelMask,
      readIndex: this.readIndex,
      writeIndex: this.writeIndex,
      component: this.component,
      reading: this.state === STATE_READING,
      latch: this.latch.slice(),
    };
  }

  load(saved: z.infer<typeof dacSchema>): void {
    this.entries.set(saved.entries);
    this.latch.set(saved.latch);
    this.pelMask = saved.pelMask;
    this.readIndex = saved.readIndex;
    this.writeIndex = saved.writeIndex;
    this.component = saved.component;
    this.state = saved.reading ? STATE_READING : STATE_WRITING;
    this.changed();
  }
}
