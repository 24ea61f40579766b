// A PS/2 mouse: standard (id 0), IntelliMouse with wheel (id 3) and IntelliMouse Explorer with five buttons (id 4), the
// latter two after their sample rate sequences. IBM PS/2 Technical Reference, mouse section.
// Resolution is kept and reported, but motion is passed on unscaled: the host already scaled it.

import { z } from 'zod';
import type { Clock, Timer } from '../../base/clock.ts';
import { bytesUpTo, deadlineNs, flag, timeNs, u8 } from '../platform/state-fields.ts';
import { ByteQueue } from './byte-queue.ts';

const ACK = 0xfa;
const NAK = 0xfe;
const SELF_TEST_PASSED = 0xaa;
const SELF_TEST_NS = 5_000_000;
const DEFAULT_RATE = 100;
const DEFAULT_RESOLUTION = 2;
const REPLY_BYTES = 8;
const PACKET_BYTES = 4;
/** Button changes that wait for their packet; motion in between is merged. */
const MAX_REPORTS = 32;
const MAX_MOTION = 0x7fff;

const reportSchema = z.strictObject({
  buttons: z.int().min(0).max(31),
  dx: z.int().min(-MAX_MOTION).max(MAX_MOTION),
  dy: z.int().min(-MAX_MOTION).max(MAX_MOTION),
  dz: z.int().min(-MAX_MOTION).max(MAX_MOTION),
});

export const ps2MouseSchema = z.strictObject({
  replies: bytesUpTo(REPLY_BYTES),
  packet: bytesUpTo(PACKET_BYTES),
  reports: z.array(reportSchema).max(MAX_REPORTS),
  buttons: z.int().min(0).max(31),
  deviceId: z.union([z.literal(0), z.literal(3), z.literal(4)]),
  reporting: flag,
  remote: flag,
  wrap: flag,
  doubleScale: flag,
  resolution: z.int().min(0).max(3),
  sampleRate: u8,
  rateHistory: z.array(u8).length(2),
  pendingCommand: u8,
  lastSent: u8,
  nextSampleNs: timeNs,
  sampleDeadline: deadlineNs,
  selfTestDeadline: deadlineNs,
});
export type Ps2MouseState = z.infer<typeof ps2MouseSchema>;

interface Report {
  buttons: number;
  dx: number;
  dy: number;
  dz: number;
}

export interface Ps2MouseOptions {
  readonly name: string;
  readonly clock: Clock;
  /** The mouse has bytes to send. */
  readonly onData: () => void;
}

export class Ps2Mouse {
  private readonly clock: Clock;
  private readonly onData: () => void;
  private readonly sampleTimer: Timer;
  private readonly selfTestTimer: Timer;
  private readonly replies = new ByteQueue(REPLY_BYTES);
  /** The motion packet that is being sent: at most one, so that motion never lags behind. */
  private readonly packet = new ByteQueue(PACKET_BYTES);
  private reports: Report[] = [];
  private buttons = 0;
  private deviceId: 0 | 3 | 4 = 0;
  private reporting = false;
  private remote = false;
  private wrap = false;
  private doubleScale = false;
  private resolution = DEFAULT_RESOLUTION;
  private sampleRate = DEFAULT_RATE;
  /** The last two sample rates before the present one: sequences of three switch the device id. */
  private rateHistory: [number, number] = [0, 0];
  private pendingCommand = 0;
  private lastSent = 0;
  private nextSampleNs = 0;

  constructor(options: Ps2MouseOptions) {
    this.clock = options.clock;
    this.onData = options.onData;
    this.sampleTimer = options.clock.createTimer(`${options.name}.sample`, () => this.sample());
    this.selfTestTimer = options.clock.createTimer(`${options.name}.self-test`, () => this.reply(SELF_TEST_PASSED, 0));
  }

  /** Motion in counts; positive dx = right, dy = down, dz = wheel towards the user. */
  move(dx: number, dy: number, dz: number): void {
    if (!Number.isFinite(dx + dy + dz)) return;
    const last = this.reports.at(-1) ?? this.pushReport();
    last.dx = clamp(last.dx + Math.round(dx), MAX_MOTION);
    last.dy = clamp(last.dy - Math.round(dy), MAX_MOTION);
    last.dz = clamp(last.dz + Math.round(dz), MAX_MOTION);
    this.sample();
  }

  /** A packet without motion: another pointer has something for the guest's driver. */
  nudge(): void {
    if (this.reports.length === 0) this.pushReport();
    this.sample();
  }

