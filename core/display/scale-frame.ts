// Makes a smaller frame: every pixel of the result is the average of the pixels that it stands for (box filter).

import type { Frame } from './frame-source.ts';

/** The frame itself when it fits already; proportions are kept. */
export function scaleToFit(frame: Frame, widthMax: number, heightMax: number): Frame {
  const factor = Math.min(widthMax / frame.width, heightMax / frame.height);
  if (factor >= 1 || frame.width === 0 || frame.height === 0) return frame;
  const width = Math.max(1, Math.floor(frame.width * factor));
  const height = Math.max(1, Math.floor(frame.height * factor));
  const pixels = new Uint8Array(width * height * 4);
  const { pixels: source } = frame;
  for (let y = 0; y < height; y++) {
    const top = Math.floor((y * frame.height) / height);
    const bottom = Math.max(top + 1, Math.floor(((y + 1) * frame.height) / height));
    for (let x = 0; x < width; x++) {
      const left = Math.floor((x * frame.width) / width);
      const right = Math.max(left + 1, Math.floor(((x + 1) * frame.width) / width));
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let row = top; row < bottom; row++) {
        for (let at = (row * frame.width + left) * 4, end = (row * frame.width + right) * 4; at < end; at += 4) {
          red += source[at] ?? 0;
          green += source[at + 1] ?? 0;
          blue += source[at + 2] ?? 0;
        }
      }
      const count = (bottom - top) * (right - left);
      const out = (y * width + x) * 4;
      pixels[out] = red / count;
      pixels[out + 1] = green / count;
      pixels[out + 2] = blue / count;
      pixels[out + 3] = 255;
    }
  }
  return { width, height, pixels };
}
