import { describe, expect, it } from 'vitest';
import { comboToKeys, keyForName, parseKeyCombo, textToKeys } from './text-to-keys.ts';
import { breakSequence, makeSequence } from './key-sequences.ts';
import { isKeyCode, KEY_CODES, SCAN_CODES } from './scancodes.ts';

const none = { shift: false, control: false, alt: false };
const show = (text: string) => textToKeys(text).map(({ code, down }) => `${down ? '+' : '-'}${code}`);

describe('textToKeys', () => {
  it('holds shift only as long as needed', () => {
    expect(show('aB!c')).toEqual([
      '+KeyA',
      '-KeyA',
      '+ShiftLeft',
      '+KeyB',
      '-KeyB',
      '+Digit1',
      '-Digit1',
      '-ShiftLeft',
      '+KeyC',
      '-KeyC',
    ]);
  });

  it('types every printable ASCII character, and names one that it cannot', () => {
    for (let code = 0x20; code < 0x7f; code++) expect(textToKeys(String.fromCharCode(code)).length).toBeGreaterThan(1);
    expect(show('\r\n')).toEqual(['+Enter', '-Enter']);
    expect(() => textToKeys('aé')).toThrow(/"é"/);
    expect(() => textToKeys('😀')).toThrow(/😀/);
  });
});

describe('key names', () => {
  it('parses combinations as QEMU names them', () => {
    expect(parseKeyCombo('ctrl-alt-delete')).toEqual(['ControlLeft', 'AltLeft', 'Delete']);
    expect(parseKeyCombo('shift-f10')).toEqual(['ShiftLeft', 'F10']);
    expect(parseKeyCombo('ret')).toEqual(['Enter']);
    expect(parseKeyCombo('ctrl-alt-f1')).toEqual(['ControlLeft', 'AltLeft', 'F1']);
    expect(parseKeyCombo('ctrl--')).toEqual(['ControlLeft', 'Minus']);
    expect(parseKeyCombo('-')).toEqual(['Minus']);
    expect(parseKeyCombo('kp_5')).toEqual(['Numpad5']);
    expect(parseKeyCombo('KeyZ')).toEqual(['KeyZ']);
    expect(() => parseKeyCombo('ctrl-foo')).toThrow(/"foo"/);
    expect(() => parseKeyCombo('')).toThrow(/Unknown key/);
    expect(keyForName('constructor')).toBeUndefined();
    expect(keyForName('f25')).toBeUndefined();
  });

  it('presses in order and releases in reverse', () => {
    expect(comboToKeys(parseKeyCombo('ctrl-c'))).toEqual([
      { code: 'ControlLeft', down: true },
      { code: 'KeyC', down: true },
      { code: 'KeyC', down: false },
      { code: 'ControlLeft', down: false },
    ]);
  });
});

describe('scan code tables', () => {
  it('give each key codes of its own in every set', () => {
    for (const set of [1, 2, 3]) {
      const seen = new Map<string, string>();
      for (const code of KEY_CODES) {
        const sequence = makeSequence(code, set, none);
        if (sequence.length === 0) continue;
        const text = sequence.join(' ');
        expect(seen.get(text), `${code} in set ${set}`).toBeUndefined();
        seen.set(text, code);
      }
      expect(seen.size).toBeGreaterThanOrEqual(set === 3 ? 104 : 130);
    }
  });

  it('match well-known set 1 codes', () => {
    const known = {
      Digit1: 0x02,
      KeyQ: 0x10,
      Enter: 0x1c,
      ControlLeft: 0x1d,
      KeyA: 0x1e,
      ShiftLeft: 0x2a,
      KeyZ: 0x2c,
      Space: 0x39,
      F1: 0x3b,
      F10: 0x44,
      NumLock: 0x45,
      ScrollLock: 0x46,
      Numpad7: 0x47,
      F11: 0x57,
      Backslash: 0x2b,
      Backquote: 0x29,
      IntlRo: 0x73,
      IntlYen: 0x7d,
      Convert: 0x79,
      NonConvert: 0x7b,
      KanaMode: 0x70,
      F13: 0x64,
      F24: 0x76,
      NumpadEqual: 0x59,
    } as const;
    for (const [code, set1] of Object.entries(known)) {
      if (!isKeyCode(code)) throw new Error(code);
      expect(makeSequence(code, 1, none), code).toEqual([set1]);
      expect(breakSequence(code, 1, none), code).toEqual([set1 | 0x80]);
    }
    expect(makeSequence('MetaLeft', 1, none)).toEqual([0xe0, 0x5b]);
    expect(makeSequence('AudioVolumeUp', 1, none)).toEqual([0xe0, 0x30]);
    expect(Object.hasOwn(SCAN_CODES, 'KeyÄ')).toBe(false);
  });
});