  /** Buttons that are down: bit 0 left, 1 right, 2 middle, 3 and 4 the side buttons. */
  setButtons(mask: number): void {
    const buttons = mask & 31;
    if (buttons === this.buttons) return;
    this.buttons = buttons;
    // A press and a release between two samples are two reports, so that no click is lost.
    if (this.reports.length < MAX_REPORTS) this.pushReport();
    else (this.reports.at(-1) ?? this.pushReport()).buttons = buttons;
    this.sample();
  }

  get hasData(): boolean {
    return this.replies.length > 0 || this.packet.length > 0;
  }

  take(): number {
    this.lastSent = this.replies.length > 0 ? this.replies.shift() : this.packet.shift();
    // By timer and not at once: the controller is in the middle of taking this byte.
    if (this.packet.length === 0 && this.reports.length > 0) {
      this.sampleTimer.arm(Math.max(this.nextSampleNs, this.clock.nowNs()));
    }
    return this.lastSent;
  }

  /** A byte from the controller. */
  receive(value: number): void {
    this.selfTestTimer.disarm();
    this.replies.clear();
    if (this.wrap && value !== 0xec && value !== 0xff) {
      this.reply(value);
      return;
    }
    // A command ends the packet that is being sent.
    this.packet.clear();
    const command = this.pendingCommand;
    this.pendingCommand = 0;
    if (command === 0xe8) this.setResolution(value);
    else if (command === 0xf3) this.setSampleRate(value);
    else this.receiveCommand(value);
  }

  reset(): void {
    this.selfTestTimer.disarm();
    this.replies.clear();
    this.packet.clear();
    this.reports = [];
    this.buttons = 0;
    this.lastSent = 0;
    this.pendingCommand = 0;
    this.nextSampleNs = 0;
    this.setDefaults();
    this.deviceId = 0;
  }

  save(): Ps2MouseState {
    return {
      replies: this.replies.toBytes(),
      packet: this.packet.toBytes(),
      reports: this.reports.map((report) => ({ ...report })),
      buttons: this.buttons,
      deviceId: this.deviceId,
      reporting: this.reporting,
      remote: this.remote,
      wrap: this.wrap,
      doubleScale: this.doubleScale,
      resolution: this.resolution,
      sampleRate: this.sampleRate,
      rateHistory: [...this.rateHistory],
      pendingCommand: this.pendingCommand,
      lastSent: this.lastSent,
      nextSampleNs: this.nextSampleNs,
      sampleDeadline: this.sampleTimer.deadlineNs ?? null,
      selfTestDeadline: this.selfTestTimer.deadlineNs ?? null,
    };
  }

  load(state: Ps2MouseState): void {
    this.replies.setBytes(state.replies);
    this.packet.setBytes(state.packet);
    this.reports = state.reports.map((report) => ({ ...report }));
    this.buttons = state.buttons;
    this.deviceId = state.deviceId;
    this.reporting = state.reporting;
    this.remote = state.remote;
    this.wrap = state.wrap;
    this.doubleScale = state.doubleScale;
    this.resolution = state.resolution;
    this.sampleRate = state.sampleRate;
    this.rateHistory = [state.rateHistory[0] ?? 0, state.rateHistory[1] ?? 0];
    this.pendingCommand = state.pendingCommand;
    this.lastSent = state.lastSent;
    this.nextSampleNs = state.nextSampleNs;
    rearm(this.sampleTimer, state.sampleDeadline);
    rearm(this.selfTestTimer, state.selfTestDeadline);
  }

  dispose(): void {
    this.sampleTimer.disarm();
    this.selfTestTimer.disarm();
  }

  private pushReport(): Report {
    const report = { buttons: this.buttons, dx: 0, dy: 0, dz: 0 };
    this.reports.push(report);
    return report;
  }

  private reply(...values: number[]): void {
    for (const value of values) this.replies.push(value);
    this.onData();
  }

  private setDefaults(): void {
    this.reporting = false;
    this.remote = false;
    this.wrap = false;
    this.doubleScale = false;
    this.resolution = DEFAULT_RESOLUTION;
    this.sampleRate = DEFAULT_RATE;
    this.rateHistory = [0, 0];
    this.sampleTimer.disarm();
  }

  private setResolution(value: number): void {
    if (value > 3) {
      this.reply(NAK);
      return;
    }
    this.resolution = value;
    this.reply(ACK);
  }

