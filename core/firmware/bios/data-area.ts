// Addresses in the BIOS data area (segment 40h) and in the extended one, as IBM's Technical Reference lays them out.

import { EBDA_BASE } from '../loaders/memory-map.ts';

export const BDA = {
  COM_PORTS: 0x400,
  LPT_PORTS: 0x408,
  EBDA_SEGMENT: 0x40e,
  EQUIPMENT: 0x410,
  MEMORY_KIB: 0x413,
  KEY_SHIFT: 0x417,
  KEY_SHIFT2: 0x418,
  ALT_INPUT: 0x419,
  KEY_HEAD: 0x41a,
  KEY_TAIL: 0x41c,
  KEY_BUFFER: 0x41e,
  FLOPPY_CALIBRATED: 0x43e,
  FLOPPY_MOTOR: 0x43f,
  FLOPPY_MOTOR_COUNT: 0x440,
  FLOPPY_STATUS: 0x441,
  VIDEO_MODE: 0x449,
  VIDEO_COLUMNS: 0x44a,
  VIDEO_PAGE_BYTES: 0x44c,
  VIDEO_PAGE_START: 0x44e,
  CURSOR_POSITIONS: 0x450,
  CURSOR_SHAPE: 0x460,
  VIDEO_PAGE: 0x462,
  CRTC_PORT: 0x463,
  VIDEO_MSR: 0x465,
  VIDEO_PALETTE: 0x466,
  RESUME_VECTOR: 0x467,
  LAST_INTERRUPT: 0x46b,
  TICKS: 0x46c,
  MIDNIGHT: 0x470,
  BREAK_FLAG: 0x471,
  RESET_FLAG: 0x472,
  DISK_STATUS: 0x474,
  DISK_COUNT: 0x475,
  LPT_TIMEOUTS: 0x478,
  COM_TIMEOUTS: 0x47c,
  KEY_START: 0x480,
  KEY_END: 0x482,
  VIDEO_ROWS: 0x484,
  CHARACTER_HEIGHT: 0x485,
  VIDEO_CONTROL: 0x487,
  VIDEO_SWITCHES: 0x488,
  MODE_SET_CONTROL: 0x489,
  DISPLAY_COMBINATION: 0x48a,
  DISK_INTERRUPT: 0x48e,
  FLOPPY_DRIVES: 0x48f,
  FLOPPY_MEDIA: 0x490,
  KEY_MODE: 0x496,
  KEY_LEDS: 0x497,
  WAIT_FLAG_POINTER: 0x498,
  WAIT_COUNT: 0x49c,
  WAIT_ACTIVE: 0x4a0,
  VIDEO_SAVE_POINTER: 0x4a8,
  PRINT_SCREEN_STATUS: 0x500,
} as const;

/** Extended BIOS data area, 1 KiB at the top of base memory. */
export const EBDA = {
  BASE: EBDA_BASE,
  SEGMENT: EBDA_BASE >> 4,
  KIB: 1,
  /** Far pointer of the pointing device's user handler. */
  MOUSE_HANDLER: EBDA_BASE + 0x22,
  /** Bytes of the present packet. */
  MOUSE_INDEX: EBDA_BASE + 0x26,
  /** Bit 7: a handler is installed; low bits: packet size - 1. */
  MOUSE_FLAGS: EBDA_BASE + 0x27,
  MOUSE_PACKET: EBDA_BASE + 0x28,
  /** Fixed disk parameter tables of drives 80h and 81h. */
  DISK_TABLES: EBDA_BASE + 0x3d,
  /** Our own: VBE mode that is set, 0 when none. */
  VBE_MODE: EBDA_BASE + 0x80,
  /** Physical address of the linear frame buffer, found in POST. */
  LFB_ADDRESS: EBDA_BASE + 0x84,
  /** From here on tables of the platform may be placed. */
  TABLES: EBDA_BASE + 0x100,
  END: EBDA_BASE + 0x400,
} as const;
