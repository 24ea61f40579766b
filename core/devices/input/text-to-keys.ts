// Turns text into key strokes of the US keyboard layout, and key names as QEMU's `sendkey` has them into key codes.

import { NestboxError } from '../../base/errors.ts';
import { isKeyCode, type KeyCode } from './scancodes.ts';

export interface KeyAction {
  readonly code: KeyCode;
  readonly down: boolean;
}

const PLAIN: Readonly<Record<string, KeyCode>> = {
  '`': 'Backquote',
  '-': 'Minus',
  '=': 'Equal',
  '[': 'BracketLeft',
  ']': 'BracketRight',
  '\\': 'Backslash',
  ';': 'Semicolon',
  "'": 'Quote',
  ',': 'Comma',
  '.': 'Period',
  '/': 'Slash',
  ' ': 'Space',
  '\t': 'Tab',
  '\n': 'Enter',
  '\r': 'Enter',
  '\b': 'Backspace',
  '\x7f': 'Backspace',
  '\x1b': 'Escape',
};

const SHIFTED: Readonly<Record<string, KeyCode>> = {
  '~': 'Backquote',
  '!': 'Digit1',
  '@': 'Digit2',
  '#': 'Digit3',
  $: 'Digit4',
  '%': 'Digit5',
  '^': 'Digit6',
  '&': 'Digit7',
  '*': 'Digit8',
  '(': 'Digit9',
  ')': 'Digit0',
  _: 'Minus',
  '+': 'Equal',
  '{': 'BracketLeft',
  '}': 'BracketRight',
  '|': 'Backslash',
  ':': 'Semicolon',
  '"': 'Quote',
  '<': 'Comma',
  '>': 'Period',
  '?': 'Slash',
};

const NAMES: Readonly<Record<string, KeyCode>> = {
  ret: 'Enter',
  enter: 'Enter',
  return: 'Enter',
  esc: 'Escape',
  escape: 'Escape',
  spc: 'Space',
  space: 'Space',
  tab: 'Tab',
  backspace: 'Backspace',
  shift: 'ShiftLeft',
  shift_l: 'ShiftLeft',
  shift_r: 'ShiftRight',
  ctrl: 'ControlLeft',
  ctrl_l: 'ControlLeft',
  ctrl_r: 'ControlRight',
  alt: 'AltLeft',
  alt_l: 'AltLeft',
  alt_r: 'AltRight',
  altgr: 'AltRight',
  meta: 'MetaLeft',
  meta_l: 'MetaLeft',
  meta_r: 'MetaRight',
  win: 'MetaLeft',
  super: 'MetaLeft',
  menu: 'ContextMenu',
  compose: 'ContextMenu',
  caps_lock: 'CapsLock',
  num_lock: 'NumLock',
  scroll_lock: 'ScrollLock',
  insert: 'Insert',
  ins: 'Insert',
  delete: 'Delete',
  del: 'Delete',
  home: 'Home',
  end: 'End',
  pgup: 'PageUp',
  pgdn: 'PageDown',
  up: 'ArrowUp',
  down: 'ArrowDown',
  left: 'ArrowLeft',
  right: 'ArrowRight',
  print: 'PrintScreen',
  sysrq: 'PrintScreen',
  pause: 'Pause',
  break: 'Pause',
  minus: 'Minus',
  equal: 'Equal',
  bracket_left: 'BracketLeft',
  bracket_right: 'BracketRight',
  semicolon: 'Semicolon',
  apostrophe: 'Quote',
  grave_accent: 'Backquote',
  backslash: 'Backslash',
  comma: 'Comma',
  dot: 'Period',
  slash: 'Slash',
  less: 'IntlBackslash',
  asterisk: 'NumpadMultiply',
  kp_multiply: 'NumpadMultiply',
  kp_divide: 'NumpadDivide',
  kp_add: 'NumpadAdd',
  kp_subtract: 'NumpadSubtract',
  kp_enter: 'NumpadEnter',
  kp_decimal: 'NumpadDecimal',
  kp_comma: 'NumpadComma',
  kp_equals: 'NumpadEqual',
  ro: 'IntlRo',
  yen: 'IntlYen',
  henkan: 'Convert',
  muhenkan: 'NonConvert',
  katakanahiragana: 'KanaMode',
  hangeul: 'Lang1',
  hanja: 'Lang2',
  power: 'Power',
  sleep: 'Sleep',
  wake: 'WakeUp',
  audiomute: 'AudioVolumeMute',
  volumedown: 'AudioVolumeDown',
  volumeup: 'AudioVolumeUp',
  audionext: 'MediaTrackNext',
  audioprev: 'MediaTrackPrevious',
  audiostop: 'MediaStop',
  audioplay: 'MediaPlayPause',
};

