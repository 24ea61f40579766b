// INT 14h (serial ports, 16550A by its registers) and INT 17h (parallel ports; none is emulated, so it answers "timeout").

import type { BiosContext } from '../context.ts';
import { BDA } from '../data-area.ts';
import type { Frame } from '../frame.ts';
import { ACTION_DONE } from '../rom/trap.ts';

const DATA = 0;
const LINE_CONTROL = 3;
const MODEM_CONTROL = 4;
const LINE_STATUS = 5;
const MODEM_STATUS = 6;
const DIVISOR_LATCH = 0x80;
const DATA_READY = 0x01;
const TRANSMITTER_EMPTY = 0x20;
const TIMED_OUT = 0x80;
/** 115200 divided by 110, 150, 300, 600, 1200, 2400, 4800, 9600 baud. */
const DIVISORS = [1047, 768, 384, 192, 96, 48, 24, 12];
const TIMEOUT_UNIT_NS = 400_000_000;

export class PortServices {
  private readonly bios: BiosContext;

  constructor(bios: BiosContext) {
    this.bios = bios;
  }

  /** INT 14h. */
  serial(frame: Frame): number {
    const { mem, ports } = this.bios;
    const base = frame.dx < 4 ? mem.read16(BDA.COM_PORTS + frame.dx * 2) : 0;
    if (base === 0) {
      frame.ah = TIMED_OUT;
      return ACTION_DONE;
    }
    const deadline = this.bios.clock.nowNs() + Math.max(1, mem.read8(BDA.COM_TIMEOUTS + frame.dx)) * TIMEOUT_UNIT_NS;
    switch (frame.ah) {
      case 0x00: {
        const control = frame.al & 0x1f;
        const divisor = DIVISORS[frame.al >> 5] as number;
        ports.write(base + LINE_CONTROL, 1, control | DIVISOR_LATCH);
        ports.write(base, 1, divisor & 0xff);
        ports.write(base + 1, 1, divisor >> 8);
        ports.write(base + LINE_CONTROL, 1, control);
        ports.write(base + 1, 1, 0);
        ports.write(base + MODEM_CONTROL, 1, 3);
        break;
      }
      case 0x01: {
        const byte = frame.al;
        ports.write(base + MODEM_CONTROL, 1, 3);
        return this.waitFor(frame, base, TRANSMITTER_EMPTY, deadline, () => ports.write(base + DATA, 1, byte));
      }
      case 0x02:
        ports.write(base + MODEM_CONTROL, 1, 1);
        return this.waitFor(frame, base, DATA_READY, deadline, (later) => {
          later.al = ports.read(base + DATA, 1);
        });
      case 0x03:
        break;
      default:
        frame.ah = TIMED_OUT;
        return ACTION_DONE;
    }
    frame.ah = ports.read(base + LINE_STATUS, 1);
    frame.al = ports.read(base + MODEM_STATUS, 1);
    return ACTION_DONE;
  }

  private waitFor(frame: Frame, base: number, bit: number, deadlineNs: number, act: (frame: Frame) => void): number {
    const { clock, operations, ports } = this.bios;
    let status = 0;
    const ready = (): boolean => {
      status = ports.read(base + LINE_STATUS, 1);
      return (status & bit) !== 0 || clock.nowNs() >= deadlineNs;
    };
    const finish = (later: Frame): number => {
      if ((status & bit) !== 0) act(later);
      later.ah = (status & bit) !== 0 ? status & 0x7f : status | TIMED_OUT;
      return ACTION_DONE;
    };
    return operations.poll(frame, ready, finish, () => {
      frame.ah = TIMED_OUT;
      return ACTION_DONE;
    });
  }

  /** INT 17h. */
  printer(frame: Frame): number {
    // Time-out, with nothing selected.
    frame.ah = 0x01;
    return ACTION_DONE;
  }

  /** INT 5: there is no printer; the status byte tells that printing failed. */
  printScreen(): number {
    this.bios.mem.write8(BDA.PRINT_SCREEN_STATUS, 0xff);
    return ACTION_DONE;
  }
}
