// National Semiconductor PC16550D UART (datasheet SNLS378): FIFOs, all interrupt sources with their priorities, loopback,
// modem status. Transmission is instantaneous unless pacing is on; received bytes wait until the guest has room, so none
// is lost. Not emulated: parity and framing on the wire, DMA signalling (TXRDY/RXRDY).

import type { Clock, Timer } from '../../base/clock.ts';
import type { Disposable } from '../../base/disposable.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { AccessSize, PortBus, PortDevice } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import { UartBacklog } from './uart-16550-backlog.ts';
import { FIFO_DEPTH, UartFifo } from './uart-16550-fifo.ts';
import type { ModemInputs, Uart16550Options } from './uart-16550-options.ts';
import * as U from './uart-16550-registers.ts';
import { uart16550Schema } from './uart-16550-state.ts';

export type { ModemInputs, Uart16550Options } from './uart-16550-options.ts';

const VERSION = 1;

export class Uart16550 implements Device, PortDevice {
  readonly id: string;
  private readonly base: number;
  private readonly clock: Clock;
  private readonly irq: IrqLine;
  private readonly onTransmit: (byte: number) => void;
  private readonly onBreak: ((active: boolean) => void) | undefined;
  private readonly onModemOutputs: ((outputs: { dtr: boolean; rts: boolean }) => void) | undefined;
  private readonly paced: boolean;
  private readonly gateIrqWithOut2: boolean;
  private readonly timeoutTimer: Timer;
  private readonly transmitTimer: Timer;
  private readonly receiveTimer: Timer;
  private readonly receiveFifo = new UartFifo();
  private readonly transmitFifo = new UartFifo();
  private readonly backlog = new UartBacklog();
  private ier = 0;
  private lcr = 0;
  private mcr = 0;
  private msr = 0;
  private scr = 0;
  private fcr = 0;
  private divisor = U.DEFAULT_DIVISOR;
  /** Overrun, parity, framing and break bits that the next LSR read tells. */
  private lineErrors = 0;
  /** False while a character is being shifted out (pacing only). */
  private transmitIdle = true;
  private thrPending = false;
  private timeoutPending = false;
  private modemInputs = U.MSR_CTS | U.MSR_DSR | U.MSR_DCD;

  constructor(options: Uart16550Options) {
    this.id = options.id;
    this.base = options.base;
    this.clock = options.clock;
    this.irq = options.irq;
    this.onTransmit = options.onTransmit;
    this.onBreak = options.onBreak;
    this.onModemOutputs = options.onModemOutputs;
    this.paced = options.pacing === 'baud';
    this.gateIrqWithOut2 = options.gateIrqWithOut2 ?? false;
    this.timeoutTimer = options.clock.createTimer(`${this.id}.timeout`, () => this.characterTimeout());
    this.transmitTimer = options.clock.createTimer(`${this.id}.transmit`, () => this.shiftedOut());
    this.receiveTimer = options.clock.createTimer(`${this.id}.receive`, () => this.refill());
    this.msr = this.modemInputs;
  }

  attach(ports: PortBus): Disposable {
    return ports.register(this.base, 8, this);
  }

  /**
   * Bytes from the host. They reach the guest as it makes room.
   * @returns how many were taken; the rest does not fit and may be offered again later
   */
  receive(data: Uint8Array): number {
    const taken = this.backlog.append(data);
    if (taken > 0) this.refill();
    return taken;
  }

  /** Bytes from the host that the guest has not read yet. */
  get pendingReceive(): number {
    return this.backlog.length + this.receiveFifo.length;
  }

  /** A break condition from the host: arrives as a zero character with the break bit. */
  receiveBreak(): void {
    this.accept(0, U.LSR_BREAK);
  }

  setModemInputs(inputs: ModemInputs): void {
    this.modemInputs =
      (inputs.cts ? U.MSR_CTS : 0) |
      (inputs.dsr ? U.MSR_DSR : 0) |
      (inputs.ri ? U.MSR_RI : 0) |
      (inputs.dcd ? U.MSR_DCD : 0);
    if ((this.mcr & U.MCR_LOOP) === 0) this.setModemStatus(this.modemInputs);
  }

