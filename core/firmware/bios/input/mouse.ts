// Pointing device services: INT 15h/C2xx and IRQ12 (INT 74h), PS/2 BIOS interface. Packets go to the handler that C207h
// installed; the stub in ROM calls it.

import type { BiosContext } from '../context.ts';
import { EBDA } from '../data-area.ts';
import type { Frame } from '../frame.ts';
import { ACTION_DONE, CALL_USER } from '../rom/trap.ts';
import { Ps2Conversation } from './ps2.ts';

const STATUS_OK = 0x00;
const STATUS_INVALID_FUNCTION = 0x01;
const STATUS_INVALID_INPUT = 0x02;
const STATUS_INTERFACE = 0x03;
const STATUS_NO_HANDLER = 0x05;
const HANDLER_SET = 0x80;
const SAMPLE_RATES = [10, 20, 40, 60, 80, 100, 200];
const TIMEOUT_NS = 1_000_000_000;
const SYNC_BIT = 0x08;

const DISABLE = 0xf5;
const ENABLE = 0xf4;
const RESET = 0xff;
const SET_RATE = 0xf3;
const SET_RESOLUTION = 0xe8;
const GET_ID = 0xf2;
const GET_STATUS = 0xe9;
const SCALING_1 = 0xe6;
const SCALING_2 = 0xe7;

type Received = (frame: Frame, received: readonly number[]) => void;

export class Mouse {
  private readonly bios: BiosContext;
  /** One conversation at a time: a new one ends what an interrupted program began. */
  private talk: Ps2Conversation | undefined;

  constructor(bios: BiosContext) {
    this.bios = bios;
  }

  reset(): void {
    this.talk = undefined;
  }

  /** IRQ12. */
  interrupt(): number {
    const { mem, ports } = this.bios;
    const status = ports.read(0x64, 1);
    if ((status & 0x21) !== 0x21) return ACTION_DONE;
    const byte = ports.read(0x60, 1);
    const flags = mem.read8(EBDA.MOUSE_FLAGS);
    if ((flags & HANDLER_SET) === 0) return ACTION_DONE;
    const index = mem.read8(EBDA.MOUSE_INDEX) & 7;
    if (index === 0 && (byte & SYNC_BIT) === 0) return ACTION_DONE;
    mem.write8(EBDA.MOUSE_PACKET + index, byte);
    const complete = index >= (flags & 7);
    mem.write8(EBDA.MOUSE_INDEX, complete ? 0 : index + 1);
    return complete ? CALL_USER : ACTION_DONE;
  }

  /** INT 15h/C2h, function in AL. */
  handle(frame: Frame): number {
    const { mem } = this.bios;
    switch (frame.al) {
      case 0x00:
        if (frame.bh > 1) return this.finish(frame, STATUS_INVALID_INPUT);
        if (frame.bh === 1 && (mem.read8(EBDA.MOUSE_FLAGS) & HANDLER_SET) === 0)
          return this.finish(frame, STATUS_NO_HANDLER);
        return this.start(frame, [frame.bh === 1 ? ENABLE : DISABLE], 0, undefined, frame.bh === 1);
      case 0x01:
      case 0x05:
        return this.initialize(frame);
      case 0x02: {
        const rate = SAMPLE_RATES[frame.bh];
        return rate === undefined ? this.finish(frame, STATUS_INVALID_INPUT) : this.start(frame, [SET_RATE, rate], 0);
      }
      case 0x03:
        return frame.bh > 3
          ? this.finish(frame, STATUS_INVALID_INPUT)
          : this.start(frame, [SET_RESOLUTION, frame.bh], 0);
      case 0x04:
        return this.start(frame, [GET_ID], 1, (f, [id = 0]) => {
          f.bh = id;
        });
      case 0x06:
        return this.extended(frame);
      case 0x07:
        return this.setHandler(frame);
      default:
        return this.finish(frame, STATUS_INVALID_FUNCTION);
    }
  }

  private initialize(frame: Frame): number {
    const { mem } = this.bios;
    if (frame.al === 0x05) {
      if (frame.bh < 1 || frame.bh > 8) return this.finish(frame, STATUS_INVALID_INPUT);
      mem.write8(EBDA.MOUSE_FLAGS, (mem.read8(EBDA.MOUSE_FLAGS) & HANDLER_SET) | (frame.bh - 1));
    }
    mem.write8(EBDA.MOUSE_INDEX, 0);
    return this.start(
      frame,
      [RESET],
      2,
      (f, [completion = 0, id = 0]) => {
        f.bl = completion;
        f.bh = id;
      },
      false,
    );
  }

  private extended(frame: Frame): number {
    switch (frame.bh) {
      case 0x00:
        return this.start(frame, [GET_STATUS], 3, (f, [status = 0, resolution = 0, rate = 0]) => {
          f.bl = status;
          f.cl = resolution;
          f.dl = rate;
        });
      case 0x01:
        return this.start(frame, [SCALING_1], 0);
      case 0x02:
        return this.start(frame, [SCALING_2], 0);
      default:
        return this.finish(frame, STATUS_INVALID_INPUT);
    }
  }

  private setHandler(frame: Frame): number {
    const { mem } = this.bios;
    mem.write16(EBDA.MOUSE_HANDLER, frame.bx);
    mem.write16(EBDA.MOUSE_HANDLER + 2, frame.es);
    const none = frame.bx === 0 && frame.es === 0;
    const flags = mem.read8(EBDA.MOUSE_FLAGS);
    // Packets have three bytes until 05h says otherwise.
    const size = (flags & 7) === 0 ? 2 : flags & 7;
    mem.write8(EBDA.MOUSE_FLAGS, none ? size : HANDLER_SET | size);
    mem.write8(EBDA.MOUSE_INDEX, 0);
    return this.finish(frame, STATUS_OK);
  }

  /** @param interrupt state of IRQ12 afterwards; undefined leaves it */
  private start(
    frame: Frame,
    send: readonly number[],
    replies: number,
    received: Received = () => undefined,
    interrupt?: boolean,
  ): number {
    this.talk?.finish(undefined);
    const { clock, operations, ports } = this.bios;
    const talk = new Ps2Conversation(ports, send, replies, clock.nowNs() + TIMEOUT_NS);
    this.talk = talk;
    const over = (later: Frame): number => {
      if (this.talk !== talk) return this.finish(later, STATUS_INTERFACE);
      this.talk = undefined;
      talk.finish(talk.succeeded ? interrupt : undefined);
      if (!talk.succeeded) return this.finish(later, STATUS_INTERFACE);
      received(later, talk.received);
      return this.finish(later, STATUS_OK);
    };
    return operations.poll(
      frame,
      () => this.talk !== talk || talk.step(clock.nowNs()),
      over,
      () => this.finish(frame, STATUS_INTERFACE),
    );
  }

  private finish(frame: Frame, status: number): number {
    frame.ah = status;
    frame.carry = status !== STATUS_OK;
    return ACTION_DONE;
  }
}
