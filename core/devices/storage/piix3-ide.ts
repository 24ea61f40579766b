// The IDE function of Intel's PIIX3 (82371SB, 8086:7010, PCI 00:01.1): two channels at the legacy ports with IRQ 14 and 15, and
// bus master registers in BAR 4. Timing registers are kept but change nothing; the ports decode always.

import { z } from 'zod';
import type { Logger } from '../../base/logger.ts';
import type { DmaMemory } from '../../bus/dma.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { PortDevice } from '../../bus/port-bus.ts';
import type { DeviceState, ResetKind } from '../device.ts';
import { pciConfigSchema, PciDevice } from '../pci/pci-device.ts';
import { parseState } from '../state.ts';
import { BusMaster, busMasterSchema } from './bus-master.ts';
import { type AttachedDrive, IdeChannel, ideChannelSchema, type IdePortRange } from './ide-channel.ts';

export interface Piix3IdeOptions {
  readonly id?: string | undefined;
  /** IRQ 14 and IRQ 15. */
  readonly irqs: readonly [IrqLine, IrqLine];
  readonly memory: DmaMemory;
  /** Primary master, primary slave, secondary master, secondary slave. */
  readonly drives: readonly [AttachedDrive | undefined, AttachedDrive | undefined, AttachedDrive | undefined, AttachedDrive | undefined];
  readonly log?: Logger | undefined;
}

const VERSION = 1;
const schema = z.strictObject({
  config: pciConfigSchema,
  channels: z.tuple([ideChannelSchema, ideChannelSchema]),
  busMasters: z.tuple([busMasterSchema, busMasterSchema]),
});

/** IDE timing registers of the two channels; bit 15 enables the channel. Firmware leaves both on. */
const IDETIM_PRIMARY = 0x40;
const IDETIM_SECONDARY = 0x42;
const SLAVE_TIMING = 0x44;
const IDETIM_RESET = 0x8000;
const BUS_MASTER_BYTES = 16;
const BYTES_PER_CHANNEL = 8;

export class Piix3Ide extends PciDevice {
  readonly primary: IdeChannel;
  readonly secondary: IdeChannel;
  private readonly busMasters: readonly [BusMaster, BusMaster];

  constructor(options: Piix3IdeOptions) {
    super({ id: options.id ?? 'ide', vendorId: 0x8086, deviceId: 0x7010, classCode: 0x010180, log: options.log });
    const mayMaster = (): boolean => this.busMasterEnabled;
    this.busMasters = [new BusMaster(options.memory, mayMaster), new BusMaster(options.memory, mayMaster)];
    const [primaryMaster, primarySlave, secondaryMaster, secondarySlave] = options.drives;
    this.primary = new IdeChannel({
      id: `${this.id}.primary`, irq: options.irqs[0], drives: [primaryMaster, primarySlave], busMaster: this.busMasters[0],
    });
    this.secondary = new IdeChannel({
      id: `${this.id}.secondary`, irq: options.irqs[1], drives: [secondaryMaster, secondarySlave], busMaster: this.busMasters[1],
    });
    this.setDefault(0x06, 2, 0x0280); // fast back-to-back, medium DEVSEL timing
    this.addBar(4, { kind: 'io', sizeBytes: BUS_MASTER_BYTES, device: this.busMasterPorts(), maxSize: 4 });
    this.setWritable(0x04, 2, 0x0001);
    for (const register of [IDETIM_PRIMARY, IDETIM_SECONDARY]) {
      this.setDefault(register, 2, IDETIM_RESET);
      this.setWritable(register, 2, 0xffff);
    }
    this.setWritable(SLAVE_TIMING, 1, 0xff);
  }

  /** The legacy ports of both channels, to be registered with the port bus. */
  ports(): readonly IdePortRange[] {
    return [...this.primary.ports(0x1f0, 0x3f6), ...this.secondary.ports(0x170, 0x376)];
  }

  private busMasterPorts(): PortDevice {
    const at = (offset: number): BusMaster => this.busMasters[offset >= BYTES_PER_CHANNEL ? 1 : 0];
    return {
      readPort: (offset, size) => {
        let value = 0;
        for (let i = 0; i < size; i++) value |= at(offset + i).readByte((offset + i) % BYTES_PER_CHANNEL) << (i * 8);
        return value >>> 0;
      },
      writePort: (offset, size, value) => {
        for (let i = 0; i < size; i++) at(offset + i).writeByte((offset + i) % BYTES_PER_CHANNEL, (value >>> (i * 8)) & 0xff);
      },
    };
  }

  reset(kind: ResetKind): void {
    this.resetConfig();
    this.primary.reset(kind);
    this.secondary.reset(kind);
  }

  save(): DeviceState {
    return {
      version: VERSION,
      fields: {
        config: this.saveConfig(),
        channels: [this.primary.saveFields(), this.secondary.saveFields()],
        busMasters: [this.busMasters[0].save(), this.busMasters[1].save()],
      },
    };
  }

  load(state: DeviceState): void {
    const saved = parseState(this.id, state, VERSION, schema);
    this.checkConfig(saved.config);
    this.primary.checkFields(saved.channels[0]);
    this.secondary.checkFields(saved.channels[1]);
    this.loadConfig(saved.config);
    this.busMasters[0].load(saved.busMasters[0]);
    this.busMasters[1].load(saved.busMasters[1]);
    this.primary.loadFields(saved.channels[0]);
    this.secondary.loadFields(saved.channels[1]);
  }

  override dispose(): void {
    this.primary.dispose();
    this.secondary.dispose();
    super.dispose();
  }
}
