// Collects damaged rectangles while a frame is drawn from top to bottom, and merges neighbours so that few remain.

import type { Rect } from './frame-source.ts';

/** More rectangles than this are merged into their common bounds. */
const MAX_RECTS = 64;

interface MutableRect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export class DamageList {
  private rects: MutableRect[] = [];

  get isEmpty(): boolean {
    return this.rects.length === 0;
  }

  clear(): void {
    if (this.rects.length > 0) this.rects = [];
  }

  /** Adds a rectangle; one that touches the last one from below or right joins it when little undamaged area gets in. */
  add(x: number, y: number, width: number, height: number): void {
    if (width <= 0 || height <= 0) return;
    const last = this.rects[this.rects.length - 1];
    if (last !== undefined && this.join(last, x, y, width, height)) return;
    this.rects.push({ x, y, width, height });
    if (this.rects.length > MAX_RECTS) this.collapse();
  }

  private join(last: MutableRect, x: number, y: number, width: number, height: number): boolean {
    if (y > last.y + last.height || y + height < last.y || x > last.x + last.width || x + width < last.x) return false;
    const left = Math.min(last.x, x);
    const top = Math.min(last.y, y);
    const right = Math.max(last.x + last.width, x + width);
    const bottom = Math.max(last.y + last.height, y + height);
    const joined = (right - left) * (bottom - top);
    // Half as much again is cheaper than another rectangle.
    if (joined > (last.width * last.height + width * height) * 1.5 + 4096) return false;
    last.x = left;
    last.y = top;
    last.width = right - left;
    last.height = bottom - top;
    this.stack();
    return true;
  }

  /** Joins the last rectangle to the one before when it lies right below with the same width: rows of cells become blocks. */
  private stack(): void {
    const last = this.rects[this.rects.length - 1];
    const before = this.rects[this.rects.length - 2];
    if (last === undefined || before === undefined) return;
    if (last.x !== before.x || last.width !== before.width || last.y !== before.y + before.height) return;
    before.height += last.height;
    this.rects.pop();
  }

  private collapse(): void {
    let left = Infinity;
    let top = Infinity;
    let right = 0;
    let bottom = 0;
    for (const rect of this.rects) {
      left = Math.min(left, rect.x);
      top = Math.min(top, rect.y);
      right = Math.max(right, rect.x + rect.width);
      bottom = Math.max(bottom, rect.y + rect.height);
    }
    this.rects = [{ x: left, y: top, width: right - left, height: bottom - top }];
  }

  /** The rectangles so far; the list starts empty again. */
  take(): readonly Rect[] {
    const taken = this.rects;
    this.rects = [];
    return taken;
  }
}
