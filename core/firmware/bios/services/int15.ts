// INT 15h: system services. Memory size and map, block move, waits, A20, configuration. Not offered: APM (53h answers "not
// present"), EISA (D8h), the protected-mode switch 89h.

import type { BiosContext } from '../context.ts';
import { BDA, EBDA } from '../data-area.ts';
import type { Frame } from '../frame.ts';
import { linear } from '../guest-memory.ts';
import type { Mouse } from '../input/mouse.ts';
import { ACTION_DONE, ACTION_HALT, ACTION_PENDING, CALL_USER } from '../rom/trap.ts';

const UNSUPPORTED = 0x86;
const SMAP = 0x534d4150;
const KIB = 1024;
const MIB = 1024 * KIB;
const FOUR_GIB = 0x1_0000_0000;
const A20_PORT = 0x92;
const MAX_BLOCK_BYTES = 0x10000;
const NS_PER_US = 1000;
/** Waits below one periodic interrupt are spun. */
const SHORT_WAIT_NS = 1_000_000;

/** RTC registers of the periodic interrupt that times event waits. */
const RTC_B = 0x0b;
const RTC_C = 0x0c;
const PERIODIC = 0x40;
const ALARM = 0x20;
/** The RTC's periodic interrupt comes 1024 times a second. */
const PERIODIC_US = 976;

export class SystemServices {
  private readonly bios: BiosContext;
  private readonly mouse: Mouse;

  constructor(bios: BiosContext, mouse: Mouse) {
    this.bios = bios;
    this.mouse = mouse;
  }

  handle(frame: Frame): number {
    switch (frame.ah) {
      case 0x24:
        return this.a20(frame);
      case 0x4f:
      case 0x52:
        // Keyboard intercept: the scan code goes on as it is (CF stays as the caller set it).
        return ACTION_DONE;
      case 0x80:
      case 0x81:
      case 0x82:
      case 0x85:
      case 0x90:
      case 0x91:
        return this.ok(frame, 0);
      case 0x83:
        return this.eventWait(frame);
      case 0x84:
        return this.joystick(frame);
      case 0x86:
        return this.wait(frame);
      case 0x87:
        return this.blockMove(frame);
      case 0x88:
        frame.ax = Math.min(this.extendedKib(), 0xffff);
        // Old programs overflow when it is the full 64 MiB.
        if (frame.ax > 0xfc00) frame.ax = 0xfc00;
        frame.carry = false;
        return ACTION_DONE;
      case 0xc0: {
        frame.es = 0xf000;
        frame.bx = this.bios.romSymbol('config_table');
        return this.ok(frame, 0);
      }
      case 0xc1:
        frame.es = EBDA.SEGMENT;
        frame.carry = false;
        return ACTION_DONE;
      case 0xc2:
        return this.mouse.handle(frame);
      case 0xe8:
        return this.memorySize(frame);
      default:
        if (frame.ah !== 0x53) this.bios.log.log('debug', 'unknown system service', { ax: frame.ax });
        return this.unsupported(frame);
    }
  }

  private ok(frame: Frame, status: number): number {
    frame.ah = status;
    frame.carry = false;
    return ACTION_DONE;
  }

  private unsupported(frame: Frame): number {
    frame.ah = UNSUPPORTED;
    frame.carry = true;
    return ACTION_DONE;
  }

  private extendedKib(): number {
    const tablesStart =
      this.bios.memoryMap.find((entry) => entry.base >= MIB && entry.base < FOUR_GIB && entry.type !== 1)?.base ??
      FOUR_GIB;
    const end = Math.min(this.bios.options.lowRamBytes, tablesStart);
    return Math.max(0, Math.floor((end - MIB) / KIB));
  }

  private a20(frame: Frame): number {
    const { ports } = this.bios;
    const value = ports.read(A20_PORT, 1);
    switch (frame.al) {
      case 0x00:
      case 0x01:
        // Bit 0 would reset the machine.
        ports.write(A20_PORT, 1, frame.al === 1 ? (value | 2) & 0xfe : value & 0xfc);
        return this.ok(frame, 0);
      case 0x02:
        frame.al = (value >> 1) & 1;
        return this.ok(frame, 0);
      case 0x03:
        // Keyboard controller and port 92h.
        frame.bx = 3;
        return this.ok(frame, 0);
      default:
        return this.unsupported(frame);
    }
  }

  /** 83h: sets bit 7 of the byte at ES:BX after CX:DX microseconds, timed by the RTC. */
  private eventWait(frame: Frame): number {
    const { mem } = this.bios;
    if (frame.al === 1) {
      mem.write8(BDA.WAIT_ACTIVE, 0);
      this.setPeriodic(false);
      return this.ok(frame, 0);
    }
    if (frame.al !== 0) return this.unsupported(frame);
    if ((mem.read8(BDA.WAIT_ACTIVE) & 1) !== 0) {
      frame.carry = true;
      return ACTION_DONE;
    }
    mem.write16(BDA.WAIT_FLAG_POINTER, frame.bx);
    mem.write16(BDA.WAIT_FLAG_POINTER + 2, frame.es);
    mem.write32(BDA.WAIT_COUNT, frame.cx * 0x10000 + frame.dx);
    mem.write8(BDA.WAIT_ACTIVE, 1);
    this.setPeriodic(true);
    return this.ok(frame, 0);
  }

  private readRtc(index: number): number {
    this.bios.ports.write(0x70, 1, index);
    return this.bios.ports.read(0x71, 1);
  }

  private setPeriodic(on: boolean): void {
    const value = this.readRtc(RTC_B);
    this.bios.ports.write(0x70, 1, RTC_B);
    this.bios.ports.write(0x71, 1, on ? value | PERIODIC : value & ~PERIODIC);
  }

