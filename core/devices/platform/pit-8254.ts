// The PC's 8254 interval timer at 40h-43h and system control port B at 61h (speaker gate, refresh toggle, OUT2).
// Counter 0 drives IRQ0; counter 1 (refresh) only counts; counter 2 is gated by port 61h and feeds the speaker.

import { z } from 'zod';
import type { Clock, Timer } from '../../base/clock.ts';
import { type Disposable, DisposableStore } from '../../base/disposable.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { AccessSize, PortBus, PortDevice } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import { PIT_HZ, pitTicksAt, pitTimeOf } from './crystal-ticks.ts';
import { Pit8254Channel, pit8254ChannelSchema } from './pit-8254-channel.ts';
import { flag, listOf } from './state-fields.ts';
import { MAX_OWED_TICKS, MIN_TICK_PERIOD_NS, TickBacklog } from './tick-backlog.ts';

const VERSION = 1;
const CONTROL = 3;
const READ_BACK = 3;
/** Memory refresh of the AT: one request each 15.085 us; the toggle bit changes with each. */
const REFRESH_PERIOD_NS = 15_085;
const PORT_B_WRITABLE = 0x0f;
const PORT_B_GATE2 = 0x01;
const PORT_B_SPEAKER = 0x02;
const PORT_B_REFRESH = 0x10;
const PORT_B_OUT2 = 0x20;

const schema = z.strictObject({
  channels: listOf(pit8254ChannelSchema, 3),
  portB: z.int().min(0).max(PORT_B_WRITABLE),
  lastTick: z
    .int()
    .min(0)
    .max(2 ** 52),
  owedTicks: z.int().min(0).max(MAX_OWED_TICKS),
  irqLevel: flag,
});

/** What the PC speaker does. */
export interface SpeakerState {
  /** True while the speaker follows counter 2: both the gate and the data bit of port 61h are set. */
  readonly sounding: boolean;
  /** Port 61h bit 1: programs that play samples by toggling it or by mode 0 counts need it alone. */
  readonly dataBit: boolean;
  /** Frequency of counter 2's square wave, or 0 while it does not run periodically. */
  readonly frequencyHz: number;
}

export interface Pit8254Options {
  readonly id?: string | undefined;
  readonly clock: Clock;
  readonly irq0: IrqLine;
  /** Called at each change of port 61h or counter 2 that may change the sound. */
  readonly onSpeaker?: ((state: SpeakerState) => void) | undefined;
}

export class Pit8254 implements Device, PortDevice {
  readonly id: string;
  private readonly clock: Clock;
  private readonly irq0: IrqLine;
  private readonly onSpeaker: ((state: SpeakerState) => void) | undefined;
  private readonly channels: readonly [Pit8254Channel, Pit8254Channel, Pit8254Channel];
  private readonly timer: Timer;
  private readonly backlog = new TickBacklog();
  private portB = 0;
  /** Up to here the rises of OUT0 have been delivered. */
  private lastTick = 0;
  private irqLevel = false;

  constructor(options: Pit8254Options) {
    this.id = options.id ?? 'pit';
    this.clock = options.clock;
    this.irq0 = options.irq0;
    this.onSpeaker = options.onSpeaker;
    this.channels = [new Pit8254Channel(true), new Pit8254Channel(true), new Pit8254Channel(false)];
    this.timer = options.clock.createTimer(`${this.id}.irq0`, () => this.deliver());
    this.reset();
  }

  attach(ports: PortBus): Disposable {
    const store = new DisposableStore();
    store.add(ports.register(0x40, 4, this));
    store.add(
      ports.register(0x61, 1, {
        readPort: () => this.readPortB(),
        writePort: (_offset, _size, value) => this.writePortB(value),
      }),
    );
    return store;
  }

  readPort(offset: number, _size: AccessSize): number {
    // The control register cannot be read.
    return offset === CONTROL ? 0xff : this.channel(offset).readByte(this.tick());
  }

  writePort(offset: number, _size: AccessSize, value: number): void {
    const tick = this.tick();
    if (offset === CONTROL) this.writeControl(value, tick);
    else {
      this.flushDue(tick);
      this.channel(offset).writeByte(value, tick);
      this.changed(offset, tick);
    }
  }

  /** What the speaker does now. */
  speaker(): SpeakerState {
    const tick = this.tick();
    const channel = this.channels[2];
    const period = channel.periodTicks(tick);
    return {
      sounding: (this.portB & 3) === (PORT_B_GATE2 | PORT_B_SPEAKER),
      dataBit: (this.portB & PORT_B_SPEAKER) !== 0,
      frequencyHz: period === undefined ? 0 : PIT_HZ / period,
    };
  }

