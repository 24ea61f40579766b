// Command set of the 82077AA floppy controller: codes, numbers of parameter bytes, status bits (datasheet, tables 5-1 to 5-4).

export const CMD_READ_TRACK = 0x02;
export const CMD_SPECIFY = 0x03;
export const CMD_SENSE_DRIVE_STATUS = 0x04;
export const CMD_WRITE_DATA = 0x05;
export const CMD_READ_DATA = 0x06;
export const CMD_RECALIBRATE = 0x07;
export const CMD_SENSE_INTERRUPT = 0x08;
export const CMD_WRITE_DELETED = 0x09;
export const CMD_READ_ID = 0x0a;
export const CMD_READ_DELETED = 0x0c;
export const CMD_FORMAT_TRACK = 0x0d;
export const CMD_DUMPREG = 0x0e;
export const CMD_SEEK = 0x0f;
export const CMD_VERSION = 0x10;
export const CMD_PERPENDICULAR = 0x12;
export const CMD_CONFIGURE = 0x13;
export const CMD_LOCK = 0x14;
export const CMD_VERIFY = 0x16;
export const CMD_PART_ID = 0x18;

/** Command byte modifiers. */
export const MODIFIER_MULTI_TRACK = 0x80;
export const MODIFIER_SKIP = 0x20;
/** LOCK's and relative SEEK's variants use bits 7 and 6. */
export const MODIFIER_LOCK = 0x80;
export const MODIFIER_RELATIVE = 0x80;
export const MODIFIER_DIRECTION_UP = 0x40;

/** Parameter bytes after the command byte. */
const PARAMETERS: Readonly<Record<number, number>> = {
  [CMD_READ_TRACK]: 8,
  [CMD_SPECIFY]: 2,
  [CMD_SENSE_DRIVE_STATUS]: 1,
  [CMD_WRITE_DATA]: 8,
  [CMD_READ_DATA]: 8,
  [CMD_RECALIBRATE]: 1,
  [CMD_SENSE_INTERRUPT]: 0,
  [CMD_WRITE_DELETED]: 8,
  [CMD_READ_ID]: 1,
  [CMD_READ_DELETED]: 8,
  [CMD_FORMAT_TRACK]: 5,
  [CMD_DUMPREG]: 0,
  [CMD_SEEK]: 2,
  [CMD_VERSION]: 0,
  [CMD_PERPENDICULAR]: 1,
  [CMD_CONFIGURE]: 3,
  [CMD_LOCK]: 0,
  [CMD_VERIFY]: 8,
  [CMD_PART_ID]: 0,
};

/** Modifier bits that each command allows; a byte with any other bit set is an invalid command. */
const ALLOWED_MODIFIERS: Readonly<Record<number, number>> = {
  [CMD_READ_TRACK]: 0x60,
  [CMD_WRITE_DATA]: 0xc0,
  [CMD_READ_DATA]: 0xe0,
  [CMD_WRITE_DELETED]: 0xc0,
  [CMD_READ_ID]: 0x40,
  [CMD_READ_DELETED]: 0xe0,
  [CMD_FORMAT_TRACK]: 0x40,
  [CMD_SEEK]: 0xc0,
  [CMD_LOCK]: 0x80,
  [CMD_VERIFY]: 0xe0,
};

/** Parameter bytes of a command byte, or undefined when it is invalid. */
export function parameterCount(command: number): number | undefined {
  const code = command & 0x1f;
  const modifiers = command & 0xe0;
  if (modifiers & ~(ALLOWED_MODIFIERS[code] ?? 0)) return undefined;
  return PARAMETERS[code];
}

/** Status register 0. */
export const ST0_ABNORMAL = 0x40;
export const ST0_INVALID = 0x80;
export const ST0_READY_CHANGED = 0xc0;
export const ST0_SEEK_END = 0x20;
export const ST0_EQUIPMENT_CHECK = 0x10;

/** Status register 1. */
export const ST1_END_OF_CYLINDER = 0x80;
export const ST1_DATA_ERROR = 0x20;
export const ST1_NO_DATA = 0x04;
export const ST1_NOT_WRITABLE = 0x02;
export const ST1_MISSING_ADDRESS = 0x01;

/** Status register 2. */
export const ST2_CONTROL_MARK = 0x40;
export const ST2_DATA_ERROR = 0x20;
export const ST2_WRONG_CYLINDER = 0x10;

/** Status register 3: bits 5 and 3 always read 1. */
export const ST3_FIXED = 0x28;
export const ST3_WRITE_PROTECTED = 0x40;
export const ST3_TRACK_0 = 0x10;
