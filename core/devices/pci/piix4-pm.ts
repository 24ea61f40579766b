// Intel PIIX4 power management function (82371AB, 8086:7113), PCI 00:01.3: maps the ACPI registers (PMBA, 40h), the
// SMBus host (90h), the general-purpose event block, and the APM ports B2h/B3h through which ACPI mode is switched.
// Not emulated: SMM (firmware is told that it is set up already), device monitors, throttling.

import { z } from 'zod';
import type { Clock } from '../../base/clock.ts';
import { type Disposable, DisposableStore } from '../../base/disposable.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { AccessSize, PortBus, PortDevice } from '../../bus/port-bus.ts';
import type { DeviceState } from '../device.ts';
import { u8 } from '../platform/state-fields.ts';
import { parseState } from '../state.ts';
import { AcpiPm, acpiPmSchema } from './acpi-pm.ts';
import { GPE0_STS, PM_TMR } from './acpi-pm-registers.ts';
import { PciDevice, type PciDeviceOptions, pciConfigSchema } from './pci-device.ts';
import { SmbusHost, smbusHostSchema } from './smbus-host.ts';

const VERSION = 1;
const PMBA = 0x40;
const DEVACTB = 0x58;
const DEVACTB_APMC_EN = 0x02000000;
const PMREGMISC = 0x80;
const SMBUS_BASE = 0x90;
const SMBUS_CONFIG = 0xd2;

const PM_LENGTH = 64;
const SMBUS_LENGTH = 16;
const APM_CONTROL = 0xb2;
/** Values of SMI_CMD that the board's FADT must name. */
export const ACPI_ENABLE = 0xf1;
export const ACPI_DISABLE = 0xf0;
/** Where the board's FADT finds the general-purpose event block (4 bytes: status, enable). */
export const GPE0_BLOCK = 0xafe0;
const GPE0_LENGTH = 4;

const schema = z.strictObject({
  config: pciConfigSchema,
  pm: acpiPmSchema,
  smbus: smbusHostSchema,
  apmControl: u8,
  apmStatus: u8,
});

export interface Piix4PmOptions extends Pick<PciDeviceOptions, 'log'> {
  readonly id?: string | undefined;
  readonly clock: Clock;
  /** ISA IRQ 9. */
  readonly sci: IrqLine;
  /** The guest turned the machine off. */
  readonly onPowerOff: () => void;
  /** ISA devices that firmware looks up here. Default: two serial ports and one parallel port absent. */
  readonly serial1?: boolean | undefined;
  readonly serial2?: boolean | undefined;
  readonly parallel1?: boolean | undefined;
}

export class Piix4Pm extends PciDevice {
  private readonly pm: AcpiPm;
  private readonly smbus = new SmbusHost();
  private readonly pmPorts: PortDevice;
  private apmControl = 0;
  private apmStatus = 0;
  private pmMapping: Disposable | undefined;
  private pmMappedAt: number | undefined;
  private smbusMapping: Disposable | undefined;
  private smbusMappedAt: number | undefined;

  constructor(options: Piix4PmOptions) {
    super({
      id: options.id ?? 'piix4-pm',
      vendorId: 0x8086,
      deviceId: 0x7113,
      revision: 3,
      classCode: 0x068000,
      interruptPin: 1,
      log: options.log,
    });
    this.pm = new AcpiPm({
      name: this.id,
      clock: options.clock,
      sci: options.sci,
      onPowerOff: options.onPowerOff,
      onUnknownSleep: (type) => this.log.log('debug', 'guest asked for a sleep type that does not exist', { type }),
    });
    this.pmPorts = {
      readPort: (offset, size) => this.readPm(offset, size),
      writePort: (offset, size, value) => {
        for (let i = 0; i < size; i++) this.pm.writeByte(offset + i, (value >>> (i * 8)) & 0xff);
      },
    };
    this.setDefault(0x06, 2, 0x0280);
    this.setDefault(PMBA, 4, 0x00000001);
    this.setWritable(PMBA, 4, 0x0000ffc0);
    for (let offset = 0x44; offset < 0x80; offset += 4) this.setWritable(offset, 4, 0xffffffff);
    // APMC_EN tells firmware that system management mode needs no set-up.
    this.setDefault(DEVACTB, 4, DEVACTB_APMC_EN);
    this.setDefault(0x5f, 1, 0x10 | (options.parallel1 === true ? 0x80 : 0));
    this.setDefault(0x63, 1, 0x60);
    this.setDefault(0x67, 1, (options.serial1 === true ? 0x08 : 0) | (options.serial2 === true ? 0x90 : 0));
    this.setWritable(PMREGMISC, 1, 0x01);
    this.setDefault(SMBUS_BASE, 4, 0x00000001);
    this.setWritable(SMBUS_BASE, 4, 0x0000fff0);
    this.setWritable(SMBUS_CONFIG, 4, 0xffffff0f);
  }

