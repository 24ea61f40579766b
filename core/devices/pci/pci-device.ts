// Base of every PCI function: 256 bytes of configuration space with per-bit write rules, base address registers that
// map and unmap their ranges, the expansion ROM, the INTx pin and the capability list (PCI 2.1, chapter 6).
// Not emulated: BIST, parity and system errors, cardbus pointers.

import type { Disposable } from '../../base/disposable.ts';
import { NestboxError } from '../../base/errors.ts';
import { type Logger, nullLogger } from '../../base/logger.ts';
import type { MmioDevice } from '../../bus/mmio-bus.ts';
import type { AccessSize, PortDevice } from '../../bus/port-bus.ts';
import type { Device, DeviceState, ResetKind } from '../device.ts';
import { bytes } from '../platform/state-fields.ts';
import * as R from './pci-registers.ts';

export interface PciDeviceOptions {
  readonly id: string;
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revision?: number | undefined;
  /** 24 bits: base class, sub class, programming interface; 0x010180 is an IDE controller. */
  readonly classCode: number;
  readonly subsystemVendorId?: number | undefined;
  readonly subsystemId?: number | undefined;
  /** Set on function 0 of a slot that holds more functions. */
  readonly multifunction?: boolean | undefined;
  /** 0 = none, 1 = INTA ... 4 = INTD. */
  readonly interruptPin?: 0 | 1 | 2 | 3 | 4 | undefined;
  readonly log?: Logger | undefined;
}

export type PciBar =
  | {
      readonly kind: 'io';
      /** A power of two from 4 to 256. */
      readonly sizeBytes: number;
      /** Answers the range while I/O decoding is on. May be left out when `onMap` does the mapping. */
      readonly device?: PortDevice | undefined;
      readonly maxSize?: AccessSize | undefined;
      /** Tells where the range now is, undefined = nowhere. */
      readonly onMap?: ((base: number | undefined) => void) | undefined;
    }
  | {
      /** `memory64` takes this register and the next one. */
      readonly kind: 'memory' | 'memory64';
      /** A power of two from 16. */
      readonly sizeBytes: number;
      readonly prefetchable?: boolean | undefined;
      /** Answers the range while memory decoding is on. May be left out when `onMap` does the mapping (frame buffers). */
      readonly device?: MmioDevice | undefined;
      readonly onMap?: ((base: number | undefined) => void) | undefined;
    };

/** How a function reaches the machine's address spaces; see BusPciMapper. */
export interface PciMapper {
  /** Never throws: a range that collides with another one is answered once the other is gone. */
  mapPorts(base: number, count: number, device: PortDevice, maxSize: AccessSize): Disposable;
  mapMemory(base: number, length: number, device: MmioDevice): Disposable;
}

/** What a function gets when it is plugged into a PciBus. */
export interface PciSlot {
  readonly mapper: PciMapper;
  /** Drives the slot's interrupt pin 1..4. */
  setPin(pin: number, level: boolean): void;
}

/** Schema of the configuration space in a saved state: use it for the field that holds `saveConfig()`. */
export const pciConfigSchema = bytes(256);

interface MappedBar {
  readonly offset: number;
  readonly bar: PciBar;
  base: number | undefined;
  mapping: Disposable | undefined;
}

export abstract class PciDevice implements Device {
  readonly id: string;
  protected readonly log: Logger;
  /** The registers as the guest reads them. */
  protected readonly config = new Uint8Array(256);
  private readonly defaults = new Uint8Array(256);
  private readonly writable = new Uint8Array(256);
  private readonly clearable = new Uint8Array(256);
  /** Bits that only the device changes, and that a saved state therefore carries too. */
  private readonly volatileBits = new Uint8Array(256);
  private readonly bars: MappedBar[] = [];
  private readonly interruptPin: number;
  private slot: PciSlot | undefined;
  private interruptLevel = false;
  private nextCapability = 0x40;
  private lastCapability = R.CAPABILITIES_POINTER;