  reset(): void {
    const tick = this.tick();
    for (const channel of this.channels) channel.reset(tick);
    this.portB = 0;
    this.lastTick = tick;
    this.backlog.clear();
    this.driveIrq(this.channels[0].out(tick));
    this.rearm(tick);
    this.onSpeaker?.(this.speaker());
  }

  save(): DeviceState {
    return {
      version: VERSION,
      fields: {
        channels: this.channels.map((channel) => channel.save()),
        portB: this.portB,
        lastTick: this.lastTick,
        owedTicks: this.backlog.owed,
        irqLevel: this.irqLevel,
      },
    };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    fields.channels.forEach((channel, index) => this.channel(index).load(channel));
    this.portB = fields.portB;
    const tick = this.tick();
    this.lastTick = Math.min(fields.lastTick, tick);
    this.backlog.owed = fields.owedTicks;
    this.driveIrq(fields.irqLevel);
    this.rearm(this.lastTick);
    this.onSpeaker?.(this.speaker());
  }

  dispose(): void {
    this.timer.disarm();
  }

  private tick(): number {
    return pitTicksAt(this.clock.nowNs());
  }

  private channel(index: number): Pit8254Channel {
    return this.channels[index as 0 | 1 | 2];
  }

  private writeControl(value: number, tick: number): void {
    const select = value >> 6;
    if (select === READ_BACK) {
      for (let i = 0; i < 3; i++) {
        if ((value & (2 << i)) === 0) continue;
        if ((value & 0x20) === 0) this.channel(i).latchCount(tick);
        if ((value & 0x10) === 0) this.channel(i).latchStatus(tick);
      }
      return;
    }
    if ((value & 0x30) === 0) {
      this.channel(select).latchCount(tick);
      return;
    }
    this.flushDue(tick);
    this.channel(select).setControl(value, tick);
    this.changed(select, tick);
  }

  /** After a write to a channel: OUT may have moved at once, and later edges come at other times. */
  private changed(index: number, tick: number): void {
    if (index === 0) {
      this.backlog.clear();
      this.driveIrq(this.channels[0].out(tick));
      this.rearm(tick);
    } else if (index === 2) this.onSpeaker?.(this.speaker());
  }

  private readPortB(): number {
    const now = this.clock.nowNs();
    const refresh = Math.floor(now / REFRESH_PERIOD_NS) % 2 === 0 ? 0 : PORT_B_REFRESH;
    const out2 = this.channels[2].out(pitTicksAt(now)) ? PORT_B_OUT2 : 0;
    return this.portB | refresh | out2;
  }

  private writePortB(value: number): void {
    this.portB = value & PORT_B_WRITABLE;
    this.channels[2].setGate((value & PORT_B_GATE2) !== 0, this.tick());
    this.onSpeaker?.(this.speaker());
  }

  /** Delivers an edge that came due before the guest changes the counter. */
  private flushDue(tick: number): void {
    const rises = this.channels[0].countRises(this.lastTick, tick);
    this.lastTick = tick;
    if (rises > 0) this.pulse();
  }

  private deliver(): void {
    const tick = this.tick();
    const channel = this.channels[0];
    const rises = channel.countRises(this.lastTick, tick);
    this.lastTick = tick;
    if (rises > 0) {
      const period = channel.periodTicks(tick);
      // Ticks beyond the highest rate that is allowed are not owed: the guest asked for more than it may have.
      if (period !== undefined && pitTimeOf(period) >= MIN_TICK_PERIOD_NS) this.backlog.add(rises - 1);
      this.pulse();
    } else if (this.backlog.owed > 0) {
      this.backlog.owed--;
      this.pulse();
    }
    this.rearm(tick);
  }

  private pulse(): void {
    // One short low phase per period is all that an edge-triggered controller can tell apart.
    this.driveIrq(false);
    this.driveIrq(true);
  }

  private driveIrq(level: boolean): void {
    this.irqLevel = level;
    this.irq0.set(level);
  }

  private rearm(tick: number): void {
    const channel = this.channels[0];
    const next = channel.nextEvent(tick);
    if (next === undefined) {
      this.timer.disarm();
      return;
    }
    const period = channel.periodTicks(tick);
    const natural = pitTimeOf(next);
    const now = this.clock.nowNs();
    if (period === undefined) this.timer.arm(natural);
    else this.timer.arm(Math.max(this.backlog.nextDeadline(now, natural, pitTimeOf(period)), now));
  }
}
