// How the MC146818 shows numbers: BCD or binary, 12 or 24 hours; and when its alarm matches.

import { secondsOf, type CivilTime } from './calendar.ts';
import * as M from './rtc-registers.ts';

const DAY_SECONDS = 86_400;

/** Bytes whose two top bits are set match anything in the alarm registers. */
const dontCare = (value: number): boolean => (value & 0xc0) === 0xc0;

export function encodeNumber(value: number, registerB: number): number {
  return (registerB & M.B_BINARY) !== 0 ? value & 0xff : ((Math.floor(value / 10) % 16) << 4) | (value % 10);
}

export function decodeNumber(value: number, registerB: number): number {
  return (registerB & M.B_BINARY) !== 0 ? value : (value >> 4) * 10 + (value & 15);
}

export function encodeHour(hour: number, registerB: number): number {
  if ((registerB & M.B_24_HOURS) !== 0) return encodeNumber(hour, registerB);
  return encodeNumber(hour % 12 === 0 ? 12 : hour % 12, registerB) | (hour >= 12 ? 0x80 : 0);
}

export function decodeHour(value: number, registerB: number): number {
  if ((registerB & M.B_24_HOURS) !== 0) return decodeNumber(value, registerB);
  return (decodeNumber(value & 0x7f, registerB) % 12) + ((value & 0x80) !== 0 ? 12 : 0);
}

/** Writes a time into the clock registers of a CMOS image. */
export function encodeTime(cmos: Uint8Array, time: CivilTime, registerB: number): void {
  cmos[M.SECONDS] = encodeNumber(time.second, registerB);
  cmos[M.MINUTES] = encodeNumber(time.minute, registerB);
  cmos[M.HOURS] = encodeHour(time.hour, registerB);
  cmos[M.DAY_OF_WEEK] = encodeNumber(time.dayOfWeek, registerB);
  cmos[M.DAY] = encodeNumber(time.day, registerB);
  cmos[M.MONTH] = encodeNumber(time.month, registerB);
  cmos[M.YEAR] = encodeNumber(((time.year % 100) + 100) % 100, registerB);
  cmos[M.CENTURY] = encodeNumber(Math.max(0, Math.floor(time.year / 100)), registerB);
}

/** Seconds since 1970 that the clock registers of a CMOS image stand for. Nonsense carries over into the next field. */
export function decodeTime(cmos: Uint8Array, registerB: number): number {
  const number = (index: number) => decodeNumber(cmos[index] ?? 0, registerB);
  const year = number(M.CENTURY) * 100 + number(M.YEAR);
  const hour = decodeHour(cmos[M.HOURS] ?? 0, registerB);
  return secondsOf(year, number(M.MONTH), number(M.DAY), hour, number(M.MINUTES), number(M.SECONDS));
}

/** The first second after `seconds` at which the alarm registers match, or undefined when they match never. */
export function nextAlarm(seconds: number, cmos: Uint8Array, registerB: number): number | undefined {
  const [second = 0, minute = 0, hour = 0] = [cmos[M.SECONDS_ALARM], cmos[M.MINUTES_ALARM], cmos[M.HOURS_ALARM]];
  const secondMatches = (value: number) => dontCare(second) || encodeNumber(value, registerB) === second;
  const minuteMatches = (value: number) => dontCare(minute) || encodeNumber(value, registerB) === minute;
  const hourMatches = (value: number) => dontCare(hour) || encodeHour(value, registerB) === hour;
  const start = seconds + 1;
  const dayStart = Math.floor(start / DAY_SECONDS) * DAY_SECONDS;
  const startOfDay = start - dayStart;
  // Today from the present hour on, then tomorrow up to the same hour.
  for (let h = Math.floor(startOfDay / 3600); h < 48; h++) {
    if (!hourMatches(h % 24)) continue;
    for (let m = 0; m < 60; m++) {
      const base = h * 3600 + m * 60;
      if (base + 59 < startOfDay || !minuteMatches(m)) continue;
      for (let s = Math.max(0, startOfDay - base); s < 60; s++) {
        if (secondMatches(s)) return dayStart + base + s;
      }
    }
  }
  return undefined;
}
