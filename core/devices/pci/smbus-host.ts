// The PIIX4's SMBus host controller (82371AB datasheet, 7.3) on a bus without devices: each transaction ends at once
// with "no acknowledge", which is what a scan of an empty bus sees.

import { z } from 'zod';
import type { AccessSize, PortDevice } from '../../bus/port-bus.ts';
import { u8 } from '../platform/state-fields.ts';

const HOST_STATUS = 0;
const SLAVE_STATUS = 1;
const HOST_CONTROL = 2;
const BLOCK_DATA = 7;
const STATUS_DEVICE_ERROR = 0x04;
const STATUS_CLEARABLE = 0x1e;
const CONTROL_START = 0x40;
const CONTROL_WRITABLE = 0x1f;

export const smbusHostSchema = z.strictObject({
  status: u8,
  control: u8,
  command: u8,
  address: u8,
  data0: u8,
  data1: u8,
});

export class SmbusHost implements PortDevice {
  private status = 0;
  /** HOST_CONTROL, command, address, data 0, data 1: registers 2..6. */
  private readonly registers = new Uint8Array(5);

  readPort(offset: number, _size: AccessSize): number {
    if (offset === HOST_STATUS) return this.status;
    if (offset === SLAVE_STATUS || offset >= BLOCK_DATA) return 0;
    return this.registers[offset - HOST_CONTROL] ?? 0;
  }

  writePort(offset: number, _size: AccessSize, value: number): void {
    if (offset === HOST_STATUS) this.status &= ~(value & STATUS_CLEARABLE);
    else if (offset === HOST_CONTROL) {
      this.registers[0] = value & CONTROL_WRITABLE;
      if ((value & CONTROL_START) !== 0) this.status |= STATUS_DEVICE_ERROR;
    } else if (offset > HOST_CONTROL && offset < BLOCK_DATA) this.registers[offset - HOST_CONTROL] = value;
  }

  reset(): void {
    this.status = 0;
    this.registers.fill(0);
  }

  save(): z.infer<typeof smbusHostSchema> {
    const [control = 0, command = 0, address = 0, data0 = 0, data1 = 0] = this.registers;
    return { status: this.status, control, command, address, data0, data1 };
  }

  load(state: z.infer<typeof smbusHostSchema>): void {
    this.status = state.status & STATUS_CLEARABLE;
    this.registers.set([state.control & CONTROL_WRITABLE, state.command, state.address, state.data0, state.data1]);
  }
}
