// The EDID 1.3 block (VESA E-EDID Standard A.1) of the virtual monitor: prefers 1024x768, goes up to 1920x1200.

import { checksumByte } from '../../byte-writer.ts';

/** Pixel clock in 10 kHz, then active, blanking, sync offset and sync width across and down. */
type Timing = readonly [
  clock: number,
  h: readonly [number, number, number, number],
  v: readonly [number, number, number, number],
];

const TIMING_1024: Timing = [6500, [1024, 320, 24, 136], [768, 38, 3, 6]];
const TIMING_1920: Timing = [15400, [1920, 160, 48, 32], [1200, 35, 3, 6]];
/** Standard timings at 60 Hz: width / 8 - 31, aspect ratio in bits 7-6 (16:10, 4:3, 5:4, 16:9). */
const STANDARD: readonly (readonly [number, number])[] = [
  [1280, 2],
  [1280, 0],
  [1440, 0],
  [1600, 1],
  [1680, 0],
  [1920, 3],
  [1920, 0],
  [1400, 1],
];

function detailed([clock, [ha, hb, ho, hw], [va, vb, vo, vw]]: Timing): number[] {
  return [
    clock & 0xff,
    clock >> 8,
    ha & 0xff,
    hb & 0xff,
    ((ha >> 8) << 4) | (hb >> 8),
    va & 0xff,
    vb & 0xff,
    ((va >> 8) << 4) | (vb >> 8),
    ho & 0xff,
    hw & 0xff,
    ((vo & 15) << 4) | (vw & 15),
    ((ho >> 8) << 6) | ((hw >> 8) << 4) | ((vo >> 4) << 2) | (vw >> 4),
    // 300 x 225 mm, no border, digital separate sync, both positive.
    44,
    225,
    0x10,
    0,
    0,
    0x1e,
  ];
}

function textDescriptor(tag: number, text: string): number[] {
  const letters = [...text.slice(0, 13)].map((letter) => letter.charCodeAt(0));
  if (letters.length < 13) letters.push(0x0a);
  while (letters.length < 13) letters.push(0x20);
  return [0, 0, 0, tag, 0, ...letters];
}

/** 128 bytes. */
export function makeEdid(): Uint8Array {
  const edid = new Uint8Array(128);
  edid.set([0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]);
  // Manufacturer "NBX" (5 bits a letter), product 1, serial 1, week 1 of 2026, EDID 1.3.
  edid.set([0x38, 0x58, 0x01, 0x00, 0x01, 0x00, 0x00, 0x00, 1, 36, 1, 3], 8);
  // Analogue input, 30 x 23 cm, gamma 2.2, colour, first timing preferred, sRGB chromaticity.
  edid.set([0x08, 30, 23, 120, 0x0a, 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54], 20);
  // 720x400, 640x480, 800x600, 1024x768 at 60 Hz or more.
  edid.set([0xa1, 0x08, 0x00], 35);
  STANDARD.forEach(([width, aspect], index) => edid.set([width / 8 - 31, aspect << 6], 38 + index * 2));
  edid.set(detailed(TIMING_1024), 54);
  edid.set(detailed(TIMING_1920), 72);
  // Range limits: 50-75 Hz, 30-83 kHz, 170 MHz.
  edid.set([0, 0, 0, 0xfd, 0, 50, 75, 30, 83, 17, 0, 0x0a, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20], 90);
  edid.set(textDescriptor(0xfc, 'Nestbox'), 108);
  edid[127] = checksumByte(edid.subarray(0, 127));
  return edid;
}
