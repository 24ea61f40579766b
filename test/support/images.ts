// Pictures in tests: decodes our PNGs and QEMU's PPM screen dumps, and compares them.

import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** R, G, B a pixel. */
  readonly rgb: Uint8Array;
}

/** Decodes 8-bit RGB or RGBA PNGs without interlacing (PNG specification, second edition), which is what Nestbox writes. */
export function decodePng(bytes: Uint8Array): Picture {
  const data = Buffer.from(bytes);
  if (data.readUInt32BE(0) !== 0x89504e47) throw new Error('not a PNG');
  const width = data.readUInt32BE(16);
  const height = data.readUInt32BE(20);
  const channels = data[25] === 6 ? 4 : data[25] === 2 ? 3 : 0;
  if (channels === 0 || data[24] !== 8 || data[28] !== 0) throw new Error('unexpected PNG format');
  const parts: Buffer[] = [];
  for (let at = 8; at < data.length; ) {
    const length = data.readUInt32BE(at);
    if (data.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(data.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const raw = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  const lines = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) unfilter(raw, lines, y, stride, channels);
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) for (let c = 0; c < 3; c++) rgb[i * 3 + c] = lines[i * channels + c] ?? 0;
  return { width, height, rgb };
}

function unfilter(raw: Buffer, lines: Buffer, y: number, stride: number, channels: number): void {
  const filter = raw[y * (stride + 1)] ?? 0;
  for (let x = 0; x < stride; x++) {
    const left = x >= channels ? (lines[y * stride + x - channels] ?? 0) : 0;
    const up = y > 0 ? (lines[(y - 1) * stride + x] ?? 0) : 0;
    const upLeft = y > 0 && x >= channels ? (lines[(y - 1) * stride + x - channels] ?? 0) : 0;
    const value = raw[y * (stride + 1) + 1 + x] ?? 0;
    const predicted = filter === 0 ? 0 : filter === 1 ? left : filter === 2 ? up : filter === 3 ? (left + up) >> 1 : paeth(left, up, upLeft);
    lines[y * stride + x] = value + predicted;
  }
}

function paeth(a: number, b: number, c: number): number {
  const p = a + b - c;
  const distances = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)] as const;
  if (distances[0] <= distances[1] && distances[0] <= distances[2]) return a;
  return distances[1] <= distances[2] ? b : c;
}

export function readPng(path: string): Picture {
  return decodePng(readFileSync(path));
}

/** Binary PPM (P6), as QEMU's screendump writes it. */
export function readPpm(path: string): Picture {
  const data = readFileSync(path);
  const head = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(data.toString('latin1', 0, 64));
  if (head === null) throw new Error(`${path} is not a P6 picture`);
  return { width: Number(head[1]), height: Number(head[2]), rgb: data.subarray(head[0].length) };
}

/** Halves a picture whose rows and columns were doubled (QEMU shows mode 13h as 640x400), for comparing. */
export function resize(picture: Picture, width: number, height: number): Picture {
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const sourceY = Math.floor((y * picture.height) / height);
    for (let x = 0; x < width; x++) {
      const from = (sourceY * picture.width + Math.floor((x * picture.width) / width)) * 3;
      for (let c = 0; c < 3; c++) rgb[(y * width + x) * 3 + c] = picture.rgb[from + c] ?? 0;
    }
  }
  return { width, height, rgb };
}

/** Share of pixels whose channels all differ by at most `tolerance` (0..255). */
export function similarity(a: Picture, b: Picture, tolerance = 8): number {
  const width = Math.min(a.width, b.width);
  const height = Math.min(a.height, b.height);
  const left = resize(a, width, height).rgb;
  const right = resize(b, width, height).rgb;
  let same = 0;
  for (let i = 0; i < left.length; i += 3) {
    const near = (c: number): boolean => Math.abs((left[i + c] ?? 0) - (right[i + c] ?? 0)) <= tolerance;
    if (near(0) && near(1) && near(2)) same++;
  }
  return same / (width * height);
}

/** Number of distinct colours. */
export function colours(picture: Picture): number {
  const seen = new Set<number>();
  for (let i = 0; i < picture.rgb.length; i += 3) seen.add(((picture.rgb[i] ?? 0) << 16) | ((picture.rgb[i + 1] ?? 0) << 8) | (picture.rgb[i + 2] ?? 0));
  return seen.size;
}
