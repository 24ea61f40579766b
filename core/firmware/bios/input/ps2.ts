// Conversations with the pointing device through the 8042: bytes sent by "write to auxiliary device", each acknowledged,
// then reply bytes. The device may answer later, so a conversation goes on from trap to trap.

import type { PortBus } from '../../../bus/port-bus.ts';

const DATA_PORT = 0x60;
const STATUS_PORT = 0x64;
const OUTPUT_FULL = 0x01;
const FROM_AUXILIARY = 0x20;
const WRITE_AUXILIARY = 0xd4;
const READ_COMMAND_BYTE = 0x20;
const WRITE_COMMAND_BYTE = 0x60;
const ENABLE_AUXILIARY = 0xa8;
const AUXILIARY_IRQ = 0x02;
const AUXILIARY_DISABLED = 0x20;
const ACK = 0xfa;

/** Reads the 8042's command byte; the controller answers this at once. */
export function readCommandByte(ports: PortBus): number {
  // Anything that waits in the output buffer would be taken for the answer.
  for (let i = 0; i < 16 && (ports.read(STATUS_PORT, 1) & OUTPUT_FULL) !== 0; i++) ports.read(DATA_PORT, 1);
  ports.write(STATUS_PORT, 1, READ_COMMAND_BYTE);
  return ports.read(DATA_PORT, 1);
}

export function writeCommandByte(ports: PortBus, value: number): void {
  ports.write(STATUS_PORT, 1, WRITE_COMMAND_BYTE);
  ports.write(DATA_PORT, 1, value);
}

export class Ps2Conversation {
  private readonly ports: PortBus;
  private readonly send: readonly number[];
  private readonly replies: number;
  private readonly commandByte: number;
  private readonly deadlineNs: number;
  private sent = 0;
  private waiting = false;
  readonly received: number[] = [];
  /** True once every byte was acknowledged and every reply came. */
  succeeded = false;

  /** Starts talking; the auxiliary interrupt is off until finish(). */
  constructor(ports: PortBus, send: readonly number[], replies: number, deadlineNs: number) {
    this.ports = ports;
    this.send = send;
    this.replies = replies;
    this.deadlineNs = deadlineNs;
    this.commandByte = readCommandByte(ports);
    ports.write(STATUS_PORT, 1, ENABLE_AUXILIARY);
    writeCommandByte(ports, this.commandByte & ~(AUXILIARY_IRQ | AUXILIARY_DISABLED));
  }

  /** Goes on as far as the device has answered. @returns true when the conversation is over, well or badly */
  step(nowNs: number): boolean {
    for (;;) {
      if (!this.waiting && this.sent < this.send.length) {
        this.ports.write(STATUS_PORT, 1, WRITE_AUXILIARY);
        this.ports.write(DATA_PORT, 1, this.send[this.sent] as number);
        this.waiting = true;
      }
      if (!this.waiting && this.received.length >= this.replies) {
        this.succeeded = true;
        return true;
      }
      const status = this.ports.read(STATUS_PORT, 1);
      if ((status & OUTPUT_FULL) === 0 || (status & FROM_AUXILIARY) === 0) return nowNs >= this.deadlineNs;
      const byte = this.ports.read(DATA_PORT, 1);
      if (!this.waiting) this.received.push(byte);
      else if (byte === ACK) {
        this.waiting = false;
        this.sent++;
      } else if (byte === 0xfe || byte === 0xfc) return true;
      // Anything else is movement data from before the command.
    }
  }

  /** Puts the command byte back, with the auxiliary interrupt as wanted (undefined: as it was). */
  finish(interrupt: boolean | undefined): void {
    let value = this.commandByte;
    if (interrupt !== undefined)
      value = interrupt ? (value | AUXILIARY_IRQ) & ~AUXILIARY_DISABLED : value & ~AUXILIARY_IRQ;
    writeCommandByte(this.ports, value);
  }
}
