// The bytes that a PS/2 keyboard sends when a key goes down or up, in scan sets 1, 2 and 3.
// Not emulated: the extra shift codes that navigation keys send while Num Lock is on (sets 1 and 2).

import { type KeyCode, SCAN_CODES, TRANSLATION } from './scancodes.ts';

export interface Modifiers {
  readonly shift: boolean;
  readonly control: boolean;
  readonly alt: boolean;
}

const RELEASE = 0xf0;
const SYSRQ = 0x84;

/** Bytes for a key that goes down (also for a repetition of it). */
export function makeSequence(code: KeyCode, scanSet: number, modifiers: Modifiers): number[] {
  if (scanSet === 3) {
    const { set3 } = SCAN_CODES[code];
    return set3 === 0 ? [] : [set3];
  }
  const bytes = makeSet2(code, modifiers);
  return scanSet === 1 ? set2ToSet1(bytes) : bytes;
}

/** Bytes for a key that goes up. */
export function breakSequence(code: KeyCode, scanSet: number, modifiers: Modifiers): number[] {
  if (scanSet === 3) {
    const { set3 } = SCAN_CODES[code];
    return set3 === 0 ? [] : [RELEASE, set3];
  }
  const bytes = breakSet2(code, modifiers);
  return scanSet === 1 ? set2ToSet1(bytes) : bytes;
}

function makeSet2(code: KeyCode, modifiers: Modifiers): number[] {
  if (code === 'Pause') {
    // Pause sends make and break at once; with Ctrl it is the Break key.
    return modifiers.control
      ? [0xe0, 0x7e, 0xe0, RELEASE, 0x7e]
      : [0xe1, 0x14, 0x77, 0xe1, RELEASE, 0x14, RELEASE, 0x77];
  }
  if (code === 'PrintScreen') {
    if (modifiers.alt) return [SYSRQ];
    return modifiers.shift || modifiers.control ? [0xe0, 0x7c] : [0xe0, 0x12, 0xe0, 0x7c];
  }
  const { set2, e0 } = SCAN_CODES[code];
  return e0 ? [0xe0, set2] : [set2];
}

function breakSet2(code: KeyCode, modifiers: Modifiers): number[] {
  if (code === 'Pause' || code === 'Lang1' || code === 'Lang2') return [];
  if (code === 'PrintScreen') {
    if (modifiers.alt) return [RELEASE, SYSRQ];
    return modifiers.shift || modifiers.control ? [0xe0, RELEASE, 0x7c] : [0xe0, RELEASE, 0x7c, 0xe0, RELEASE, 0x12];
  }
  const { set2, e0 } = SCAN_CODES[code];
  return e0 ? [0xe0, RELEASE, set2] : [RELEASE, set2];
}

function set2ToSet1(bytes: readonly number[]): number[] {
  const result: number[] = [];
  let release = 0;
  for (const byte of bytes) {
    if (byte === RELEASE) release = 0x80;
    else {
      result.push((TRANSLATION[byte] ?? byte) | release);
      release = 0;
    }
  }
  return result;
}