  readPort(offset: number, _size: AccessSize): number {
    const divisorAccess = (this.lcr & U.LCR_DLAB) !== 0;
    switch (offset) {
      case U.RBR:
        return divisorAccess ? this.divisor & 0xff : this.readData();
      case U.IER:
        return divisorAccess ? this.divisor >> 8 : this.ier;
      case U.IIR:
        return this.readIir();
      case U.LCR:
        return this.lcr;
      case U.MCR:
        return this.mcr;
      case U.LSR:
        return this.readLsr();
      case U.MSR: {
        const value = this.msr;
        this.msr &= U.MSR_STATUS;
        this.updateIrq();
        return value;
      }
      default:
        return this.scr;
    }
  }

  writePort(offset: number, _size: AccessSize, value: number): void {
    const divisorAccess = (this.lcr & U.LCR_DLAB) !== 0;
    switch (offset) {
      case U.RBR:
        if (divisorAccess) this.divisor = (this.divisor & 0xff00) | value;
        else this.writeData(value);
        break;
      case U.IER:
        if (divisorAccess) this.divisor = (this.divisor & 0xff) | (value << 8);
        else this.writeIer(value);
        break;
      case U.IIR:
        this.writeFcr(value);
        break;
      case U.LCR:
        this.writeLcr(value);
        break;
      case U.MCR:
        this.writeMcr(value);
        break;
      case U.SCR:
        this.scr = value;
        break;
      default:
        // LSR and MSR are for reading; the factory test writes have no effect.
        break;
    }
  }

  reset(): void {
    this.timeoutTimer.disarm();
    this.transmitTimer.disarm();
    this.receiveTimer.disarm();
    this.receiveFifo.clear();
    this.transmitFifo.clear();
    this.backlog.clear();
    this.ier = 0;
    this.lcr = 0;
    this.mcr = 0;
    this.msr = this.modemInputs;
    this.scr = 0;
    this.fcr = 0;
    this.divisor = U.DEFAULT_DIVISOR;
    this.lineErrors = 0;
    this.transmitIdle = true;
    this.thrPending = false;
    this.timeoutPending = false;
    this.updateIrq();
  }

