// Intel 440FX host bridge (82441FX, 8086:1237), PCI 00:00.0: shadow RAM control (PAM), SMRAM control, DRAM size rows.
// Not emulated: DRAM timing, AGP, ECC and error reporting; their registers only keep what is written.

import { z } from 'zod';
import type { DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import { PciDevice, type PciDeviceOptions, pciConfigSchema } from './pci-device.ts';

const VERSION = 1;
const schema = z.strictObject({ config: pciConfigSchema });
const PAM0 = 0x59;
const PAM_COUNT = 7;
const SMRAM = 0x72;
const DRB7 = 0x67;
const LEGACY_DRB = 0x57;
const ROW_BYTES = 8 * 1024 * 1024;

const SMRAM_OPEN = 0x40;
const SMRAM_LOCK = 0x10;
const SMRAM_ENABLE = 0x08;
const SMRAM_DEFAULT = 0x02;

/** A part of C0000h-FFFFFh: where reads and writes go. Not enabled means to the PCI bus (ROM, or nowhere). */
export interface PamRegion {
  readonly start: number;
  readonly length: number;
  /** Reads come from RAM. */
  readonly readRam: boolean;
  /** Writes go to RAM. */
  readonly writeRam: boolean;
}

export interface I440fxOptions extends Pick<PciDeviceOptions, 'log'> {
  readonly id?: string | undefined;
  /** Memory below 4 GiB, for the DRAM row registers that old firmware reads. */
  readonly ramBytes: number;
  /** Called when shadowing changed, with all 13 regions. */
  readonly onPam: (regions: readonly PamRegion[]) => void;
  /** Called when SMRAM at A0000h became visible to (or hidden from) code outside system management mode. */
  readonly onSmram?: ((open: boolean) => void) | undefined;
}

export class I440fx extends PciDevice {
  private readonly onPam: (regions: readonly PamRegion[]) => void;
  private readonly onSmram: ((open: boolean) => void) | undefined;

  constructor(options: I440fxOptions) {
    super({
      id: options.id ?? 'i440fx',
      vendorId: 0x8086,
      deviceId: 0x1237,
      revision: 2,
      classCode: 0x060000,
      log: options.log,
    });
    this.onPam = options.onPam;
    this.onSmram = options.onSmram;
    this.setWritable(0x50, 4, 0xffffffff);
    this.setWritable(0x54, 4, 0xffffffff);
    this.setWritable(0x58, 1, 0xff);
    this.setWritable(PAM0, 1, 0x30);
    for (let i = 1; i < PAM_COUNT; i++) this.setWritable(PAM0 + i, 1, 0x33);
    for (let offset = 0x60; offset < 0x70; offset += 4) this.setWritable(offset, 4, 0xffffffff);
    this.setWritable(0x70, 2, 0xffff);
    this.setWritable(SMRAM, 1, 0x78);
    this.setDefault(SMRAM, 1, SMRAM_DEFAULT);
    const rows = Math.min(255, Math.floor(options.ramBytes / ROW_BYTES));
    this.setDefault(LEGACY_DRB, 1, rows);
    this.setDefault(DRB7, 1, 0);
  }

  /** Shadowing as the registers now say. */
  pamRegions(): PamRegion[] {
    const regions: PamRegion[] = [pamRegion(0xf0000, 0x10000, this.configWord(PAM0, 1) >> 4)];
    for (let i = 1; i < PAM_COUNT; i++) {
      const value = this.configWord(PAM0 + i, 1);
      const start = 0xc0000 + (i - 1) * 0x8000;
      regions.push(pamRegion(start, 0x4000, value & 3), pamRegion(start + 0x4000, 0x4000, (value >> 4) & 3));
    }
    return regions;
  }

  reset(): void {
    this.resetConfig();
    this.publish();
  }

  save(): DeviceState {
    return { version: VERSION, fields: { config: this.saveConfig() } };
  }

  load(state: DeviceState): void {
    const { config } = parseState(this.id, state, VERSION, schema);
    this.checkConfig(config);
    this.loadConfig(config);
    this.publish();
  }

  override writeConfig(offset: number, size: 1 | 2 | 4, value: number): void {
    const smram = this.configWord(SMRAM, 1);
    super.writeConfig(offset, size, value);
    if (offset <= SMRAM && offset + size > SMRAM) this.applySmram(smram);
  }

  protected override configWritten(offset: number, size: number): void {
    if (offset < PAM0 + PAM_COUNT && offset + size > PAM0) this.onPam(this.pamRegions());
  }

  /** D_LCK makes the register read-only until reset and closes the space. */
  private applySmram(before: number): void {
    if ((before & SMRAM_LOCK) !== 0) {
      this.setConfigWord(SMRAM, 1, before);
      return;
    }
    const value = this.configWord(SMRAM, 1);
    if ((value & SMRAM_LOCK) !== 0) this.setConfigWord(SMRAM, 1, value & ~SMRAM_OPEN);
    this.onSmram?.(this.smramOpen());
  }

  private smramOpen(): boolean {
    return (this.configWord(SMRAM, 1) & (SMRAM_OPEN | SMRAM_ENABLE)) === (SMRAM_OPEN | SMRAM_ENABLE);
  }

  private publish(): void {
    this.onPam(this.pamRegions());
    this.onSmram?.(this.smramOpen());
  }
}

function pamRegion(start: number, length: number, attributes: number): PamRegion {
  return { start, length, readRam: (attributes & 1) !== 0, writeRam: (attributes & 2) !== 0 };
}
