// The frame that a display adapter draws into, with 32-bit access and the bookkeeping of changed spans.

import { DamageList } from '../../display/damage-list.ts';
import type { Frame, Rect } from '../../display/frame-source.ts';

const OPAQUE_BLACK = 0xff000000;

export class FrameBuffer {
  readonly damage = new DamageList();
  /** The pixels as little-endian R, G, B, A words. */
  words = new Uint32Array(0);
  private current: Frame = { width: 0, height: 0, pixels: new Uint8Array(0) };

  get width(): number {
    return this.current.width;
  }

  get height(): number {
    return this.current.height;
  }

  /** Makes the frame this large; a new one is black and damaged all over. @returns true when the size changed */
  resize(width: number, height: number): boolean {
    if (width === this.current.width && height === this.current.height) return false;
    this.words = new Uint32Array(width * height).fill(OPAQUE_BLACK);
    this.current = { width, height, pixels: new Uint8Array(this.words.buffer) };
    this.damage.clear();
    this.damage.add(0, 0, width, height);
    return true;
  }

  /** Paints everything in one colour where it is not that colour yet. */
  clear(): void {
    for (let y = 0; y < this.current.height; y++) {
      const start = y * this.current.width;
      const row = this.words.subarray(start, start + this.current.width);
      if (row.every((word) => word === OPAQUE_BLACK)) continue;
      row.fill(OPAQUE_BLACK);
      this.damage.add(0, y, this.current.width, 1);
    }
  }

  /** Copies a line of words to row `y` and notes the span that changed. */
  putLine(y: number, line: Uint32Array): void {
    const width = this.current.width;
    const start = y * width;
    const words = this.words;
    let first = 0;
    while (first < width && words[start + first] === line[first]) first++;
    if (first === width) return;
    let last = width - 1;
    while (words[start + last] === line[last]) last--;
    for (let x = first; x <= last; x++) words[start + x] = line[x] as number;
    this.damage.add(first, y, last - first + 1, 1);
  }

  frame(): Frame {
    return this.current;
  }

  takeDamage(): readonly Rect[] {
    return this.damage.take();
  }
}