  /** Fixed ports: APM control/status at B2h/B3h and the general-purpose event block. */
  attach(ports: PortBus): Disposable {
    const store = new DisposableStore();
    store.add(
      ports.register(APM_CONTROL, 2, {
        readPort: (offset) => (offset === 0 ? this.apmControl : this.apmStatus),
        writePort: (offset, _size, value) => this.writeApm(offset, value),
      }),
    );
    store.add(
      ports.register(GPE0_BLOCK, GPE0_LENGTH, {
        readPort: (offset) => this.pm.readByte(GPE0_STS + offset),
        writePort: (offset, _size, value) => this.pm.writeByte(GPE0_STS + offset, value),
      }),
    );
    return store;
  }

  /** Presses the power button for a moment: a guest in ACPI mode gets its event. */
  pressPowerButton(): void {
    this.pm.pressPowerButton();
  }

  /** True when the guest will act on the power button; else the machine has to be switched off hard. */
  get handlesPowerButton(): boolean {
    return this.pm.handlesPowerButton;
  }

  raiseGpe(bit: number): void {
    this.pm.raiseGpe(bit);
  }

  /** Puts the board in ACPI mode without firmware, for kernels that are started directly. */
  enableAcpi(): void {
    this.pm.setSciEnabled(true);
  }

  reset(): void {
    this.resetConfig();
    this.pm.reset();
    this.smbus.reset();
    this.apmControl = 0;
    this.apmStatus = 0;
    this.updatePorts();
  }

  save(): DeviceState {
    return {
      version: VERSION,
      fields: {
        config: this.saveConfig(),
        pm: this.pm.save(),
        smbus: this.smbus.save(),
        apmControl: this.apmControl,
        apmStatus: this.apmStatus,
      },
    };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    this.checkConfig(fields.config);
    this.loadConfig(fields.config);
    this.pm.load(fields.pm);
    this.smbus.load(fields.smbus);
    this.apmControl = fields.apmControl;
    this.apmStatus = fields.apmStatus;
    this.updatePorts();
  }

  override dispose(): void {
    super.dispose();
    this.pm.dispose();
  }

  protected override configWritten(offset: number, _size: number): void {
    if (offset >= PMBA) this.updatePorts();
  }

  protected override plugChanged(): void {
    this.updatePorts();
  }

  private readPm(offset: number, size: AccessSize): number {
    // The timer is read in one piece: separate byte reads could straddle a carry.
    if (offset === PM_TMR && size > 1) return size === 4 ? this.pm.readTimer() : this.pm.readTimer() & 0xffff;
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.pm.readByte(offset + i) << (i * 8);
    return value;
  }

  private writeApm(offset: number, value: number): void {
    if (offset === 1) {
      this.apmStatus = value;
      return;
    }
    this.apmControl = value;
    if (value === ACPI_ENABLE) this.pm.setSciEnabled(true);
    else if (value === ACPI_DISABLE) this.pm.setSciEnabled(false);
  }

  private updatePorts(): void {
    const pmBase = this.configWord(PMBA, 4) & 0xffc0;
    const pmAt = (this.configWord(PMREGMISC, 1) & 1) !== 0 && pmBase !== 0 ? pmBase : undefined;
    if (pmAt !== this.pmMappedAt || this.mapper === undefined) {
      this.pmMapping?.dispose();
      this.pmMappedAt = this.mapper === undefined ? undefined : pmAt;
      this.pmMapping = pmAt === undefined ? undefined : this.mapper?.mapPorts(pmAt, PM_LENGTH, this.pmPorts, 4);
    }
    const smbusBase = this.configWord(SMBUS_BASE, 4) & 0xfff0;
    const smbusAt = (this.configWord(SMBUS_CONFIG, 1) & 1) !== 0 && smbusBase !== 0 ? smbusBase : undefined;
    if (smbusAt !== this.smbusMappedAt || this.mapper === undefined) {
      this.smbusMapping?.dispose();
      this.smbusMappedAt = this.mapper === undefined ? undefined : smbusAt;
      this.smbusMapping =
        smbusAt === undefined ? undefined : this.mapper?.mapPorts(smbusAt, SMBUS_LENGTH, this.smbus, 1);
    }
  }
}
