// Operation codes, sense keys and additional sense codes that an ATAPI CD-ROM uses (MMC-3, SPC-2).

export const OP_TEST_UNIT_READY = 0x00;
export const OP_REQUEST_SENSE = 0x03;
export const OP_INQUIRY = 0x12;
export const OP_START_STOP_UNIT = 0x1b;
export const OP_PREVENT_ALLOW = 0x1e;
export const OP_READ_CAPACITY = 0x25;
export const OP_READ_10 = 0x28;
export const OP_SEEK_10 = 0x2b;
export const OP_READ_SUBCHANNEL = 0x42;
export const OP_READ_TOC = 0x43;
export const OP_GET_CONFIGURATION = 0x46;
export const OP_GET_EVENT_STATUS = 0x4a;
export const OP_STOP_PLAY = 0x4e;
export const OP_READ_DISC_INFORMATION = 0x51;
export const OP_READ_TRACK_INFORMATION = 0x52;
export const OP_MODE_SENSE_10 = 0x5a;
export const OP_READ_12 = 0xa8;
export const OP_READ_CD_MSF = 0xb9;
export const OP_SET_CD_SPEED = 0xbb;
export const OP_MECHANISM_STATUS = 0xbd;
export const OP_READ_CD = 0xbe;

/** Sense key, additional sense code and qualifier in one number: 0xKKAAQQ. */
export const SENSE_NONE = 0x000000;
export const SENSE_NO_MEDIUM = 0x023a01;
export const SENSE_NO_MEDIUM_TRAY_OPEN = 0x023a02;
export const SENSE_READ_ERROR = 0x031100;
export const SENSE_INVALID_OPCODE = 0x052000;
export const SENSE_LBA_OUT_OF_RANGE = 0x052100;
export const SENSE_INVALID_FIELD = 0x052400;
export const SENSE_SAVING_NOT_SUPPORTED = 0x053900;
export const SENSE_REMOVAL_PREVENTED = 0x055302;
export const SENSE_ILLEGAL_MODE = 0x056400;
export const SENSE_MEDIUM_CHANGED = 0x062800;

export const CD_SECTOR_BYTES = 2048;
/** Minute, second, frame addresses start two seconds before sector 0. */
export const MSF_OFFSET = 150;
