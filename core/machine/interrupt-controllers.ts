// The board's interrupt controllers as one part: 8259 pair, I/O APIC and local APIC, and the wires into them. An engine may
// borrow them for a time (KVM's own controllers, core/cpu/kvm/controller-loan.ts); whoever needs them meanwhile gets them
// back first.

import type { Clock, Timer } from '../base/clock.ts';
import { type Disposable, DisposableStore } from '../base/disposable.ts';
import type { MmioBus } from '../bus/mmio-bus.ts';
import type { AccessSize, PortBus, PortDevice } from '../bus/port-bus.ts';
import type { BoardControllers, ControllerBorrower, ControllerState } from '../cpu/kvm/controller-loan.ts';
import type { IoApicFields, LocalApicFields, PicChipFields } from '../cpu/kvm/irqchip-state.ts';
import type { LocalApic } from '../cpu/software/local-apic.ts';
import type { DeviceState } from '../devices/device.ts';
import type { IoApic } from '../devices/platform/io-apic.ts';
import type { Pic8259 } from '../devices/platform/pic-8259.ts';

const ISA_IRQS = 16;
/** The 8254's interrupt arrives at input 2 of the I/O APIC, as the MADT's source override tells. */
export const TIMER_INPUT = 2;

export interface InterruptControllersOptions {
  readonly pic: Pic8259;
  readonly ioApic: IoApic;
  /** One a processor. */
  readonly localApics: readonly LocalApic[];
  readonly clock: Clock;
}

export class InterruptControllers implements BoardControllers {
  private readonly options: InterruptControllersOptions;
  private borrower: ControllerBorrower | undefined;
  /** A wire rose, or the borrower's timer ran out, since the processor last ran. */
  private stirred = false;
  private readonly wakeTimer: Timer;

  constructor(options: InterruptControllersOptions) {
    this.options = options;
    this.wakeTimer = options.clock.createTimer('borrowed controllers', () => (this.stirred = true));
  }

  /** Drives input 0..23: an ISA interrupt below 16, which reaches the 8259s too (IRQ 0 at input 2 of the I/O APIC). */
  drive(gsi: number, level: boolean): void {
    if (this.borrower !== undefined) {
      this.stirred ||= level;
      this.borrower.setLine(gsi, level);
      return;
    }
    if (gsi < ISA_IRQS) this.options.pic.irq(gsi).set(level);
    this.options.ioApic.pin(gsi === 0 ? TIMER_INPUT : gsi).set(level);
  }

  /** True while the first processor has something to wake it. */
  hasInterrupt(): boolean {
    return this.borrower === undefined ? this.options.localApics[0]?.hasInterrupt() === true : this.stirred;
  }

  lend(borrower: ControllerBorrower): ControllerState {
    const { pic, ioApic, localApics } = this.options;
    const { master, slave } = pic.save().fields as unknown as { master: PicChipFields; slave: PicChipFields };
    const state = { pics: [master, slave] as const, ioApic: ioApic.save().fields as unknown as IoApicFields, localApics: localApics.map((apic) => apic.save().fields as unknown as LocalApicFields) };
    for (const apic of localApics) apic.stopTimer();
    this.borrower = borrower;
    return state;
  }

  takeBack(state: ControllerState): void {
    const { pic, ioApic, localApics } = this.options;
    this.borrower = undefined;
    this.wakeTimer.disarm();
    const versioned = (device: { save(): DeviceState }, fields: object): DeviceState => ({ version: device.save().version, fields: fields as DeviceState['fields'] });
    // The local APICs first: then the 8259's output does not move for them.
    localApics.forEach((apic, index) => apic.load(versioned(apic, state.localApics[index] ?? {})));
    pic.load(versioned(pic, { master: state.pics[0], slave: state.pics[1] }));
    ioApic.load(versioned(ioApic, state.ioApic));
  }

  wakeAt(nowNs: number | undefined): void {
    this.stirred = false;
    if (nowNs === undefined) this.wakeTimer.disarm();
    else this.wakeTimer.arm(nowNs);
  }

  /** Ports of the 8259s and the window of the I/O APIC. Guests get there only while the board has its controllers; firmware always. */
  attach(ports: PortBus, mmio: MmioBus): Disposable {
    const { pic, ioApic } = this.options;
    const store = new DisposableStore();
    const own = (): void => this.borrower?.giveBack();
    const guarded = (device: PortDevice): PortDevice => ({
      readPort: (offset: number, size: AccessSize) => {
        own();
        return device.readPort(offset, size);
      },
      writePort: (offset: number, size: AccessSize, value: number) => {
        own();
        device.writePort(offset, size, value);
      },
    });
    store.add(pic.attach({ register: (base, count, device, maxSize) => ports.register(base, count, guarded(device), maxSize) }));
    store.add(ioApic.attach(mmio));
    return store;
  }
}
