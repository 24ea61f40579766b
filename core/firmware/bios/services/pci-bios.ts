// PCI BIOS functions (PCI BIOS Specification 2.1), reached by INT 1Ah/B1xxh and by the 32-bit entry of the BIOS32
// directory. One bus, no special cycles, no routing table (0Eh).

import type { AccessSize, PortBus } from '../../../bus/port-bus.ts';
import type { Frame } from '../frame.ts';
import { ACTION_DONE } from '../rom/trap.ts';
import { PciConfig } from './pci-config.ts';

const SUCCESSFUL = 0x00;
const FUNCTION_NOT_SUPPORTED = 0x81;
const BAD_VENDOR_ID = 0x83;
const DEVICE_NOT_FOUND = 0x86;
const BAD_REGISTER_NUMBER = 0x87;
const SIGNATURE = 0x20494350;

export class PciBios {
  private readonly config: PciConfig;

  constructor(ports: PortBus) {
    this.config = new PciConfig(ports);
  }

  handle(frame: Frame): number {
    // The 32-bit entry has its own functions 8xh.
    switch (frame.al & 0x7f) {
      case 0x01:
        return this.present(frame);
      case 0x02:
        return this.findDevice(frame);
      case 0x03:
        return this.findClass(frame);
      case 0x08:
        return this.readConfig(frame, 1);
      case 0x09:
        return this.readConfig(frame, 2);
      case 0x0a:
        return this.readConfig(frame, 4);
      case 0x0b:
        return this.writeConfig(frame, 1);
      case 0x0c:
        return this.writeConfig(frame, 2);
      case 0x0d:
        return this.writeConfig(frame, 4);
      default:
        return this.finish(frame, FUNCTION_NOT_SUPPORTED);
    }
  }

  private finish(frame: Frame, status: number): number {
    frame.ah = status;
    frame.carry = status !== SUCCESSFUL;
    return ACTION_DONE;
  }

  private present(frame: Frame): number {
    frame.edx = SIGNATURE;
    // Configuration mechanism #1, version 2.10, last bus 0.
    frame.ax = 0x0001;
    frame.bx = 0x0210;
    frame.cl = 0;
    frame.carry = false;
    return ACTION_DONE;
  }

  private find(frame: Frame, matches: (place: number, id: number) => boolean): number {
    let left = frame.si;
    for (const { place, id } of this.config.functions()) {
      if (!matches(place, id)) continue;
      if (left-- > 0) continue;
      frame.bx = place;
      return this.finish(frame, SUCCESSFUL);
    }
    return this.finish(frame, DEVICE_NOT_FOUND);
  }

  private findDevice(frame: Frame): number {
    if (frame.dx === 0xffff) return this.finish(frame, BAD_VENDOR_ID);
    const wanted = frame.dx + frame.cx * 0x10000;
    return this.find(frame, (_, id) => id === wanted);
  }

  private findClass(frame: Frame): number {
    const wanted = frame.ecx & 0xffffff;
    return this.find(frame, (place) => this.config.read(place, 0x08, 4) >>> 8 === wanted);
  }

  private register(frame: Frame, size: AccessSize): number | undefined {
    return frame.di > 0xff || frame.di % size !== 0 ? undefined : frame.di;
  }

  private readConfig(frame: Frame, size: AccessSize): number {
    const register = this.register(frame, size);
    if (register === undefined) return this.finish(frame, BAD_REGISTER_NUMBER);
    const value = this.config.read(frame.bx, register, size);
    if (size === 1) frame.cl = value;
    else if (size === 2) frame.cx = value;
    else frame.ecx = value;
    return this.finish(frame, SUCCESSFUL);
  }

  private writeConfig(frame: Frame, size: AccessSize): number {
    const register = this.register(frame, size);
    if (register === undefined) return this.finish(frame, BAD_REGISTER_NUMBER);
    this.config.write(frame.bx, register, size, size === 1 ? frame.cl : size === 2 ? frame.cx : frame.ecx);
    return this.finish(frame, SUCCESSFUL);
  }
}
