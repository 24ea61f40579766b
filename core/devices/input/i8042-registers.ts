// Bits of the 8042's status register, command byte (mode) and ports.

export const STATUS_OUTPUT_FULL = 0x01;
export const STATUS_SYSTEM = 0x04;
export const STATUS_COMMAND = 0x08;
export const STATUS_UNLOCKED = 0x10;
export const STATUS_AUX_DATA = 0x20;

export const MODE_KEYBOARD_IRQ = 0x01;
export const MODE_MOUSE_IRQ = 0x02;
export const MODE_SYSTEM = 0x04;
export const MODE_KEYBOARD_OFF = 0x10;
export const MODE_MOUSE_OFF = 0x20;
export const MODE_TRANSLATE = 0x40;
export const MODE_DEFAULT = MODE_KEYBOARD_IRQ | MODE_MOUSE_IRQ;

export const OUTPUT_NO_RESET = 0x01;
export const OUTPUT_A20 = 0x02;
export const OUTPUT_ONES = 0xcc;
export const INPUT_PORT = 0x80;
export const RELEASE = 0xf0;
