// The built-in BIOS: a ROM of stubs assembled from our own source, and its services in TypeScript behind a private I/O
// port. Everything that a real BIOS keeps in memory lies in the guest's BIOS data areas; what is saved here is only which
// CD was booted, the disks' geometries and where POST and INT 19h are.

import { z } from 'zod';
import type { Disposable } from '../../base/disposable.ts';
import type { AccessSize, PortBus, PortDevice } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../../devices/device.ts';
import { parseState } from '../../devices/state.ts';
import { type MemoryMapEntry, pcMemoryMap } from '../loaders/memory-map.ts';
import type { BiosContext } from './context.ts';
import { BDA } from './data-area.ts';
import { BootServices } from './disk/boot.ts';
import { DriveMap, FIRST_CDROM } from './disk/drive-map.ts';
import { DiskServices } from './disk/int13.ts';
import { Frame } from './frame.ts';
import { GuestMemory } from './guest-memory.ts';
import { Keyboard } from './input/keyboard.ts';
import { Mouse } from './input/mouse.ts';
import { OperationTable } from './operations.ts';
import { nextOptionRom } from './post/option-roms.ts';
import { Post } from './post/post.ts';
import { TablePlacer } from './post/table-placer.ts';
import { RomImage } from './rom/rom-image.ts';
import { ROM_FIXED } from './rom/rom-entries.ts';
import {
  ACTION_DONE,
  ACTION_PENDING,
  TRAP_OPTION_ROM,
  TRAP_PCI32,
  TRAP_PORT_BASE,
  TRAP_PORT_COUNT,
  TRAP_POST,
  TRAP_SERVICE,
} from './rom/trap.ts';
import { SystemServices } from './services/int15.ts';
import { ClockServices } from './services/int1a.ts';
import { PciBios } from './services/pci-bios.ts';
import { PortServices } from './services/ports-services.ts';
import type { BiosOptions, BiosPlatform } from './types.ts';
import { VgaRom } from './video/vga-rom.ts';
import { Video } from './video/video.ts';

const STATE_VERSION = 1;
const sector = z.int().min(0).max(0xffffffff);
const u16 = z.int().min(0).max(0xffff);
const geometrySchema = z.strictObject({
  cylinders: z.int().min(1).max(1024),
  heads: z.int().min(1).max(255),
  sectors: z.int().min(1).max(63),
});
const bootedSchema = z.strictObject({
  mediaType: z.int().min(0).max(4),
  loadSegment: u16,
  sectorCount: u16,
  imageSector: sector,
  cdrom: z.int().min(0).max(7),
  driveNumber: z.int().min(0).max(0xff),
  catalogSector: sector,
});
const stateSchema = z.strictObject({
  bootedCd: bootedSchema.nullable(),
  /** Geometry of the drive that the booted CD's image stands in for; null when there is none. */
  emulation: geometrySchema.nullable(),
  diskGeometries: z.array(geometrySchema.nullable()).max(32),
  waitingForKey: z.boolean(),
  nextOptionRom: z.int().min(0).max(0xffff),
  idlePolls: z.strictObject({ polls: z.int().min(0).max(0xffff), lastNs: z.int().min(0), halted: z.boolean() }),
});

const FIRST_OPTION_ROM = 0xc800;

export interface Bios {
  /** 128 KiB for E0000-FFFFF, repeated at the top of 4 GiB. */
  readonly rom: Uint8Array;
  /** The 32 KiB that POST puts into shadow RAM at C0000. */
  readonly vgaRom: Uint8Array;
  readonly device: BiosDevice;
}

export class BiosDevice implements Device, PortDevice {
  readonly id = 'bios';
  private readonly platform: BiosPlatform;
  private readonly context: BiosContext;
  private readonly operations: OperationTable;
  private readonly drives: DriveMap;
  private readonly boot: BootServices;
  private readonly video: Video;
  private readonly keyboard: Keyboard;
  private readonly mouse: Mouse;
  private readonly disks: DiskServices;
  private readonly system: SystemServices;
  private readonly clock: ClockServices;
  private readonly pci: PciBios;
  private readonly portServices: PortServices;
  private readonly post: Post;
  private readonly frame = new Frame();
  private readonly wideFrame = new Frame(true);
  private optionRom = FIRST_OPTION_ROM;

  constructor(options: BiosOptions, platform: BiosPlatform, rom: RomImage, vgaRom: VgaRom) {
    this.platform = platform;
    const tables = new TablePlacer(rom, options.lowRamBytes);
    options.tables?.((bytes, alignment, region) => tables.place(bytes, alignment, region));
    this.operations = new OperationTable(platform.io, platform.yieldCpu);
    this.drives = new DriveMap(options.drives);
    const context: BiosContext & { screen: Video; boot: BootServices } = {
      options,
      mem: new GuestMemory(platform.cpu),
      physical: platform.memory,
      ports: platform.ports,
      clock: platform.clock,
      log: platform.log,
      operations: this.operations,
      drives: this.drives,
      memoryMap: options.memoryMap ?? pcMemoryMap(options, tables.reserved()),
      floppyTable: { segment: 0xf000, offset: ROM_FIXED.floppyTable },
      romSymbol: (name) => rom.symbol(name),
      yieldCpu: platform.yieldCpu,
      screen: undefined as unknown as Video,
      boot: undefined as unknown as BootServices,
    };
    this.context = context;
    this.video = context.screen = new Video(context, vgaRom);
    this.boot = context.boot = new BootServices(context, () => this.post.updateDisks());
    this.keyboard = new Keyboard(context);
    this.mouse = new Mouse(context);
    this.disks = new DiskServices(context);
    this.system = new SystemServices(context, this.mouse);
    this.pci = new PciBios(platform.ports);
    this.clock = new ClockServices(context, this.pci);
    this.portServices = new PortServices(context);
    this.post = new Post(context, { video: this.video, keyboard: this.keyboard, clock: this.clock, vgaRom, tables });
  }

