// The board of machine type `pc` (i440FX and PIIX3): makes every device and wires it. The only place, with pc-machine.ts,
// that names concrete device classes.

import { type Disposable, DisposableStore, toDisposable } from '../base/disposable.ts';
import type { Logger } from '../base/logger.ts';
import type { TimerQueue } from '../base/timer-queue.ts';
import { InterruptBus } from '../bus/interrupt-bus.ts';
import type { IrqLine } from '../bus/irq.ts';
import { MmioBus } from '../bus/mmio-bus.ts';
import { PortBus } from '../bus/port-bus.ts';
import { LocalApic } from '../cpu/software/local-apic.ts';
import type { Device } from '../devices/device.ts';
import { VgaPci } from '../devices/display/vga-pci.ts';
import { I8042 } from '../devices/input/i8042.ts';
import { type CallRegisters, VmMouse } from '../devices/input/vmmouse.ts';
import { I440fx } from '../devices/pci/i440fx.ts';
import { PciBus } from '../devices/pci/pci-bus.ts';
import { BusPciMapper } from '../devices/pci/pci-mapper.ts';
import { Piix3 } from '../devices/pci/piix3.ts';
import { Piix4Pm } from '../devices/pci/piix4-pm.ts';
import { DebugPorts } from '../devices/platform/debug-ports.ts';
import { Dma8237 } from '../devices/platform/dma-8237.ts';
import { GatedLine } from '../devices/platform/gated-line.ts';
import { Hpet } from '../devices/platform/hpet.ts';
import { IoApic } from '../devices/platform/io-apic.ts';
import { type GuestCounter, KvmClock } from '../devices/platform/kvm-clock.ts';
import { Pic8259 } from '../devices/platform/pic-8259.ts';
import { Pit8254 } from '../devices/platform/pit-8254.ts';
import { Port92 } from '../devices/platform/port-92.ts';
import { RtcMc146818 } from '../devices/platform/rtc-mc146818.ts';
import { VmGenerationId } from '../devices/platform/vm-generation-id.ts';
import { Uart16550 } from '../devices/platform/uart-16550.ts';
import { Fdc82077 } from '../devices/storage/fdc-82077.ts';
import { GENERATION_GPE } from '../firmware/acpi/board.ts';
import { FW_CFG_PORT_BASE, FW_CFG_PORT_COUNT, FwCfg } from '../firmware/fw-cfg/fw-cfg.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import { InterruptControllers } from './interrupt-controllers.ts';
import { InterruptWiring } from './interrupt-wiring.ts';
import type { IoQueue } from './io-queue.ts';
import { PcMemoryMap } from './pc-memory-map.ts';

/** PCI slots of the board. */
export const SLOT = { hostBridge: 0, southBridge: 1, display: 2 } as const;
/** Legacy VGA memory: the windows of all modes. */
export const DISPLAY_WINDOW = { address: 0xa_0000, bytes: 0x2_0000 } as const;
const FDC_DMA_CHANNEL = 2;

export interface PcBoardOptions {
  readonly memory: PhysicalMemory;
  readonly timers: TimerQueue;
  readonly io: IoQueue;
  readonly log: Logger;
  readonly epochMsAtPowerOn: number;
  /** Virtual time at which the TSC reaches a value, for the local APIC's deadline mode. */
  readonly tscToNs: (tsc: number) => number;
  /** The guest's time-stamp counter for the paravirtual clock; undefined = a board without one. */
  readonly paravirtualCounter: GuestCounter | undefined;
  readonly floppyDrives: number;
  /** Expansion ROM of the display adapter, for external firmware. */
  readonly vgaRom: Uint8Array | undefined;
  readonly debugExit: boolean;
  /** VM generation id at power-on, as it lies in memory. */
  readonly generation: Uint8Array;
  /** Registers of the processor that reads a port. */
  readonly registers: CallRegisters;
  readonly processors: number;
  // What the board asks of the machine around it; `cpu` is the number of a processor.
  readonly setInterruptRequest: (cpu: number, level: boolean) => void;
  readonly raiseNmi: (cpu: number) => void;
  readonly raiseInit: (cpu: number) => void;
  readonly raiseStartup: (cpu: number, vector: number) => void;
  readonly setA20: (enabled: boolean) => void;
  readonly requestReset: () => void;
  readonly powerOff: () => void;
  readonly exitWith: (value: number) => void;
  readonly panicked: (events: number) => void;
  readonly serialOutput: (port: number, byte: number) => void;
  readonly debugOutput: (byte: number) => void;
}

