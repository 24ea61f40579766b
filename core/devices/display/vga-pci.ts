// The PCI function of the standard VGA, 1234:1111 revision 2: BAR 0 = VRAM, BAR 2 = 4 KiB of registers (EDID at 0, VGA ports
// 3C0-3DF at 400h, dispi registers at 500h, extension registers at 600h), and an expansion ROM when one is given.

import { z } from 'zod';
import type { MmioDevice } from '../../bus/mmio-bus.ts';
import type { AccessSize } from '../../bus/port-bus.ts';
import type { DeviceState, ResetKind } from '../device.ts';
import { pciConfigSchema, PciDevice } from '../pci/pci-device.ts';
import { parseState } from '../state.ts';
import { monitorEdid } from './edid.ts';
import { VBE_DISPI_COUNT } from './vbe-dispi.ts';
import { VgaAdapter, vgaAdapterSchema, type VgaAdapterOptions } from './vga-adapter.ts';

export interface VgaPciOptions extends VgaAdapterOptions {
  /** An expansion ROM, for external firmware (vgabios-stdvga.bin). */
  readonly rom?: Uint8Array | undefined;
  /**
   * Tells where BAR 0 lies now (undefined = nowhere), for machines that map the VRAM directly. Without it the function
   * answers the range itself, access by access.
   */
  readonly onFrameBufferMap?: ((base: number | undefined) => void) | undefined;
}

const VERSION = 1;
const schema = z.strictObject({ config: pciConfigSchema, adapter: vgaAdapterSchema });

const MMIO_BYTES = 0x1000;
const MMIO_VGA_PORTS = 0x400;
const MMIO_DISPI = 0x500;
const MMIO_EXTENSION = 0x600;
const EXTENSION_BYTES = 8;
const EXTENSION_ENDIAN = 4;
const LITTLE_ENDIAN_MAGIC = 0x1e1e1e1e;
const BIG_ENDIAN_MAGIC = 0xbebebebe;

export class VgaPci extends PciDevice {
  readonly adapter: VgaAdapter;
  private readonly edid = monitorEdid();

  constructor(options: VgaPciOptions) {
    super({
      id: options.id ?? 'vga',
      vendorId: 0x1234,
      deviceId: 0x1111,
      revision: 2,
      classCode: 0x030000,
      subsystemVendorId: 0x1af4,
      subsystemId: 0x1100,
      log: options.log,
    });
    this.adapter = new VgaAdapter(options);
    const { onFrameBufferMap } = options;
    this.addBar(0, {
      kind: 'memory',
      sizeBytes: options.vram.length,
      prefetchable: true,
      ...(onFrameBufferMap === undefined ? { device: this.adapter.linearFrameBuffer } : { onMap: onFrameBufferMap }),
    });
    this.addBar(2, { kind: 'memory', sizeBytes: MMIO_BYTES, device: this.registerRange() });
    if (options.rom !== undefined) this.addRom(options.rom);
    // A display function must decode the legacy VGA ranges before any driver enables it; firmware does so by I/O enable.
    this.setWritable(0x04, 2, 0x0003);
  }

  private registerRange(): MmioDevice {
    return {
      readMmio: (offset, size) => this.readRegisters(offset, size),
      writeMmio: (offset, size, value) => this.writeRegisters(offset, size, value),
    };
  }

  private readRegisters(offset: number, size: AccessSize): number {
    if (offset + size <= this.edid.length) return this.readEdid(offset, size);
    if (offset >= MMIO_VGA_PORTS && offset < MMIO_VGA_PORTS + 0x20) {
      let value = 0;
      for (let i = 0; i < size; i++) value |= this.adapter.registers.readPort(0x3c0 + (offset & 0x1f) + i) << (i * 8);
      return value >>> 0;
    }
    if (offset >= MMIO_DISPI && offset < MMIO_DISPI + VBE_DISPI_COUNT * 2) {
      const value = this.adapter.dispi.readRegister((offset - MMIO_DISPI) >> 1);
      if (size === 1) return (value >> ((offset & 1) * 8)) & 0xff;
      return size === 2 ? value : (value | (this.adapter.dispi.readRegister(((offset - MMIO_DISPI) >> 1) + 1) << 16)) >>> 0;
    }
    if (offset === MMIO_EXTENSION && size === 4) return EXTENSION_BYTES;
    if (offset === MMIO_EXTENSION + EXTENSION_ENDIAN && size === 4) {
      return this.adapter.bigEndian ? BIG_ENDIAN_MAGIC : LITTLE_ENDIAN_MAGIC;
    }
    return 0;
  }

  private readEdid(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= (this.edid[offset + i] ?? 0) << (i * 8);
    return value >>> 0;
  }

  private writeRegisters(offset: number, size: AccessSize, value: number): void {
    if (offset >= MMIO_VGA_PORTS && offset < MMIO_VGA_PORTS + 0x20) {
      for (let i = 0; i < size; i++) this.adapter.registers.writePort(0x3c0 + (offset & 0x1f) + i, (value >>> (i * 8)) & 0xff);
    } else if (offset >= MMIO_DISPI && offset < MMIO_DISPI + VBE_DISPI_COUNT * 2) {
      if (size === 2) this.adapter.dispi.writeRegister((offset - MMIO_DISPI) >> 1, value);
    } else if (offset === MMIO_EXTENSION + EXTENSION_ENDIAN && size === 4) {
      if (value === LITTLE_ENDIAN_MAGIC) this.adapter.bigEndian = false;
      else if (value === BIG_ENDIAN_MAGIC) this.adapter.bigEndian = true;
    }
  }

  reset(kind: ResetKind): void {
    this.resetConfig();
    this.adapter.reset(kind);
  }

  save(): DeviceState {
    return { version: VERSION, fields: { config: this.saveConfig(), adapter: this.adapter.saveFields() } };
  }

  load(state: DeviceState): void {
    const saved = parseState(this.id, state, VERSION, schema);
    this.checkConfig(saved.config);
    this.adapter.checkFields(saved.adapter);
    this.loadConfig(saved.config);
    this.adapter.loadFields(saved.adapter);
  }

  override dispose(): void {
    this.adapter.dispose();
    super.dispose();
  }
}