  /** What INT 15h E820h tells. */
  get memoryMap(): readonly MemoryMapEntry[] {
    return this.context.memoryMap;
  }

  /** Claims the trap ports. */
  attach(ports: PortBus): Disposable {
    return ports.register(TRAP_PORT_BASE, TRAP_PORT_COUNT, this);
  }

  readPort(offset: number, _size: AccessSize): number {
    switch (offset) {
      case TRAP_SERVICE:
        return this.serve();
      case TRAP_PCI32:
        return this.servePci32();
      case TRAP_POST:
        this.forget();
        return this.post.run();
      case TRAP_OPTION_ROM:
        return this.findOptionRom();
      default:
        return 0xff;
    }
  }

  writePort(): void {
    // The stubs only read.
  }

  private serve(): number {
    const { frame } = this;
    frame.load(this.platform.cpu());
    const action = this.operations.resume(frame) ?? this.dispatch(frame);
    frame.store();
    return action;
  }

  private servePci32(): number {
    const frame = this.wideFrame;
    frame.load(this.platform.cpu());
    this.pci.handle(frame);
    frame.store();
    return ACTION_DONE;
  }

  private dispatch(frame: Frame): number {
    switch (frame.service) {
      case 0x05:
        return this.portServices.printScreen();
      case 0x09:
        return this.keyboard.interrupt(frame.spare & 0xff);
      case 0x10:
        return this.video.handle(frame);
      case 0x11:
        frame.ax = this.context.mem.read16(BDA.EQUIPMENT);
        return ACTION_DONE;
      case 0x12:
        frame.ax = this.context.mem.read16(BDA.MEMORY_KIB);
        return ACTION_DONE;
      case 0x13:
        return this.disks.handle(frame);
      case 0x14:
        return this.portServices.serial(frame);
      case 0x15:
        return this.system.handle(frame);
      case 0x16:
        return this.keyboard.handle(frame);
      case 0x17:
        return this.portServices.printer(frame);
      case 0x18:
        return this.boot.noBoot(frame);
      case 0x19:
        if (this.platform.startKernel !== undefined) {
          this.platform.startKernel();
          return ACTION_PENDING;
        }
        return this.boot.bootstrap(frame);
      case 0x1a:
        return this.clock.handle(frame);
      case 0x70:
        return this.system.clockInterrupt();
      case 0x74:
        return this.mouse.interrupt();
      default:
        // A guest may jump into the stubs with anything on its stack.
        return ACTION_DONE;
    }
  }

  private findOptionRom(): number {
    const segment = nextOptionRom(this.context.mem, this.optionRom);
    if (segment === undefined) return 0;
    this.optionRom = segment.after;
    this.frame.load(this.platform.cpu());
    this.frame.ax = segment.found;
    this.frame.store();
    return 1;
  }

  private forget(): void {
    this.operations.clear();
    this.boot.reset();
    this.mouse.reset();
    this.keyboard.reset();
    this.optionRom = FIRST_OPTION_ROM;
  }

  reset(): void {
    this.forget();
  }

  save(): DeviceState {
    const { drives, boot } = this;
    return {
      version: STATE_VERSION,
      fields: {
        bootedCd: boot.bootedCd === undefined ? null : { ...boot.bootedCd },
        emulation: drives.emulation === undefined ? null : { ...drives.emulation.geometry },
        diskGeometries: drives
          .partitionGeometries()
          .map((geometry) => (geometry === undefined ? null : { ...geometry })),
        waitingForKey: boot.waiting,
        nextOptionRom: this.optionRom,
        idlePolls: this.keyboard.idleState,
      },
    };
  }

  load(state: DeviceState): void {
    const saved = parseState(this.id, state, STATE_VERSION, stateSchema);
    this.forget();
    const { drives, boot } = this;
    const cd = saved.bootedCd ?? undefined;
    boot.bootedCd = cd !== undefined && FIRST_CDROM + cd.cdrom < FIRST_CDROM + drives.cdroms.length ? cd : undefined;
    drives.emulation =
      boot.bootedCd === undefined || saved.emulation === null
        ? undefined
        : { ...boot.bootedCd, geometry: saved.emulation };
    drives.disks.forEach((drive, index) =>
      drives.setPartitionGeometry(drive, saved.diskGeometries[index] ?? undefined),
    );
    boot.waiting = saved.waitingForKey;
    this.optionRom = saved.nextOptionRom;
    this.keyboard.idleState = saved.idlePolls;
  }

  dispose(): void {
    this.operations.clear();
  }
}

/** Makes the BIOS of one machine. */
export function createBios(options: BiosOptions, platform: BiosPlatform): Bios {
  const rom = new RomImage(options.fonts.font8);
  const vgaRom = new VgaRom(options.fonts);
  const device = new BiosDevice(options, platform, rom, vgaRom);
  return { rom: rom.bytes, vgaRom: vgaRom.bytes, device };
}