  private setSampleRate(value: number): void {
    const [first, second] = this.rateHistory;
    this.rateHistory = [second, value];
    this.sampleRate = value;
    if (first === 200 && second === 100 && value === 80) this.deviceId = 3;
    else if (first === 200 && second === 200 && value === 80) this.deviceId = 4;
    this.reply(ACK);
  }

  private receiveCommand(value: number): void {
    switch (value) {
      case 0xe6:
      case 0xe7:
        this.doubleScale = value === 0xe7;
        break;
      case 0xe8:
      case 0xf3:
        this.pendingCommand = value;
        break;
      case 0xe9:
        this.reply(ACK, this.statusByte(), this.resolution, this.sampleRate);
        return;
      case 0xea:
        this.remote = false;
        break;
      case 0xeb:
        this.replyWithPacket();
        return;
      case 0xec:
        this.wrap = false;
        break;
      case 0xee:
        this.wrap = true;
        break;
      case 0xf0:
        this.remote = true;
        break;
      case 0xf2:
        this.reply(ACK, this.deviceId);
        return;
      case 0xf4:
        this.reporting = true;
        this.reports = [];
        break;
      case 0xf5:
        this.reporting = false;
        this.sampleTimer.disarm();
        break;
      case 0xf6:
        this.setDefaults();
        break;
      case 0xfe:
        this.reply(this.lastSent);
        return;
      case 0xff:
        this.reset();
        this.reply(ACK);
        this.selfTestTimer.arm(this.clock.nowNs() + SELF_TEST_NS);
        return;
      default:
        this.reply(NAK);
        return;
    }
    this.reply(ACK);
  }

  private statusByte(): number {
    const buttons = ((this.buttons & 1) << 2) | ((this.buttons & 2) >> 1) | ((this.buttons & 4) >> 1);
    return (this.remote ? 0x40 : 0) | (this.reporting ? 0x20 : 0) | (this.doubleScale ? 0x10 : 0) | buttons;
  }

  private replyWithPacket(): void {
    this.buildPacket();
    this.replies.push(ACK);
    while (this.packet.length > 0) this.replies.push(this.packet.shift());
    this.onData();
  }

  /** Sends the next packet when there is something to tell, the last one is gone and its sample time has come. */
  private sample(): void {
    if (!this.reporting || this.remote) {
      // Nobody listens: motion is forgotten, as a mouse that is off forgets it; remote mode keeps counting.
      if (!this.remote) this.reports = [];
      return;
    }
    if (this.packet.length > 0 || this.reports.length === 0) return;
    const now = this.clock.nowNs();
    if (now < this.nextSampleNs) {
      this.sampleTimer.arm(this.nextSampleNs);
      return;
    }
    this.nextSampleNs = now + Math.floor(1e9 / Math.max(10, this.sampleRate));
    this.buildPacket();
    this.onData();
  }

  private buildPacket(): void {
    const report = this.reports[0] ?? { buttons: this.buttons, dx: 0, dy: 0, dz: 0 };
    const dx = clamp(report.dx, 255);
    const dy = clamp(report.dy, 255);
    const dz = this.deviceId === 0 ? 0 : this.deviceId === 3 ? clamp(report.dz, 127) : clamp(report.dz, 7);
    report.dx -= dx;
    report.dy -= dy;
    report.dz = this.deviceId === 0 ? 0 : report.dz - dz;
    if (report.dx === 0 && report.dy === 0 && report.dz === 0) this.reports.shift();
    const x = this.scale(dx);
    const y = this.scale(dy);
    this.packet.clear();
    this.packet.push(0x08 | (report.buttons & 7) | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0));
    this.packet.push(x & 0xff);
    this.packet.push(y & 0xff);
    if (this.deviceId === 3) this.packet.push(dz & 0xff);
    else if (this.deviceId === 4) this.packet.push((dz & 0x0f) | ((report.buttons & 0x18) << 1));
  }

  /** 2:1 scaling applies in stream mode only. */
  private scale(value: number): number {
    if (!this.doubleScale || this.remote) return value;
    const size = Math.abs(value);
    const scaled = size > 5 ? Math.min(size * 2, 255) : ([0, 1, 1, 3, 6, 9][size] ?? 0);
    return value < 0 ? -scaled : scaled;
  }
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}

function rearm(timer: Timer, deadline: number | null): void {
  if (deadline === null) timer.disarm();
  else timer.arm(deadline);
}