  constructor(options: PciDeviceOptions) {
    this.id = options.id;
    this.log = (options.log ?? nullLogger).child(options.id);
    this.interruptPin = options.interruptPin ?? 0;
    this.setDefault(R.VENDOR_ID, 2, options.vendorId);
    this.setDefault(R.DEVICE_ID, 2, options.deviceId);
    this.setDefault(R.REVISION_ID, 1, options.revision ?? 0);
    this.setDefault(R.CLASS_CODE, 1, options.classCode & 0xff);
    this.setDefault(R.CLASS_CODE + 1, 2, options.classCode >>> 8);
    this.setDefault(R.HEADER_TYPE, 1, options.multifunction === true ? R.HEADER_MULTIFUNCTION : 0);
    // Firmware tells the platform by the host bridge's subsystem ids, so the defaults are those that it knows.
    this.setDefault(R.SUBSYSTEM_VENDOR_ID, 2, options.subsystemVendorId ?? 0x1af4);
    this.setDefault(R.SUBSYSTEM_ID, 2, options.subsystemId ?? 0x1100);
    this.setDefault(R.INTERRUPT_PIN, 1, this.interruptPin);
    this.setWritable(
      R.COMMAND,
      2,
      R.COMMAND_IO | R.COMMAND_MEMORY | R.COMMAND_MASTER | R.COMMAND_SERR | R.COMMAND_INTX_DISABLE,
    );
    this.setWritable(R.CACHE_LINE_SIZE, 1, 0xff);
    this.setWritable(R.LATENCY_TIMER, 1, 0xff);
    this.setWritable(R.INTERRUPT_LINE, 1, 0xff);
    this.setVolatile(R.STATUS, 2, 0xf900);
    this.setClearable(R.STATUS, 2, 0xf900);
  }

  abstract reset(kind: ResetKind): void;
  abstract save(): DeviceState;
  abstract load(state: DeviceState): void;

  /** Unplugs the function. Subclasses that hold more override it and call this one. */
  dispose(): void {
    this.unplug();
  }

  // --- set-up, by the subclass's constructor ---------------------------------------------------------------------

  /** Sets a register's value after reset (and now). */
  protected setDefault(offset: number, size: AccessSize, value: number): void {
    putLittleEndian(this.defaults, offset, size, value);
    putLittleEndian(this.config, offset, size, value);
  }

  /** Adds bits that the guest may write. */
  protected setWritable(offset: number, size: AccessSize, mask: number): void {
    orLittleEndian(this.writable, offset, size, mask);
  }

  /** Adds bits that the guest clears by writing 1 to them. */
  protected setClearable(offset: number, size: AccessSize, mask: number): void {
    orLittleEndian(this.clearable, offset, size, mask);
  }

  /** Adds bits that only the device changes at run time; saved states carry them. */
  protected setVolatile(offset: number, size: AccessSize, mask: number): void {
    orLittleEndian(this.volatileBits, offset, size, mask);
  }

  /** Declares a base address register, 0..5. */
  protected addBar(index: number, bar: PciBar): void {
    const offset = R.BAR0 + index * 4;
    if (bar.kind === 'io') {
      this.setDefault(offset, 4, R.BAR_IO);
      this.setWritable(offset, 4, -bar.sizeBytes & ~3);
    } else {
      const flags =
        (bar.kind === 'memory64' ? R.BAR_MEMORY_64 : 0) | (bar.prefetchable === true ? R.BAR_PREFETCHABLE : 0);
      this.setDefault(offset, 4, flags);
      this.setWritable(offset, 4, -bar.sizeBytes & ~15);
      if (bar.kind === 'memory64') this.setWritable(offset + 4, 4, 0xffffffff);
    }
    this.bars.push({ offset, bar, base: undefined, mapping: undefined });
  }

  /** Declares an expansion ROM; its image is padded to a power of two of at least 2 KiB. */
  protected addRom(image: Uint8Array): void {
    let sizeBytes = 2048;
    while (sizeBytes < image.length) sizeBytes *= 2;
    const padded = new Uint8Array(sizeBytes).fill(0xff);
    padded.set(image);
    this.setWritable(R.EXPANSION_ROM, 4, (-sizeBytes & ~0x7ff) | R.ROM_ENABLE);
    const device: MmioDevice = {
      readMmio: (offset, size) => getLittleEndian(padded, offset, size),
      writeMmio: () => undefined,
    };
    this.bars.push({
      offset: R.EXPANSION_ROM,
      bar: { kind: 'memory', sizeBytes, device },
      base: undefined,
      mapping: undefined,
    });
  }

