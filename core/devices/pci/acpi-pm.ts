// ACPI fixed hardware: power management event, control, timer and general-purpose event registers, and the SCI.
// Follows ACPI 1.0b section 4.7. Not emulated: system management interrupts, sleep states other than soft off.

import { z } from 'zod';
import type { Clock, Timer } from '../../base/clock.ts';
import type { IrqLine } from '../../bus/irq.ts';
import { acpiTicksAt, acpiTimeOf } from '../platform/crystal-ticks.ts';
import { timeNs, u16 } from '../platform/state-fields.ts';
import * as A from './acpi-pm-registers.ts';

export const acpiPmSchema = z.strictObject({
  pm1Status: u16,
  pm1Enable: u16,
  pm1Control: u16,
  gpeStatus: u16,
  gpeEnable: u16,
  /** Timer ticks up to which TMR_STS is settled. */
  timerSeenTick: timeNs,
});
export type AcpiPmState = z.infer<typeof acpiPmSchema>;

/** TMR_STS is set each time bit 23 of the timer changes. */
const TIMER_MSB_TICKS = 1 << 23;
const TIMER_MASK = 0xffffff;
const SLP_TYP_SOFT_OFF = 0;

export interface AcpiPmOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly sci: IrqLine;
  /** The guest asked for soft off (S5). */
  readonly onPowerOff: () => void;
  /** The guest asked for another sleep type, which the board's tables do not offer. */
  readonly onUnknownSleep?: ((type: number) => void) | undefined;
}

export class AcpiPm {
  private readonly clock: Clock;
  private readonly sci: IrqLine;
  private readonly onPowerOff: () => void;
  private readonly onUnknownSleep: ((type: number) => void) | undefined;
  private readonly timer: Timer;
  private status = 0;
  private enable = 0;
  private control = 0;
  private gpeStatus = 0;
  private gpeEnable = 0;
  private timerSeenTick = 0;

  constructor(options: AcpiPmOptions) {
    this.clock = options.clock;
    this.sci = options.sci;
    this.onPowerOff = options.onPowerOff;
    this.onUnknownSleep = options.onUnknownSleep;
    this.timer = options.clock.createTimer(`${options.name}.pm-timer`, () => this.update());
    this.reset();
  }

  reset(): void {
    this.status = 0;
    this.enable = 0;
    this.control = 0;
    this.gpeStatus = 0;
    this.gpeEnable = 0;
    this.timerSeenTick = acpiTicksAt(this.clock.nowNs());
    this.update();
  }

  /** ACPI mode on or off, as the firmware does it when the guest writes ACPI_ENABLE or ACPI_DISABLE to SMI_CMD. */
  setSciEnabled(enabled: boolean): void {
    this.control = enabled ? this.control | A.SCI_EN : this.control & ~A.SCI_EN;
    this.update();
  }

  pressPowerButton(): void {
    this.status |= A.PWRBTN_STS;
    this.update();
  }

  /** True when the guest runs in ACPI mode and asked to be told of the power button. */
  get handlesPowerButton(): boolean {
    return (this.control & A.SCI_EN) !== 0 && (this.enable & A.PWRBTN_STS) !== 0;
  }

  /** Sets a bit of the general-purpose event status block (hot plug and the like). */
  raiseGpe(bit: number): void {
    this.gpeStatus |= 1 << (bit & 15);
    this.update();
  }

  readByte(offset: number): number {
    this.settleTimer();
    const shift = (offset & 1) * 8;
    switch (offset & ~1) {
      case A.PM1_STS:
        return (this.status >> shift) & 0xff;
      case A.PM1_EN:
        return (this.enable >> shift) & 0xff;
      case A.PM1_CNT:
        return (this.control >> shift) & 0xff;
      case A.GPE0_STS:
        return (this.gpeStatus >> shift) & 0xff;
      case A.GPE0_EN:
        return (this.gpeEnable >> shift) & 0xff;
      default:
        if (offset >= A.PM_TMR && offset < A.PM_TMR + 4) return (this.readTimer() >> ((offset & 3) * 8)) & 0xff;
        return 0;
    }
  }

  /** The 24-bit timer. Split byte reads are not atomic, as on hardware; read it whole through this. */
  readTimer(): number {
    // Not a bitwise mask: the tick number grows past 32 bits.
    return acpiTicksAt(this.clock.nowNs()) % (TIMER_MASK + 1);
  }

  writeByte(offset: number, value: number): void {
    this.settleTimer();
    const shift = (offset & 1) * 8;
    const bits = value << shift;
    const keep = 0xff00 >> shift;
    switch (offset & ~1) {
      case A.PM1_STS:
        this.status &= ~bits;
        break;
      case A.PM1_EN:
        this.enable = ((this.enable & keep) | bits) & A.EVENT_BITS;
        break;
      case A.PM1_CNT:
        this.writeControl((this.control & keep) | bits, shift === 8);
        break;
      case A.GPE0_STS:
        this.gpeStatus &= ~bits;
        break;
      case A.GPE0_EN:
        this.gpeEnable = (this.gpeEnable & keep) | bits;
        break;
      default:
        return;
    }
    this.update();
  }

  save(): AcpiPmState {
    return {
      pm1Status: this.status,
      pm1Enable: this.enable,
      pm1Control: this.control,
      gpeStatus: this.gpeStatus,
      gpeEnable: this.gpeEnable,
      timerSeenTick: this.timerSeenTick,
    };
  }

  load(state: AcpiPmState): void {
    this.status = state.pm1Status & A.STATUS_BITS;
    this.enable = state.pm1Enable & A.EVENT_BITS;
    this.control = state.pm1Control & (A.SCI_EN | A.BM_RLD | A.SLP_TYP);
    this.gpeStatus = state.gpeStatus;
    this.gpeEnable = state.gpeEnable;
    this.timerSeenTick = Math.min(state.timerSeenTick, acpiTicksAt(this.clock.nowNs()));
    this.driveSci();
    this.armTimer();
  }

  dispose(): void {
    this.timer.disarm();
  }

  private writeControl(value: number, highByte: boolean): void {
    // SLP_EN and GBL_RLS are pulses that read as zero.
    this.control = value & (A.SCI_EN | A.BM_RLD | A.SLP_TYP);
    if (!highByte || (value & A.SLP_EN) === 0) return;
    const type = (value & A.SLP_TYP) >> A.SLP_TYP_SHIFT;
    if (type === SLP_TYP_SOFT_OFF) this.onPowerOff();
    else this.onUnknownSleep?.(type);
  }

  private update(): void {
    this.settleTimer();
    this.driveSci();
    this.armTimer();
  }

  private settleTimer(): void {
    const tick = acpiTicksAt(this.clock.nowNs());
    if (Math.floor(tick / TIMER_MSB_TICKS) !== Math.floor(this.timerSeenTick / TIMER_MSB_TICKS))
      this.status |= A.TMR_STS;
    this.timerSeenTick = tick;
  }

  private driveSci(): void {
    const events = (this.status & this.enable & A.EVENT_BITS) !== 0 || (this.gpeStatus & this.gpeEnable) !== 0;
    this.sci.set(events && (this.control & A.SCI_EN) !== 0);
  }

  /** The timer interrupt needs a wake-up only while it is enabled and not already signalled. */
  private armTimer(): void {
    if ((this.enable & A.TMR_STS) === 0 || (this.status & A.TMR_STS) !== 0) {
      this.timer.disarm();
      return;
    }
    this.timer.arm(acpiTimeOf((Math.floor(this.timerSeenTick / TIMER_MSB_TICKS) + 1) * TIMER_MSB_TICKS));
  }
}
