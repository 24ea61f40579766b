// Registers and bits of the MC146818 real-time clock.

export const SECONDS = 0x00;
export const SECONDS_ALARM = 0x01;
export const MINUTES = 0x02;
export const MINUTES_ALARM = 0x03;
export const HOURS = 0x04;
export const HOURS_ALARM = 0x05;
export const DAY_OF_WEEK = 0x06;
export const DAY = 0x07;
export const MONTH = 0x08;
export const YEAR = 0x09;
export const REGISTER_A = 0x0a;
export const REGISTER_B = 0x0b;
export const REGISTER_C = 0x0c;
export const REGISTER_D = 0x0d;
export const CENTURY = 0x32;

export const A_UPDATE_IN_PROGRESS = 0x80;
export const A_RATE = 0x0f;

export const B_SET = 0x80;
export const B_PERIODIC = 0x40;
export const B_ALARM = 0x20;
export const B_UPDATE = 0x10;
export const B_SQUARE_WAVE = 0x08;
export const B_BINARY = 0x04;
export const B_24_HOURS = 0x02;

export const C_IRQ = 0x80;
/** Flags of register C sit where register B enables them. */
export const C_PERIODIC = B_PERIODIC;
export const C_ALARM = B_ALARM;
export const C_UPDATE = B_UPDATE;
export const C_FLAGS = C_PERIODIC | C_ALARM | C_UPDATE;

export const D_VALID = 0x80;
