// Puts damage rectangles of a FrameMessage onto a canvas.

import type { FrameMessage } from '../../../core/protocol/vm-messages.ts';

/** @returns whether the screen's size changed; the canvas is then blank outside the damage */
export function paintFrame(canvas: HTMLCanvasElement, context: CanvasRenderingContext2D, frame: FrameMessage): boolean {
  const resized = canvas.width !== frame.width || canvas.height !== frame.height;
  if (resized) {
    canvas.width = frame.width;
    canvas.height = frame.height;
  }
  let at = 0;
  for (const { x, y, width, height } of frame.damage) {
    const bytes = width * height * 4;
    if (width <= 0 || height <= 0) continue;
    if (at + bytes > frame.pixels.byteLength) break;
    const pixels = new Uint8ClampedArray(frame.pixels.buffer as ArrayBuffer, frame.pixels.byteOffset + at, bytes);
    context.putImageData(new ImageData(pixels, width, height), x, y);
    at += bytes;
  }
  return resized;
}

/** Whether the damage of a frame covers the whole screen. */
export function coversAll(frame: FrameMessage): boolean {
  return frame.damage.some((area) => area.x === 0 && area.y === 0 && area.width === frame.width && area.height === frame.height);
}
