// Intel PIIX3 ISA bridge (82371SB, 8086:7000), PCI 00:01.0: routes PCI interrupt pins to ISA IRQs (PIRQRC, 60h-63h) and
// holds the reset control register CF9h. Not emulated: ISA decode timing, DMA buffering, the SMI timers.

import { z } from 'zod';
import type { IrqLine } from '../../bus/irq.ts';
import type { DeviceState } from '../device.ts';
import { u4 } from '../platform/state-fields.ts';
import { parseState } from '../state.ts';
import type { PciBus, PciPinSink, ResetControlPort } from './pci-bus.ts';
import { PciDevice, type PciDeviceOptions, pciConfigSchema } from './pci-device.ts';

const VERSION = 1;
const schema = z.strictObject({ config: pciConfigSchema, resetControl: u4 });
const PIRQRCA = 0x60;
const PIRQ_DISABLED = 0x80;
/** IRQs that a PCI pin may be routed to (PIIX3 datasheet, PIRQRC); the others are reserved. */
const ROUTABLE = 0xdef8;

const RCR_SYSTEM_RESET = 0x02;
const RCR_RESET_CPU = 0x04;

export interface Piix3Options extends Pick<PciDeviceOptions, 'log'> {
  readonly id?: string | undefined;
  /** Wires of ISA IRQ 0..15, shared with ISA devices (each a SharedIrqLine.connect() of its own). */
  readonly isaIrqs: readonly IrqLine[];
  /** CF9h: `hard` tells a reset of the whole board from one of the CPU alone. */
  readonly onReset: (hard: boolean) => void;
}

export class Piix3 extends PciDevice implements PciPinSink, ResetControlPort {
  private readonly isaIrqs: readonly IrqLine[];
  private readonly onReset: (hard: boolean) => void;
  /** Bits: slot and pin inputs that are high, for each PIRQ line A-D. */
  private readonly pirqSources = new Uint32Array(4);
  private readonly isaLevels = new Array<boolean>(16).fill(false);
  private resetControl = 0;

  constructor(options: Piix3Options) {
    super({
      id: options.id ?? 'piix3',
      vendorId: 0x8086,
      deviceId: 0x7000,
      classCode: 0x060100,
      multifunction: true,
      log: options.log,
    });
    this.isaIrqs = options.isaIrqs;
    this.onReset = options.onReset;
    this.setDefault(0x04, 2, 0x0007);
    this.setDefault(0x06, 2, 0x0200);
    // ISA recovery timer, X-bus chip select, memory top, device control, motherboard DMA, chip selects, SMI control.
    this.plain(0x4c, 1, 0x4d);
    this.plain(0x4e, 2, 0x0003);
    for (let pirq = 0; pirq < 4; pirq++) this.plain(PIRQRCA + pirq, 1, PIRQ_DISABLED, 0x8f);
    this.plain(0x69, 1, 0x02);
    this.plain(0x6a, 2, 0x0000);
    this.plain(0x70, 2, 0x0080);
    this.plain(0x76, 2, 0x0c0c);
    this.plain(0x78, 2, 0x0002);
    this.plain(0x80, 1, 0x00);
    this.plain(0x82, 1, 0x00);
    this.plain(0xa0, 1, 0x08);
    this.plain(0xa2, 2, 0x0000);
    this.plain(0xa4, 4, 0x00000000);
    this.plain(0xa8, 1, 0x0f);
    this.plain(0xaa, 2, 0x0000);
    this.plain(0xac, 1, 0x00);
    this.plain(0xae, 1, 0x00);
  }

  /** Connects the bridge to its bus: interrupt pins and CF9h. Plug it in with `bus.add(bridge, 1, 0)` as well. */
  connect(bus: PciBus): void {
    bus.resetControl = this;
    bus.connectPins(this);
  }

  /** Board wiring: pin INTA..INTD of slot n goes to PIRQ line (n + pin - 1) mod 4, pins counted from 0. */
  setSlotPin(slot: number, pin: number, level: boolean): void {
    const pirq = (slot + pin - 2) & 3;
    const bit = 1 << slot;
    const before = this.pirqSources[pirq] ?? 0;
    // A slot reaches each PIRQ line with exactly one of its pins, so the slot number tells the sources apart.
    this.pirqSources[pirq] = level ? before | bit : before & ~bit;
    this.driveIrqs();
  }

  /** The ISA IRQ that a PIRQ line (0 = A) is routed to, or undefined. */
  routedIrq(pirq: number): number | undefined {
    const value = this.configWord(PIRQRCA + (pirq & 3), 1);
    const irq = value & 0x0f;
    return (value & PIRQ_DISABLED) === 0 && ((ROUTABLE >> irq) & 1) !== 0 ? irq : undefined;
  }

  readResetControl(): number {
    return this.resetControl;
  }

  writeResetControl(value: number): void {
    const rising = (value & RCR_RESET_CPU) !== 0 && (this.resetControl & RCR_RESET_CPU) === 0;
    const hard = (value & RCR_SYSTEM_RESET) !== 0;
    // The CPU reset bit clears itself with the reset that it causes.
    this.resetControl = value & RCR_SYSTEM_RESET;
    if (rising) this.onReset(hard);
  }

  reset(): void {
    this.resetConfig();
    this.resetControl = 0;
    this.driveIrqs();
  }

  save(): DeviceState {
    return { version: VERSION, fields: { config: this.saveConfig(), resetControl: this.resetControl } };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    this.checkConfig(fields.config);
    this.loadConfig(fields.config);
    this.resetControl = fields.resetControl & RCR_SYSTEM_RESET;
    this.driveIrqs();
  }

  protected override configWritten(offset: number, size: number): void {
    if (offset < PIRQRCA + 4 && offset + size > PIRQRCA) this.driveIrqs();
  }

  private plain(offset: number, size: 1 | 2 | 4, value: number, mask = 0xffffffff): void {
    this.setDefault(offset, size, value);
    this.setWritable(offset, size, mask);
  }

  private driveIrqs(): void {
    let levels = 0;
    for (let pirq = 0; pirq < 4; pirq++) {
      const irq = this.routedIrq(pirq);
      if (irq !== undefined && this.pirqSources[pirq] !== 0) levels |= 1 << irq;
    }
    for (let irq = 0; irq < 16; irq++) {
      const level = ((levels >> irq) & 1) !== 0;
      if (level === this.isaLevels[irq]) continue;
      this.isaLevels[irq] = level;
      this.isaIrqs[irq]?.set(level);
    }
  }
}