  save(): DeviceState {
    return {
      version: VERSION,
      fields: {
        ier: this.ier,
        lcr: this.lcr,
        mcr: this.mcr,
        msr: this.msr,
        scr: this.scr,
        fcr: this.fcr,
        divisor: this.divisor,
        lineErrors: this.lineErrors,
        transmitIdle: this.transmitIdle,
        thrPending: this.thrPending,
        timeoutPending: this.timeoutPending,
        modemInputs: this.modemInputs,
        receiveData: this.receiveFifo.toBytes(),
        receiveErrors: this.receiveFifo.errorsToBytes(),
        transmitData: this.transmitFifo.toBytes(),
        backlog: this.backlog.toBytes(),
        timeoutDeadline: this.timeoutTimer.deadlineNs ?? null,
        transmitDeadline: this.transmitTimer.deadlineNs ?? null,
        receiveDeadline: this.receiveTimer.deadlineNs ?? null,
      },
    };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, uart16550Schema);
    this.ier = fields.ier & U.IER_WRITABLE;
    this.lcr = fields.lcr;
    this.mcr = fields.mcr & U.MCR_WRITABLE;
    this.msr = fields.msr;
    this.scr = fields.scr;
    this.fcr = fields.fcr & U.FCR_KEPT;
    this.divisor = fields.divisor;
    this.lineErrors = fields.lineErrors & U.LSR_ERRORS;
    this.transmitIdle = fields.transmitIdle || fields.transmitDeadline === null;
    this.thrPending = fields.thrPending;
    this.timeoutPending = fields.timeoutPending;
    this.modemInputs = fields.modemInputs & U.MSR_STATUS;
    this.receiveFifo.setBytes(
      fields.receiveData,
      fields.receiveErrors.map((errors) => errors & U.LSR_ERRORS),
    );
    this.transmitFifo.setBytes(fields.transmitData, new Uint8Array(FIFO_DEPTH));
    this.backlog.setBytes(fields.backlog);
    rearm(this.timeoutTimer, fields.timeoutDeadline);
    rearm(this.transmitTimer, fields.transmitDeadline);
    rearm(this.receiveTimer, fields.receiveDeadline);
    this.updateIrq();
  }

  dispose(): void {
    this.timeoutTimer.disarm();
    this.transmitTimer.disarm();
    this.receiveTimer.disarm();
  }

  private get fifoEnabled(): boolean {
    return (this.fcr & U.FCR_ENABLE) !== 0;
  }

  private get capacity(): number {
    return this.fifoEnabled ? FIFO_DEPTH : 1;
  }

  private get triggerLevel(): number {
    return this.fifoEnabled ? (U.TRIGGER_LEVELS[this.fcr >> 6] ?? 1) : 1;
  }

  /** Start bit, data, parity and stop bits at the programmed rate; at least 1 us. */
  private characterNs(): number {
    const bits = 1 + 5 + (this.lcr & 3) + ((this.lcr & 8) !== 0 ? 1 : 0) + ((this.lcr & 4) !== 0 ? 2 : 1);
    const divisor = this.divisor === 0 ? 0x10000 : this.divisor;
    return Math.max(1000, Math.round((bits * divisor * 16e9) / U.CRYSTAL_HZ));
  }

  // --- receiving -------------------------------------------------------------------------------------------------

  /** Moves waiting bytes of the host into the FIFO: all that fit, or one per character time. */
  private refill(): void {
    // In loopback the receiver is cut off from the line.
    if ((this.mcr & U.MCR_LOOP) !== 0) return;
    while (this.backlog.length > 0 && this.receiveFifo.length < this.capacity) {
      if (this.paced) {
        if (this.receiveTimer.deadlineNs !== undefined) return;
        this.receiveTimer.arm(this.clock.nowNs() + this.characterNs());
      }
      this.accept(this.backlog.shift(), 0);
    }
  }

  /** A character arrives from the line. */
  private accept(value: number, errors: number): void {
    if (this.receiveFifo.length >= this.capacity || !this.receiveFifo.push(value, errors))
      this.lineErrors |= U.LSR_OVERRUN;
    this.armTimeout();
    this.updateIrq();
  }

  private readData(): number {
    const value = this.receiveFifo.shift();
    this.timeoutPending = false;
    this.armTimeout();
    this.refill();
    this.updateIrq();
    return value;
  }

  /** The timeout interrupt comes four character times after the last transfer while the FIFO holds something. */
  private armTimeout(): void {
    if (this.fifoEnabled && this.receiveFifo.length > 0)
      this.timeoutTimer.arm(this.clock.nowNs() + 4 * this.characterNs());
    else this.timeoutTimer.disarm();
  }

  private characterTimeout(): void {
    this.timeoutPending = this.fifoEnabled && this.receiveFifo.length > 0;
    this.updateIrq();
  }

  // --- transmitting ----------------------------------------------------------------------------------------------

  private writeData(value: number): void {
    this.thrPending = false;
    if ((this.mcr & U.MCR_LOOP) !== 0) {
      this.accept(value & this.dataMask(), 0);
      this.thrPending = true;
    } else if (!this.paced) {
      // The line drops first so that an edge-triggered controller sees the next request.
      this.updateIrq();
      // Whole bytes whatever the word length: many small kernels never set LCR, and other virtual machines let them through.
      this.onTransmit(value);
      this.thrPending = true;
    } else {
      if (this.transmitFifo.length < this.capacity) this.transmitFifo.push(value & this.dataMask(), 0);
      this.startShifting();
    }
    this.updateIrq();
  }

  private dataMask(): number {
    return 0xff >> (3 - (this.lcr & 3));
  }

  private startShifting(): void {
    if (!this.transmitIdle || this.transmitFifo.length === 0) return;
    this.transmitIdle = false;
    this.onTransmit(this.transmitFifo.shift());
    this.transmitTimer.arm(this.clock.nowNs() + this.characterNs());
    if (this.transmitFifo.length === 0) this.thrPending = true;
  }

  private shiftedOut(): void {
    this.transmitIdle = true;
    this.startShifting();
    this.updateIrq();
  }

  // --- registers -------------------------------------------------------------------------------------------------

  private writeIer(value: number): void {
    const before = this.ier;
    this.ier = value & U.IER_WRITABLE;
    // Enabling the transmitter interrupt while the register is empty requests one at once.
    if ((before & U.IER_THRE) === 0 && (this.ier & U.IER_THRE) !== 0 && this.transmitFifo.length === 0)
      this.thrPending = true;
    this.updateIrq();
  }

  private writeFcr(value: number): void {
    const toggled = ((value ^ this.fcr) & U.FCR_ENABLE) !== 0;
    const enabled = (value & U.FCR_ENABLE) !== 0;
    // The other bits count only together with the enable bit.
    this.fcr = enabled ? value & U.FCR_KEPT : 0;
    if (toggled || (enabled && (value & U.FCR_CLEAR_RECEIVE) !== 0)) {
      this.receiveFifo.clear();
      this.timeoutPending = false;
      this.timeoutTimer.disarm();
      this.refill();
    }
    if (toggled || (enabled && (value & U.FCR_CLEAR_TRANSMIT) !== 0)) {
      this.transmitFifo.clear();
      this.thrPending = true;
    }
    this.updateIrq();
  }

  private writeLcr(value: number): void {
    const breakChanged = ((value ^ this.lcr) & U.LCR_BREAK) !== 0;
    this.lcr = value;
    if (!breakChanged) return;
    const active = (value & U.LCR_BREAK) !== 0;
    if ((this.mcr & U.MCR_LOOP) === 0) this.onBreak?.(active);
    else if (active) this.accept(0, U.LSR_BREAK);
  }

  private writeMcr(value: number): void {
    const before = this.mcr;
    this.mcr = value & U.MCR_WRITABLE;
    if ((this.mcr & U.MCR_LOOP) !== 0) {
      // Loopback: RTS -> CTS, DTR -> DSR, OUT1 -> RI, OUT2 -> DCD.
      this.setModemStatus(
        ((this.mcr & U.MCR_RTS) !== 0 ? U.MSR_CTS : 0) |
          ((this.mcr & U.MCR_DTR) !== 0 ? U.MSR_DSR : 0) |
          ((this.mcr & U.MCR_OUT1) !== 0 ? U.MSR_RI : 0) |
          ((this.mcr & U.MCR_OUT2) !== 0 ? U.MSR_DCD : 0),
      );
    } else {
      this.setModemStatus(this.modemInputs);
      if ((before & U.MCR_LOOP) !== 0) this.refill();
    }
    if (((before ^ this.mcr) & (U.MCR_DTR | U.MCR_RTS)) !== 0) {
      this.onModemOutputs?.({ dtr: (this.mcr & U.MCR_DTR) !== 0, rts: (this.mcr & U.MCR_RTS) !== 0 });
    }
    this.updateIrq();
  }

  private setModemStatus(status: number): void {
    const changed = (this.msr ^ status) & U.MSR_STATUS;
    let deltas = this.msr & ~U.MSR_STATUS;
    if ((changed & U.MSR_CTS) !== 0) deltas |= U.MSR_DELTA_CTS;
    if ((changed & U.MSR_DSR) !== 0) deltas |= U.MSR_DELTA_DSR;
    // The ring indicator is told by its trailing edge.
    if ((changed & U.MSR_RI) !== 0 && (status & U.MSR_RI) === 0) deltas |= U.MSR_TRAILING_RI;
    if ((changed & U.MSR_DCD) !== 0) deltas |= U.MSR_DELTA_DCD;
    this.msr = status | deltas;
    this.updateIrq();
  }

  private readLsr(): number {
    let value = this.lineErrors | this.receiveFifo.headErrors;
    if (this.receiveFifo.length > 0) value |= U.LSR_DATA_READY;
    if (this.fifoEnabled && this.receiveFifo.anyErrors) value |= U.LSR_FIFO_ERROR;
    if (this.transmitFifo.length === 0) value |= this.transmitIdle ? U.LSR_THRE | U.LSR_TEMT : U.LSR_THRE;
    this.lineErrors = 0;
    this.receiveFifo.takeHeadErrors();
    this.updateIrq();
    return value;
  }

  private readIir(): number {
    const source = this.highestSource();
    // Reading IIR while it names the transmitter takes that request back.
    if (source === U.IIR_THRE) {
      this.thrPending = false;
      this.updateIrq();
    }
    return source | (this.fifoEnabled ? U.IIR_FIFOS : 0);
  }

  private highestSource(): number {
    if ((this.ier & U.IER_LINE) !== 0 && (this.lineErrors | this.receiveFifo.headErrors) !== 0) return U.IIR_LINE;
    if ((this.ier & U.IER_RECEIVE) !== 0) {
      if (this.receiveFifo.length >= this.triggerLevel) return U.IIR_RECEIVE;
      if (this.timeoutPending) return U.IIR_TIMEOUT;
    }
    if ((this.ier & U.IER_THRE) !== 0 && this.thrPending) return U.IIR_THRE;
    if ((this.ier & U.IER_MODEM) !== 0 && (this.msr & ~U.MSR_STATUS) !== 0) return U.IIR_MODEM;
    return U.IIR_NONE;
  }

  private updateIrq(): void {
    const gate = !this.gateIrqWithOut2 || (this.mcr & U.MCR_OUT2) !== 0;
    this.irq.set(gate && this.highestSource() !== U.IIR_NONE);
  }
}

function rearm(timer: Timer, deadline: number | null): void {
  if (deadline === null) timer.disarm();
  else timer.arm(deadline);
}
