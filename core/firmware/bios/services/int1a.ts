// INT 1Ah: tick counter, real-time clock (MC146818 through its ports), and the PCI BIOS (pci-bios.ts).

import type { BiosContext } from '../context.ts';
import { BDA } from '../data-area.ts';
import type { Frame } from '../frame.ts';
import { ACTION_DONE } from '../rom/trap.ts';
import type { PciBios } from './pci-bios.ts';

const RTC_SECONDS = 0x00;
const RTC_ALARM_SECONDS = 0x01;
const RTC_MINUTES = 0x02;
const RTC_ALARM_MINUTES = 0x03;
const RTC_HOURS = 0x04;
const RTC_ALARM_HOURS = 0x05;
const RTC_DAY = 0x07;
const RTC_MONTH = 0x08;
const RTC_YEAR = 0x09;
const RTC_A = 0x0a;
const RTC_B = 0x0b;
const RTC_CENTURY = 0x32;
const UPDATE_IN_PROGRESS = 0x80;
const SET = 0x80;
const ALARM_ENABLE = 0x20;
const DAYLIGHT_SAVING = 0x01;
const HOURS_24 = 0x02;
const BINARY = 0x04;
const TICKS_PER_DAY = 0x1800b0;

export class ClockServices {
  private readonly bios: BiosContext;
  private readonly pci: PciBios;

  constructor(bios: BiosContext, pci: PciBios) {
    this.bios = bios;
    this.pci = pci;
  }

  read(index: number): number {
    this.bios.ports.write(0x70, 1, index);
    return this.bios.ports.read(0x71, 1);
  }

  write(index: number, value: number): void {
    this.bios.ports.write(0x70, 1, index);
    this.bios.ports.write(0x71, 1, value);
  }

  /** Ticks since midnight by the RTC, for POST. */
  ticksOfDay(): number {
    const binary = (this.read(RTC_B) & BINARY) !== 0;
    const number = (value: number): number => (binary ? value : (value >> 4) * 10 + (value & 15));
    const seconds =
      number(this.read(RTC_HOURS) & 0x3f) * 3600 + number(this.read(RTC_MINUTES)) * 60 + number(this.read(RTC_SECONDS));
    return Math.min(Math.floor((seconds * TICKS_PER_DAY) / 86_400), TICKS_PER_DAY - 1);
  }

  handle(frame: Frame): number {
    const { mem } = this.bios;
    frame.carry = false;
    switch (frame.ah) {
      case 0x00: {
        const ticks = mem.read32(BDA.TICKS);
        frame.cx = ticks >>> 16;
        frame.dx = ticks & 0xffff;
        frame.al = mem.read8(BDA.MIDNIGHT);
        mem.write8(BDA.MIDNIGHT, 0);
        frame.ah = 0;
        return ACTION_DONE;
      }
      case 0x01:
        mem.write32(BDA.TICKS, frame.cx * 0x10000 + frame.dx);
        mem.write8(BDA.MIDNIGHT, 0);
        frame.ah = 0;
        return ACTION_DONE;
      case 0x02:
        return this.readTime(frame);
      case 0x03:
        return this.setTime(frame);
      case 0x04:
        return this.readDate(frame);
      case 0x05:
        return this.setDate(frame);
      case 0x06:
        return this.setAlarm(frame);
      case 0x07:
        this.write(RTC_B, this.read(RTC_B) & ~ALARM_ENABLE);
        return ACTION_DONE;
      case 0xb1:
        return this.pci.handle(frame);
      default:
        frame.carry = true;
        return ACTION_DONE;
    }
  }

  /** False while the chip updates its registers; the update lasts 2 ms, so callers may simply ask again. */
  private ready(frame: Frame): boolean {
    if ((this.read(RTC_A) & UPDATE_IN_PROGRESS) === 0) return true;
    frame.carry = true;
    return false;
  }

  private readTime(frame: Frame): number {
    if (!this.ready(frame)) return ACTION_DONE;
    frame.ch = this.read(RTC_HOURS);
    frame.cl = this.read(RTC_MINUTES);
    frame.dh = this.read(RTC_SECONDS);
    frame.dl = this.read(RTC_B) & DAYLIGHT_SAVING;
    frame.ah = 0;
    frame.al = frame.ch;
    return ACTION_DONE;
  }

  private setTime(frame: Frame): number {
    const mode = this.read(RTC_B);
    this.write(RTC_B, mode | SET);
    this.write(RTC_SECONDS, frame.dh);
    this.write(RTC_MINUTES, frame.cl);
    this.write(RTC_HOURS, frame.ch);
    this.write(RTC_B, (mode & ~(SET | BINARY | DAYLIGHT_SAVING)) | HOURS_24 | (frame.dl & DAYLIGHT_SAVING));
    frame.ah = 0;
    return ACTION_DONE;
  }

  private readDate(frame: Frame): number {
    if (!this.ready(frame)) return ACTION_DONE;
    frame.ch = this.read(RTC_CENTURY);
    frame.cl = this.read(RTC_YEAR);
    frame.dh = this.read(RTC_MONTH);
    frame.dl = this.read(RTC_DAY);
    frame.ah = 0;
    frame.al = frame.ch;
    return ACTION_DONE;
  }

  private setDate(frame: Frame): number {
    const mode = this.read(RTC_B);
    this.write(RTC_B, mode | SET);
    this.write(RTC_CENTURY, frame.ch);
    this.write(RTC_YEAR, frame.cl);
    this.write(RTC_MONTH, frame.dh);
    this.write(RTC_DAY, frame.dl);
    this.write(RTC_B, mode & ~SET);
    frame.ah = 0;
    return ACTION_DONE;
  }

  private setAlarm(frame: Frame): number {
    const mode = this.read(RTC_B);
    if ((mode & ALARM_ENABLE) !== 0) {
      frame.carry = true;
      return ACTION_DONE;
    }
    this.write(RTC_ALARM_SECONDS, frame.dh);
    this.write(RTC_ALARM_MINUTES, frame.cl);
    this.write(RTC_ALARM_HOURS, frame.ch);
    this.write(RTC_B, mode | ALARM_ENABLE);
    // The alarm comes on IRQ8, which programs leave masked.
    this.bios.ports.write(0xa1, 1, this.bios.ports.read(0xa1, 1) & ~1);
    frame.ah = 0;
    return ACTION_DONE;
  }
}