  /** IRQ8. @returns CALL_USER when the alarm handler (INT 4Ah) is to be called */
  clockInterrupt(): number {
    const { mem } = this.bios;
    const cause = this.readRtc(RTC_C);
    const enabled = this.readRtc(RTC_B);
    if ((cause & enabled & PERIODIC) !== 0 && (mem.read8(BDA.WAIT_ACTIVE) & 1) !== 0) {
      const left = mem.read32(BDA.WAIT_COUNT);
      if (left > PERIODIC_US) mem.write32(BDA.WAIT_COUNT, left - PERIODIC_US);
      else {
        mem.write32(BDA.WAIT_COUNT, 0);
        mem.write8(BDA.WAIT_ACTIVE, 0);
        this.setPeriodic(false);
        const flag = linear(mem.read16(BDA.WAIT_FLAG_POINTER + 2), mem.read16(BDA.WAIT_FLAG_POINTER));
        mem.write8(flag, mem.read8(flag) | 0x80);
      }
    }
    return (cause & enabled & ALARM) !== 0 ? CALL_USER : ACTION_DONE;
  }

  /** 86h: waits CX:DX microseconds of virtual time, halted between the clock chip's periodic interrupts where they come. */
  private wait(frame: Frame): number {
    const { clock, operations, ports } = this.bios;
    const lengthNs = (frame.cx * 0x10000 + frame.dx) * NS_PER_US;
    const until = clock.nowNs() + lengthNs;
    const masked = (ports.read(0x21, 1) & 0x04) !== 0 || (ports.read(0xa1, 1) & 0x01) !== 0;
    const halts = lengthNs >= SHORT_WAIT_NS && !masked;
    if (halts) this.setPeriodic(true);
    const finish = (later: Frame): number => {
      if (halts && (this.bios.mem.read8(BDA.WAIT_ACTIVE) & 1) === 0) this.setPeriodic(false);
      later.ah = 0;
      later.carry = false;
      return ACTION_DONE;
    };
    const waiting = (): number => (halts ? ACTION_HALT : ACTION_PENDING);
    return operations.poll(
      frame,
      () => clock.nowNs() >= until,
      finish,
      () => this.unsupported(frame),
      waiting,
    );
  }

  private joystick(frame: Frame): number {
    if (frame.dx > 1) return this.unsupported(frame);
    frame.ax = frame.dx === 0 ? 0xf0 : 0;
    if (frame.dx === 1) {
      frame.bx = 0;
      frame.cx = 0;
      frame.dx = 0;
    }
    frame.carry = false;
    return ACTION_DONE;
  }

  /** 87h: copies CX words between the physical addresses of two descriptors in the caller's GDT at ES:SI. */
  private blockMove(frame: Frame): number {
    const { mem } = this.bios;
    const table = linear(frame.es, frame.si);
    const base = (at: number): number =>
      mem.read16(at + 2) + mem.read8(at + 4) * 0x10000 + mem.read8(at + 7) * 0x100_0000;
    const bytes = frame.cx * 2;
    if (bytes > MAX_BLOCK_BYTES) {
      frame.ah = 2;
      frame.carry = true;
      return ACTION_DONE;
    }
    const data = new Uint8Array(bytes);
    this.readPhysical(base(table + 0x10), data);
    this.writePhysical(base(table + 0x18), data);
    frame.zero = true;
    return this.ok(frame, 0);
  }

  /** The first MiB goes by the CPU (video memory, ROM), the rest is RAM. */
  private readPhysical(address: number, target: Uint8Array): void {
    if (address + target.length <= MIB) this.bios.mem.read(address, target);
    else this.bios.physical.read(address, target);
  }

  private writePhysical(address: number, source: Uint8Array): void {
    if (address + source.length <= MIB) this.bios.mem.write(address, source);
    else this.bios.physical.write(address, source);
  }

  private memorySize(frame: Frame): number {
    switch (frame.al) {
      case 0x01:
      case 0x81: {
        const kib = this.extendedKib();
        const below16 = Math.min(kib, 15 * KIB);
        const above16 = Math.min(Math.max(0, Math.floor((kib - 15 * KIB) / 64)), 0xffff);
        if (frame.al === 0x01) {
          frame.ax = below16;
          frame.bx = above16;
          frame.cx = below16;
          frame.dx = above16;
        } else {
          frame.eax = below16;
          frame.ebx = above16;
          frame.ecx = below16;
          frame.edx = above16;
        }
        frame.carry = false;
        return ACTION_DONE;
      }
      case 0x20:
        return this.memoryMap(frame);
      default:
        return this.unsupported(frame);
    }
  }

  /** E820h: one entry of the map a call; EBX goes through it. */
  private memoryMap(frame: Frame): number {
    const entry = this.bios.memoryMap[frame.ebx];
    if (frame.edx !== SMAP || entry === undefined || frame.ecx < 20) return this.unsupported(frame);
    const bytes = new Uint8Array(frame.ecx >= 24 ? 24 : 20);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, entry.base % FOUR_GIB, true);
    view.setUint32(4, Math.floor(entry.base / FOUR_GIB), true);
    view.setUint32(8, entry.length % FOUR_GIB, true);
    view.setUint32(12, Math.floor(entry.length / FOUR_GIB), true);
    view.setUint32(16, entry.type, true);
    // ACPI 3.0 extended attributes: the range is enabled.
    if (bytes.length === 24) view.setUint32(20, 1, true);
    this.bios.mem.write(linear(frame.es, frame.di), bytes);
    frame.eax = SMAP;
    frame.ecx = bytes.length;
    frame.ebx = frame.ebx + 1 < this.bios.memoryMap.length ? frame.ebx + 1 : 0;
    frame.carry = false;
    return ACTION_DONE;
  }
}
