// PNG encoder for screenshots: 8-bit RGB, one zlib stream, filter 1 (Sub) on every row. PNG specification, second edition.

import { crc32, deflateSync } from 'node:zlib';
import type { Frame } from './frame-source.ts';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOUR_TYPE_RGB = 2;
const FILTER_SUB = 1;

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body) >>> 0, body.length + 4);
  return out;
}

/** Encodes a frame; its alpha bytes are ignored, screens are opaque. */
export function encodePng(frame: Frame): Buffer {
  const { width, height, pixels } = frame;
  const stride = width * 3 + 1;
  const raw = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    let out = y * stride;
    let source = y * width * 4;
    raw[out++] = FILTER_SUB;
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let x = 0; x < width; x++, source += 4) {
      const nextRed = pixels[source] ?? 0;
      const nextGreen = pixels[source + 1] ?? 0;
      const nextBlue = pixels[source + 2] ?? 0;
      raw[out++] = nextRed - red;
      raw[out++] = nextGreen - green;
      raw[out++] = nextBlue - blue;
      red = nextRed;
      green = nextGreen;
      blue = nextBlue;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  header[9] = COLOUR_TYPE_RGB;
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', deflateSync(raw)), chunk('IEND', Buffer.alloc(0))]);
}