  /** Appends a capability of `sizeBytes` to the list and returns its offset; the body starts 2 bytes after it. */
  protected addCapability(capabilityId: number, sizeBytes: number, offset = this.nextCapability): number {
    if (offset + sizeBytes > 256)
      throw new NestboxError('internal', `${this.id}: no room for capability ${capabilityId}`);
    this.setDefault(this.lastCapability, 1, offset);
    this.setDefault(offset, 1, capabilityId);
    this.setDefault(R.STATUS, 2, getLittleEndian(this.defaults, R.STATUS, 2) | R.STATUS_CAPABILITIES);
    this.lastCapability = offset + 1;
    this.nextCapability = (offset + sizeBytes + 3) & ~3;
    return offset;
  }

  // --- run time, for the subclass --------------------------------------------------------------------------------

  /** Called after a guest write changed configuration bytes `offset`..`offset + size - 1`. */
  protected configWritten(_offset: number, _size: number): void {}

  /** Called after the function was plugged in or unplugged: subclasses (un)map ranges that no base address register has. */
  protected plugChanged(): void {}

  /** The address spaces of the bus, undefined while the function is not plugged in. */
  protected get mapper(): PciMapper | undefined {
    return this.slot?.mapper;
  }

  protected configWord(offset: number, size: AccessSize): number {
    return getLittleEndian(this.config, offset, size);
  }

  /** Changes a register from the device's side; no write rule applies. */
  protected setConfigWord(offset: number, size: AccessSize, value: number): void {
    putLittleEndian(this.config, offset, size, value);
  }

  /** True while the guest lets the function start transfers of its own. */
  protected get busMasterEnabled(): boolean {
    return (this.configWord(R.COMMAND, 2) & R.COMMAND_MASTER) !== 0;
  }

  /** Where a base address register's range is now, undefined while it does not decode. */
  protected barBase(index: number): number | undefined {
    return this.bars.find((mapped) => mapped.offset === R.BAR0 + index * 4)?.base;
  }

  /** Drives the function's INTx pin (level-sensitive). */
  protected setInterrupt(level: boolean): void {
    this.interruptLevel = level;
    const status = this.configWord(R.STATUS, 2);
    this.setConfigWord(R.STATUS, 2, level ? status | R.STATUS_INTERRUPT : status & ~R.STATUS_INTERRUPT);
    this.drivePin();
  }

  /** Puts the configuration space back to its reset values, unmaps all ranges and releases the pin. */
  protected resetConfig(): void {
    this.config.set(this.defaults);
    this.setInterrupt(false);
    this.updateMappings();
  }

  protected saveConfig(): Uint8Array {
    return this.config.slice();
  }

  /**
   * Checks that a saved configuration space belongs to this kind of function. Call it before changing anything.
   * @throws NestboxError kind `bad-input`
   */
  protected checkConfig(saved: Uint8Array): void {
    if (getLittleEndian(saved, 0, 4) === getLittleEndian(this.defaults, 0, 4)) return;
    throw new NestboxError('bad-input', `Saved state of ${this.id} is of another PCI device`, { op: 'load state' });
  }

  /** Takes over a checked configuration space: only bits that can change do; ranges are mapped to match. */
  protected loadConfig(saved: Uint8Array): void {
    for (let offset = 0; offset < 256; offset++) {
      const mask = (this.writable[offset] ?? 0) | (this.clearable[offset] ?? 0) | (this.volatileBits[offset] ?? 0);
      this.config[offset] = ((this.defaults[offset] ?? 0) & ~mask) | ((saved[offset] ?? 0) & mask);
    }
    this.setInterrupt(this.interruptLevel);
    this.updateMappings();
  }

  // --- the bus's side --------------------------------------------------------------------------------------------

  /** Connects the function to a bus; called by PciBus. */
  plug(slot: PciSlot): void {
    this.unplug();
    this.slot = slot;
    this.updateMappings();
    this.drivePin();
    this.plugChanged();
  }

  /** Takes the function off its bus; called by PciBus. */
  unplug(): void {
    const slot = this.slot;
    this.slot = undefined;
    this.updateMappings();
    this.plugChanged();
    if (this.interruptPin !== 0) slot?.setPin(this.interruptPin, false);
  }

  /** A configuration read; `offset + size` stays within the aligned 4 bytes. */
  readConfig(offset: number, size: AccessSize): number {
    return getLittleEndian(this.config, offset, size);
  }

