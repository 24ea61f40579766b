// The command block registers of one ATA device. Each of the 48-bit registers remembers the value before the last one
// (the "high order byte"), which 48-bit commands use and the HOB bit makes readable.

import { z } from 'zod';
import { u8 } from '../platform/state-fields.ts';
import * as A from './ata-registers.ts';

export const taskFileSchema = z.strictObject({
  feature: u8, featureHigh: u8, sectorCount: u8, sectorCountHigh: u8, lbaLow: u8, lbaLowHigh: u8, lbaMid: u8, lbaMidHigh: u8, lbaHigh: u8,
  lbaHighHigh: u8, device: u8, error: u8,
});

export class TaskFile {
  feature = 0;
  featureHigh = 0;
  sectorCount = 0;
  sectorCountHigh = 0;
  lbaLow = 0;
  lbaLowHigh = 0;
  lbaMid = 0;
  lbaMidHigh = 0;
  lbaHigh = 0;
  lbaHighHigh = 0;
  /** Bits 3-0 and 6 of the device register; the select bit belongs to the channel. */
  device = 0;
  error = 0;

  read(register: number, high: boolean): number {
    switch (register) {
      case A.REG_ERROR_FEATURE: return this.error;
      case A.REG_SECTOR_COUNT: return high ? this.sectorCountHigh : this.sectorCount;
      case A.REG_LBA_LOW: return high ? this.lbaLowHigh : this.lbaLow;
      case A.REG_LBA_MID: return high ? this.lbaMidHigh : this.lbaMid;
      case A.REG_LBA_HIGH: return high ? this.lbaHighHigh : this.lbaHigh;
      default: return 0;
    }
  }

  write(register: number, value: number): void {
    switch (register) {
      case A.REG_ERROR_FEATURE: this.featureHigh = this.feature; this.feature = value; return;
      case A.REG_SECTOR_COUNT: this.sectorCountHigh = this.sectorCount; this.sectorCount = value; return;
      case A.REG_LBA_LOW: this.lbaLowHigh = this.lbaLow; this.lbaLow = value; return;
      case A.REG_LBA_MID: this.lbaMidHigh = this.lbaMid; this.lbaMid = value; return;
      case A.REG_LBA_HIGH: this.lbaHighHigh = this.lbaHigh; this.lbaHigh = value; return;
      case A.REG_DEVICE: this.device = value & (A.DEVICE_LBA | 0x0f); return;
      default: return;
    }
  }

  /** What reset, diagnostics and identify leave behind: tells disks (0000) from packet devices (EB14). */
  setSignature(packetDevice: boolean): void {
    this.sectorCount = 1;
    this.lbaLow = 1;
    this.lbaMid = packetDevice ? 0x14 : 0;
    this.lbaHigh = packetDevice ? 0xeb : 0;
    this.sectorCountHigh = this.lbaLowHigh = this.lbaMidHigh = this.lbaHighHigh = 0;
    this.device = 0;
  }

  lba28(): number {
    return this.lbaLow | (this.lbaMid << 8) | (this.lbaHigh << 16) | ((this.device & 0x0f) << 24);
  }

  lba48(): number {
    const low = this.lbaLow + this.lbaMid * 0x100 + this.lbaHigh * 0x1_0000;
    return low + (this.lbaLowHigh + this.lbaMidHigh * 0x100 + this.lbaHighHigh * 0x1_0000) * 0x100_0000;
  }

  setLba28(lba: number): void {
    this.lbaLow = lba & 0xff;
    this.lbaMid = (lba >>> 8) & 0xff;
    this.lbaHigh = (lba >>> 16) & 0xff;
    this.device = (this.device & 0xf0) | ((lba >>> 24) & 0x0f);
  }

  setLba48(lba: number): void {
    const high = Math.floor(lba / 0x100_0000);
    this.lbaLow = lba & 0xff;
    this.lbaMid = (lba >>> 8) & 0xff;
    this.lbaHigh = (lba >>> 16) & 0xff;
    this.lbaLowHigh = high & 0xff;
    this.lbaMidHigh = (high >>> 8) & 0xff;
    this.lbaHighHigh = (high >>> 16) & 0xff;
  }

  save(): z.infer<typeof taskFileSchema> {
    const { feature, featureHigh, sectorCount, sectorCountHigh, lbaLow, lbaLowHigh, lbaMid, lbaMidHigh, lbaHigh, lbaHighHigh, device, error } = this;
    return { feature, featureHigh, sectorCount, sectorCountHigh, lbaLow, lbaLowHigh, lbaMid, lbaMidHigh, lbaHigh, lbaHighHigh, device, error };
  }

  load(saved: z.infer<typeof taskFileSchema>): void {
    Object.assign(this, saved);
  }
}