/** The key (and shift) that gives a character on the US layout, or undefined. */
export function keyForCharacter(character: string): { code: KeyCode; shift: boolean } | undefined {
  if (/^[a-z]$/.test(character)) return { code: `Key${character.toUpperCase()}` as KeyCode, shift: false };
  if (/^[A-Z]$/.test(character)) return { code: `Key${character}` as KeyCode, shift: true };
  if (/^[0-9]$/.test(character)) return { code: `Digit${character}` as KeyCode, shift: false };
  const plain = Object.hasOwn(PLAIN, character) ? PLAIN[character] : undefined;
  if (plain !== undefined) return { code: plain, shift: false };
  const shifted = Object.hasOwn(SHIFTED, character) ? SHIFTED[character] : undefined;
  return shifted === undefined ? undefined : { code: shifted, shift: true };
}

/**
 * The key strokes that type `text` on the US layout. CR LF counts as one Enter.
 * @throws NestboxError kind `usage` naming the first character that the layout does not have
 */
export function textToKeys(text: string): KeyAction[] {
  const actions: KeyAction[] = [];
  let shiftDown = false;
  const setShift = (down: boolean) => {
    if (down === shiftDown) return;
    shiftDown = down;
    actions.push({ code: 'ShiftLeft', down });
  };
  for (const character of text.replaceAll('\r\n', '\n')) {
    const key = keyForCharacter(character);
    if (key === undefined) {
      throw new NestboxError('usage', `The US keyboard has no key for ${JSON.stringify(character)}`, {
        op: 'type text',
      });
    }
    setShift(key.shift);
    actions.push({ code: key.code, down: true }, { code: key.code, down: false });
  }
  setShift(false);
  return actions;
}

/** The key of one name ("ret", "f10", "kp_7", "a", "KeyA"), or undefined. */
export function keyForName(name: string): KeyCode | undefined {
  if (isKeyCode(name)) return name;
  const lower = name.toLowerCase();
  if (Object.hasOwn(NAMES, lower)) return NAMES[lower];
  const functionKey = /^f([1-9]|1[0-9]|2[0-4])$/.exec(lower);
  if (functionKey !== null) return `F${functionKey[1]}` as KeyCode;
  const numpad = /^kp_([0-9])$/.exec(lower);
  if (numpad !== null) return `Numpad${numpad[1]}` as KeyCode;
  if (lower.length !== 1) return undefined;
  const key = keyForCharacter(lower);
  return key === undefined || key.shift ? undefined : key.code;
}

/**
 * Parses a combination such as "ctrl-alt-delete", "shift-f10" or "ret". The keys go down in this order and up in reverse.
 * @throws NestboxError kind `usage` naming the part that is no key
 */
export function parseKeyCombo(combo: string): KeyCode[] {
  // A trailing or lone "-" is the minus key itself: "ctrl--".
  const parts =
    combo === '-' ? ['-'] : combo.endsWith('--') ? [...combo.slice(0, -2).split('-'), '-'] : combo.split('-');
  return parts.map((part) => {
    const code = keyForName(part);
    if (code === undefined) {
      throw new NestboxError('usage', `Unknown key ${JSON.stringify(part)} in ${JSON.stringify(combo)}`, {
        op: 'send keys',
      });
    }
    return code;
  });
}

/** Key strokes of a parsed combination. */
export function comboToKeys(codes: readonly KeyCode[]): KeyAction[] {
  return [...codes.map((code) => ({ code, down: true })), ...codes.toReversed().map((code) => ({ code, down: false }))];
}