  /** A configuration write by the guest. */
  writeConfig(offset: number, size: AccessSize, value: number): void {
    for (let i = 0; i < size; i++) {
      const at = (offset + i) & 0xff;
      const byte = (value >>> (i * 8)) & 0xff;
      const writable = this.writable[at] ?? 0;
      const kept = (this.config[at] ?? 0) & ~(byte & (this.clearable[at] ?? 0));
      this.config[at] = (kept & ~writable) | (byte & writable);
    }
    if (offset < R.INTERRUPT_LINE) {
      if (offset < R.COMMAND + 2 && offset + size > R.COMMAND) this.drivePin();
      this.updateMappings();
    }
    this.configWritten(offset, size);
  }

  private drivePin(): void {
    if (this.interruptPin === 0) return;
    const enabled = (this.configWord(R.COMMAND, 2) & R.COMMAND_INTX_DISABLE) === 0;
    this.slot?.setPin(this.interruptPin, this.interruptLevel && enabled);
  }

  private updateMappings(): void {
    // Unmap first: a guest may swap two ranges with one command write.
    for (const mapped of this.bars) {
      if (mapped.base === undefined || mapped.base === this.decodedBase(mapped)) continue;
      mapped.base = undefined;
      mapped.mapping?.dispose();
      mapped.mapping = undefined;
      if (this.decodedBase(mapped) === undefined) mapped.bar.onMap?.(undefined);
    }
    for (const mapped of this.bars) {
      const base = this.decodedBase(mapped);
      if (base === undefined || base === mapped.base) continue;
      mapped.base = base;
      mapped.mapping = this.mapRange(mapped.bar, base);
      mapped.bar.onMap?.(base);
    }
  }

  private mapRange(bar: PciBar, base: number): Disposable | undefined {
    if (bar.device === undefined) return undefined;
    if (bar.kind === 'io') return this.slot?.mapper.mapPorts(base, bar.sizeBytes, bar.device, bar.maxSize ?? 4);
    return this.slot?.mapper.mapMemory(base, bar.sizeBytes, bar.device);
  }

  /** Where a range should be answered according to the registers, or undefined. */
  private decodedBase(mapped: MappedBar): number | undefined {
    if (this.slot === undefined) return undefined;
    const command = this.configWord(R.COMMAND, 2);
    const { bar, offset } = mapped;
    const low = this.configWord(offset, 4);
    if (bar.kind === 'io') {
      const base = (low & ~3) >>> 0;
      // Address 0 and ranges past the port space count as "not assigned"; the latter appear while a BAR is sized.
      return (command & R.COMMAND_IO) === 0 || base === 0 || base + bar.sizeBytes > 0x10000 ? undefined : base;
    }
    if ((command & R.COMMAND_MEMORY) === 0) return undefined;
    if (offset === R.EXPANSION_ROM && (low & R.ROM_ENABLE) === 0) return undefined;
    const mask = offset === R.EXPANSION_ROM ? ~0x7ff : ~15;
    const high = bar.kind === 'memory64' ? this.configWord(offset + 4, 4) : 0;
    const base = high * 0x1_0000_0000 + ((low & mask) >>> 0);
    // The last bytes below 4 GiB hold the firmware ROM; a range that ends there is a BAR being sized.
    const limit = bar.kind === 'memory64' ? 2 ** 52 : 0xffff_ffff;
    const sizing = high === 0 && base + bar.sizeBytes > 0xffff_ffff;
    return base === 0 || sizing || base + bar.sizeBytes > limit ? undefined : base;
  }
}

export function getLittleEndian(data: Uint8Array, offset: number, size: AccessSize): number {
  let value = data[offset] ?? 0xff;
  if (size >= 2) value |= (data[offset + 1] ?? 0xff) << 8;
  if (size === 4) value |= ((data[offset + 2] ?? 0xff) << 16) | ((data[offset + 3] ?? 0xff) << 24);
  return value >>> 0;
}

export function putLittleEndian(data: Uint8Array, offset: number, size: AccessSize, value: number): void {
  for (let i = 0; i < size; i++) data[offset + i] = value >>> (i * 8);
}

function orLittleEndian(data: Uint8Array, offset: number, size: AccessSize, value: number): void {
  for (let i = 0; i < size; i++) data[offset + i] = (data[offset + i] ?? 0) | ((value >>> (i * 8)) & 0xff);
}