export class PcBoard {
  readonly ports = new PortBus();
  readonly mmio = new MmioBus();
  readonly memoryMap: PcMemoryMap;
  readonly pci: PciBus;
  readonly pic: Pic8259;
  readonly ioApic: IoApic;
  /** One a processor. */
  readonly localApics: readonly LocalApic[];
  /** The first processor's. */
  readonly localApic: LocalApic;
  readonly pit: Pit8254;
  readonly rtc: RtcMc146818;
  readonly keyboard: I8042;
  /** The absolute pointer. */
  readonly pointer: VmMouse;
  readonly serial: readonly Uart16550[];
  readonly dma: Dma8237;
  readonly floppy: Fdc82077;
  readonly vga: VgaPci;
  readonly pm: Piix4Pm;
  readonly fwCfg: FwCfg;
  readonly generationId: VmGenerationId;
  readonly kvmClock: KvmClock | undefined;
  readonly controllers: InterruptControllers;
  readonly irqs: InterruptWiring;
  /** Every device with state, in the order in which it is reset, saved and loaded. */
  readonly devices: Device[] = [];
  private readonly attached = new DisposableStore();

  constructor(options: PcBoardOptions) {
    const { memory, timers: clock, io, log } = options;
    this.memoryMap = new PcMemoryMap(memory, this.mmio);

    const interruptBus = new InterruptBus();
    this.pic = this.add(new Pic8259({ intr: { set: (level) => this.localApic.lint0.set(level) } }));
    let apicWindow: Disposable | undefined;
    const placeApic = (): void => {
      apicWindow?.dispose();
      const base = this.localApic.mmioBase;
      apicWindow = base === undefined ? undefined : this.mmio.register(base, 0x1000, this.localApic, 2);
    };
    this.localApics = Array.from({ length: options.processors }, (_, cpu) =>
      this.add(
        new LocalApic({
          id: `lapic${cpu}`,
          apicId: cpu,
          isBsp: cpu === 0,
          clock,
          bus: interruptBus,
          tscToNs: options.tscToNs,
          onInterruptRequest: (level) => options.setInterruptRequest(cpu, level),
          onNmi: () => options.raiseNmi(cpu),
          onInit: () => options.raiseInit(cpu),
          onStartup: (vector) => options.raiseStartup(cpu, vector),
          // The 8259s and the window reach the first; engines with several processors have windows of their own.
          ...(cpu === 0 ? { pic: this.pic, onBaseChanged: placeApic } : {}),
        }),
      ),
    );
    this.localApic = this.localApics[0] as LocalApic;
    placeApic();
    this.attached.add(toDisposable(() => apicWindow?.dispose()));
    this.ioApic = this.add(new IoApic({ id: 'ioapic', bus: interruptBus }));
    this.controllers = new InterruptControllers({ pic: this.pic, ioApic: this.ioApic, localApics: this.localApics, clock });
    this.irqs = new InterruptWiring((gsi, level) => this.controllers.drive(gsi, level));
    const isa = (irq: number): IrqLine => this.irqs.isa(irq);

    const setA20 = (enabled: boolean): void => options.setA20(enabled);
    this.pci = this.add(new PciBus({ mapper: new BusPciMapper({ ports: this.ports, mmio: this.mmio, isPciMemory: (base) => base >= memory.lowRamBytes, log }) }));
    const hostBridge = this.add(new I440fx({ ramBytes: memory.lowRamBytes, onPam: (regions) => this.memoryMap.setShadow(regions), log }));
    const southBridge = this.add(
      new Piix3({ isaIrqs: Array.from({ length: 16 }, (_, irq) => isa(irq)), onReset: () => options.requestReset(), log }),
    );
    this.pm = this.add(new Piix4Pm({ clock, sci: isa(9), onPowerOff: options.powerOff, serial1: true, serial2: true, log }));
    this.vga = this.add(
      new VgaPci({
        vram: memory.vram,
        vramDirty: { takeDirty: (from, to) => memory.takeVramDirty(from, to) },
        clock,
        log,
        saveVram: false,
        rom: options.vgaRom,
        onFrameBufferMap: (base) => this.memoryMap.setFrameBuffer(base, memory.layout.vramBytes),
      }),
    );
    this.pci.add(hostBridge, SLOT.hostBridge);
    this.pci.add(southBridge, SLOT.southBridge, 0);
    this.pci.add(this.pm, SLOT.southBridge, 3);
    this.pci.add(this.vga, SLOT.display);
    southBridge.connect(this.pci);

    this.dma = this.add(new Dma8237({ memory }));
    const irq0 = new GatedLine(isa(0));
    const irq8 = new GatedLine(isa(8));
    this.pit = this.add(new Pit8254({ clock, irq0 }));
    this.rtc = this.add(
      new RtcMc146818({ clock, wallClock: { epochMsAtPowerOn: options.epochMsAtPowerOn }, irq8 }),
    );
    const hpet = this.add(
      new Hpet({
        clock,
        irq: (input) => this.irqs.input(input),
        onLegacyReplacement: (enabled) => {
          irq0.setOpen(!enabled);
          irq8.setOpen(!enabled);
        },
      }),
    );
    const port92 = this.add(new Port92({ onA20: (enabled) => this.gateA20(enabled, setA20), onReset: options.requestReset }));
    this.keyboard = this.add(
      new I8042({
        clock,
        irq1: isa(1),
        irq12: isa(12),
        onA20: (enabled) => {
          port92.noteA20(enabled);
          setA20(enabled);
        },
        onReset: options.requestReset,
        log,
      }),
    );
    const { mouse } = this.keyboard;
    this.pointer = this.add(new VmMouse({ registers: options.registers, notify: () => mouse.nudge() }));
    this.serial = [0, 1].map((index) =>
      this.add(
        new Uart16550({
          id: `com${index + 1}`,
          base: index === 0 ? 0x3f8 : 0x2f8,
          clock,
          irq: isa(index === 0 ? 4 : 3),
          onTransmit: (byte) => options.serialOutput(index, byte),
        }),
      ),
    );
    this.floppy = this.add(
      new Fdc82077({ clock, irq: isa(6), dma: this.dma.channel(FDC_DMA_CHANNEL), io, log, driveCount: Math.max(1, options.floppyDrives) }),
    );
    this.fwCfg = this.add(new FwCfg({ memory, log }));
    this.generationId = this.add(new VmGenerationId({ generation: options.generation, onChanged: () => this.pm.raiseGpe(GENERATION_GPE) }));
    const counter = options.paravirtualCounter;
    this.kvmClock = counter === undefined ? undefined : this.add(new KvmClock({ id: 'kvm-clock0', clock, counter, memory, isRam: (address, length) => memory.isRam(address, length), epochMsAtPowerOn: options.epochMsAtPowerOn }));
    const debug = this.add(
      new DebugPorts({
        onDebugByte: options.debugOutput,
        onPanic: options.panicked,
        onExit: options.debugExit ? options.exitWith : undefined,
      }),
    );

    for (const device of [this.pci, this.pm, this.dma, this.pit, this.rtc, port92, this.keyboard, ...this.serial, debug]) {
      this.attached.add(device.attach(this.ports));
    }
    for (const range of [...this.vga.adapter.ports(), ...this.floppy.ports()]) {
      this.attached.add(this.ports.register(range.base, range.count, range.device, range.maxSize));
    }
    this.attached.add(this.pointer.attach(this.ports));
    this.attached.add(this.ports.register(FW_CFG_PORT_BASE, FW_CFG_PORT_COUNT, this.fwCfg, 4));
    this.attached.add(this.mmio.register(DISPLAY_WINDOW.address, DISPLAY_WINDOW.bytes, this.vga.adapter.window));
    this.attached.add(hpet.attach(this.mmio));
    this.attached.add(this.controllers.attach(this.ports, this.mmio));
    this.attached.add(this.generationId.attach(this.mmio));
  }

  private gateA20(enabled: boolean, setA20: (enabled: boolean) => void): void {
    this.keyboard.noteA20(enabled);
    setA20(enabled);
  }

  private add<T extends Device>(device: T): T {
    this.devices.push(device);
    return device;
  }

  /** Adds a device made outside (disks, firmware traps), last in order. */
  register(device: Device): void {
    this.devices.push(device);
  }

  /** Devices in the order to load them: the interrupt controllers last, so that wires that move meanwhile leave no trace. */
  get devicesToLoad(): Device[] {
    const controllers: readonly Device[] = [this.pic, ...this.localApics, this.ioApic];
    return [...this.devices.filter((device) => !controllers.includes(device)), ...controllers];
  }

  reset(kind: 'power' | 'system'): void {
    for (const device of this.devices) device.reset(kind);
  }

  dispose(): void {
    this.attached.dispose();
    for (const device of this.devices.toReversed()) device.dispose();
  }
}
