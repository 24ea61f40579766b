// PCI bus 0 with configuration mechanism #1 (PCI 2.1, 3.2.2.3.2): CONFIG_ADDRESS at CF8h takes dwords only, CONFIG_DATA
// at CFCh takes bytes, words and dwords. Not emulated: bridges to further buses, mechanism #2, special cycles.

import { z } from 'zod';
import { type Disposable, toDisposable } from '../../base/disposable.ts';
import { NestboxError } from '../../base/errors.ts';
import type { AccessSize, PortBus, PortDevice } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../device.ts';
import { u32 } from '../platform/state-fields.ts';
import { parseState } from '../state.ts';
import type { PciDevice, PciMapper } from './pci-device.ts';

const CONFIG_ADDRESS = 0xcf8;
const ENABLE = 0x80000000;
const VERSION = 1;
const schema = z.strictObject({ address: u32 });

/** The reset control register sits inside CONFIG_ADDRESS, at CF9h; the south bridge answers it. */
export interface ResetControlPort {
  readResetControl(): number;
  writeResetControl(value: number): void;
}

/** Takes the state of an interrupt pin (1 = INTA) of a slot; the south bridge routes it to an IRQ. */
export interface PciPinSink {
  setSlotPin(slot: number, pin: number, level: boolean): void;
}

export interface PciBusOptions {
  readonly id?: string | undefined;
  readonly mapper: PciMapper;
}

export class PciBus implements Device, PortDevice {
  readonly id: string;
  /** Answers byte accesses to CF9h; set by the south bridge. */
  resetControl: ResetControlPort | undefined;
  private readonly mapper: PciMapper;
  private readonly functions = new Array<PciDevice | undefined>(256).fill(undefined);
  /** One bit for each function and pin that is high: index slot * 4 + pin - 1, bit = function. */
  private readonly pinSources = new Uint8Array(32 * 4);
  private pinSink: PciPinSink | undefined;
  private address = 0;

  constructor(options: PciBusOptions) {
    this.id = options.id ?? 'pci';
    this.mapper = options.mapper;
  }

  /**
   * Plugs a function in. Function 0 of a slot with several must have been made with `multifunction`.
   * @throws NestboxError kind `internal` when the place is taken
   */
  add(device: PciDevice, slot: number, functionNumber = 0): Disposable {
    const place = slot * 8 + functionNumber;
    if (!(slot >= 0 && slot < 32 && functionNumber >= 0 && functionNumber < 8) || this.functions[place] !== undefined) {
      throw new NestboxError('internal', `PCI slot ${slot}.${functionNumber} is not free`, { op: 'add PCI device' });
    }
    this.functions[place] = device;
    device.plug({
      mapper: this.mapper,
      setPin: (pin, level) => this.setPin(slot, functionNumber, pin, level),
    });
    return toDisposable(() => {
      device.unplug();
      this.functions[place] = undefined;
    });
  }

  /** The function in a place, if any. */
  at(slot: number, functionNumber = 0): PciDevice | undefined {
    return this.functions[slot * 8 + functionNumber];
  }

  /** Connects the interrupt pins; they are driven to the sink at once. */
  connectPins(sink: PciPinSink): void {
    this.pinSink = sink;
    for (let i = 0; i < this.pinSources.length; i++) {
      if (this.pinSources[i] !== 0) sink.setSlotPin(i >> 2, (i & 3) + 1, true);
    }
  }

  attach(ports: PortBus): Disposable {
    return ports.register(CONFIG_ADDRESS, 8, this, 4);
  }

  readPort(offset: number, size: AccessSize): number {
    if (offset >= 4) return this.readData(offset - 4, size);
    if (offset === 0 && size === 4) return this.address;
    if (offset === 1 && size === 1 && this.resetControl !== undefined) return this.resetControl.readResetControl();
    return allOnes(size);
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    if (offset >= 4) this.writeData(offset - 4, size, value);
    else if (offset === 0 && size === 4) this.address = (value & 0x80fffffc) >>> 0;
    else if (offset === 1 && size === 1) this.resetControl?.writeResetControl(value);
  }

  reset(): void {
    this.address = 0;
  }

  save(): DeviceState {
    return { version: VERSION, fields: { address: this.address } };
  }

  load(state: DeviceState): void {
    this.address = (parseState(this.id, state, VERSION, schema).address & 0x80fffffc) >>> 0;
  }

  dispose(): void {
    this.functions.fill(undefined);
    this.pinSink = undefined;
  }

  private selected(): PciDevice | undefined {
    // Bus numbers above 0 have no device: the cycle ends in a master abort.
    if ((this.address & ENABLE) === 0 || (this.address & 0x00ff0000) !== 0) return undefined;
    return this.functions[(this.address >>> 8) & 0xff];
  }

  private readData(byte: number, size: AccessSize): number {
    const device = this.selected();
    return device === undefined ? allOnes(size) : device.readConfig((this.address & 0xfc) + byte, size);
  }

  private writeData(byte: number, size: AccessSize, value: number): void {
    this.selected()?.writeConfig((this.address & 0xfc) + byte, size, value);
  }

  private setPin(slot: number, functionNumber: number, pin: number, level: boolean): void {
    const index = slot * 4 + pin - 1;
    const before = this.pinSources[index] ?? 0;
    const bit = 1 << functionNumber;
    const after = level ? before | bit : before & ~bit;
    this.pinSources[index] = after;
    if ((before !== 0) !== (after !== 0)) this.pinSink?.setSlotPin(slot, pin, after !== 0);
  }
}

/** What a read that nobody answers returns. */
function allOnes(size: AccessSize): number {
  return size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
}
