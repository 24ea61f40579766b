// The interrupt controllers that KVM runs in the kernel: 8259 pair, I/O APIC and local APICs (`full`), or local APICs alone
// (`split`, the rest stays in user space and sends messages). Lines, messages, routes, descriptors that raise interrupts
// or take doorbells without an exit, and the state of it all. The 8254 stays ours: KVM_SET_PIT2 restarts its counter, so
// a saved machine would not tick on as it was.

import { NestboxError } from '../../base/errors.ts';
import { Exchange } from './exchange.ts';
import { KVM, SIZE, capabilityId } from './ioctl.ts';
import { IO_APIC_STATE_BYTES, type IoApicFields, PIC_STATE_BYTES, type PicChipFields, ioApicFromKvm, ioApicToKvm, picFromKvm, picToKvm } from './irqchip-state.ts';
import type { KvmDevice } from './kvm-device.ts';
import { SYS } from './libc.ts';

export type IrqchipKind = 'full' | 'split';

const CHIP_MASTER = 0;
const CHIP_SLAVE = 1;
const CHIP_IO_APIC = 2;
/** Where the chip's state begins in struct kvm_irqchip. */
const CHIP_STATE_AT = 8;

const ROUTE_IRQCHIP = 1;
const ROUTE_MSI = 2;
const ISA_LINES = 16;
export const IO_APIC_PINS = 24;
/** IRQ 0 arrives at input 2 of the I/O APIC. */
const TIMER_PIN = 2;

const IRQFD_DEASSIGN = 1;
const IOEVENTFD_PIO = 2;
const IOEVENTFD_DATAMATCH = 1;
const IOEVENTFD_DEASSIGN = 4;
const EFD_NONBLOCK = 0x800;
const EFD_CLOEXEC = 0x80000;

const CHIP_AT = 0;
const LEVEL_AT = 544;
const MSI_AT = 576;
const IRQFD_AT = 640;
const IOEVENTFD_AT = 704;
const COUNTER_AT = 768;
const CAP_AT = 896;
const ROUTES_AT = 1024;
const MOST_ROUTES = 256;

export interface MsiRoute {
  readonly gsi: number;
  readonly address: number;
  readonly data: number;
}

/** What this KVM offers, asked once. */
export interface IrqchipOffer {
  readonly full: boolean;
  readonly split: boolean;
  readonly irqfd: boolean;
  readonly ioeventfd: boolean;
  readonly msi: boolean;
}

export function irqchipOffer(device: KvmDevice): IrqchipOffer {
  const has = (name: Parameters<KvmDevice['check']>[0]): boolean => device.check(name) > 0;
  return { full: has('irqchip') && has('irq-routing'), split: has('split-irqchip'), irqfd: has('irqfd'), ioeventfd: has('ioeventfd'), msi: has('signal-msi') };
}

export class KernelIrqchip {
  readonly kind: IrqchipKind;
  private readonly device: KvmDevice;
  private readonly vmDescriptor: number;
  private readonly exchange: Exchange;
  /** Levels of the ISA interrupts and of the I/O APIC's inputs as they were driven. */
  private isaLines = 0;
  private lines = 0;
  private msiRoutes: readonly MsiRoute[] = [];

  /** Before the first vCPU. @throws NestboxError `unsupported` when this KVM does not offer the kind */
  constructor(device: KvmDevice, vmDescriptor: number, kind: IrqchipKind) {
    this.device = device;
    this.vmDescriptor = vmDescriptor;
    this.kind = kind;
    this.exchange = new Exchange(device.libc, ROUTES_AT + SIZE.ROUTING_HEADER + MOST_ROUTES * SIZE.ROUTING_ENTRY);
    if (!irqchipOffer(device)[kind]) throw new NestboxError('unsupported', `This KVM has no ${kind === 'full' ? 'interrupt controllers' : 'local APICs'} of its own`, { op: 'create interrupt controllers' });
    if (kind === 'full') {
      this.call(KVM.CREATE_IRQCHIP, 0, 'create interrupt controllers');
      this.setRoutes([]);
    } else {
      const { view } = this.exchange;
      this.exchange.clear(CAP_AT, SIZE.ENABLE_CAP);
      view.setUint32(CAP_AT, capabilityId('split-irqchip'), true);
      // The inputs of the I/O APIC in user space, so that the kernel knows which routes end with an EOI.
      this.exchange.set64(CAP_AT + 8, IO_APIC_PINS);
      this.callAt(KVM.ENABLE_CAP, CAP_AT, 'create local APICs');
    }
  }

  private call(request: number, argument: number, what: string): number {
    const result = this.device.libc.ioctl(this.vmDescriptor, request, argument);
    if (result < 0) throw new NestboxError('io', `KVM cannot ${what} (error ${-result})`, { op: what, context: { errno: -result } });
    return result;
  }

  private callAt(request: number, at: number, what: string): number {
    return this.call(request, this.exchange.address + at, what);
  }

  // --- interrupts ------------------------------------------------------------------------------------------------

  /** Drives input 0..23: an ISA interrupt below 16, which reaches the 8259s too. */
  setLine(gsi: number, level: boolean): void {
    const set = (lines: number, bit: number): number => (level ? lines | bit : lines & ~bit);
    const pin = 1 << (gsi === 0 ? TIMER_PIN : gsi);
    // An initialised 8259 of KVM forgets its lines: the same level once more would be an edge to it.
    if (((this.lines & pin) !== 0) === level) return;
    this.lines = set(this.lines, pin);
    if (gsi < ISA_LINES && gsi !== TIMER_PIN) this.isaLines = set(this.isaLines, 1 << gsi);
    this.exchange.view.setUint32(LEVEL_AT, gsi, true);
    this.exchange.view.setUint32(LEVEL_AT + 4, level ? 1 : 0, true);
    this.callAt(KVM.IRQ_LINE, LEVEL_AT, 'drive an interrupt line');
  }

  /** A write of `data` to FEExxxxxh. @returns false when no processor took it */
  sendMsi(address: number, data: number): boolean {
    const { view } = this.exchange;
    this.exchange.clear(MSI_AT, SIZE.MSI);
    view.setUint32(MSI_AT, address >>> 0, true);
    view.setUint32(MSI_AT + 8, data >>> 0, true);
    return this.callAt(KVM.SIGNAL_MSI, MSI_AT, 'send a message-signalled interrupt') > 0;
  }

  /** The wires of the board, and messages that descriptors raise; numbers from 24 up are free for those. */
  setRoutes(messages: readonly MsiRoute[]): void {
    const { view, exchange } = this;
    let count = 0;
    const entry = (gsi: number, type: number, a: number, b: number, c: number): void => {
      const at = ROUTES_AT + SIZE.ROUTING_HEADER + count++ * SIZE.ROUTING_ENTRY;
      exchange.clear(at, SIZE.ROUTING_ENTRY);
      view.setUint32(at, gsi, true);
      view.setUint32(at + 4, type, true);
      view.setUint32(at + 16, a >>> 0, true);
      view.setUint32(at + 20, b >>> 0, true);
      view.setUint32(at + 24, c >>> 0, true);
    };
    if (this.kind === 'full') {
      for (let irq = 0; irq < ISA_LINES; irq++) if (irq !== TIMER_PIN) entry(irq, ROUTE_IRQCHIP, irq < 8 ? CHIP_MASTER : CHIP_SLAVE, irq & 7, 0);
      for (let irq = 0; irq < IO_APIC_PINS; irq++) if (irq !== TIMER_PIN) entry(irq, ROUTE_IRQCHIP, CHIP_IO_APIC, irq === 0 ? TIMER_PIN : irq, 0);
    }
    if (count + messages.length > MOST_ROUTES) throw new NestboxError('usage', `KVM takes ${MOST_ROUTES} interrupt routes here; ${count + messages.length} are asked for`, { op: 'route interrupts' });
    for (const { gsi, address, data } of messages) entry(gsi, ROUTE_MSI, address, 0, data);
    view.setUint32(ROUTES_AT, count, true);
    view.setUint32(ROUTES_AT + 4, 0, true);
    this.callAt(KVM.SET_GSI_ROUTING, ROUTES_AT, 'route interrupts');
    this.msiRoutes = messages;
  }

  get messageRoutes(): readonly MsiRoute[] {
    return this.msiRoutes;
  }

  private get view(): DataView {
    return this.exchange.view;
  }

  // --- descriptors -----------------------------------------------------------------------------------------------

  /** A counter in the kernel that other threads write and read without a call of KVM. */
  createEventFd(): number {
    const descriptor = this.device.libc.syscall(SYS.EVENTFD2, 0, EFD_NONBLOCK | EFD_CLOEXEC, 0, 0);
    if (descriptor < 0) throw new NestboxError('io', `The kernel cannot make an event descriptor (error ${-descriptor})`, { op: 'create event descriptor' });
    return descriptor;
  }

  /** Adds 1. */
  signal(eventFd: number): void {
    this.exchange.set64(COUNTER_AT, 1);
    const result = this.device.libc.syscall(SYS.WRITE, eventFd, this.exchange.address + COUNTER_AT, 8, 0);
    if (result < 0) throw new NestboxError('io', `An event descriptor cannot be written (error ${-result})`, { op: 'raise interrupt' });
  }

  /** Takes the count. @returns 0 when nothing has been signalled */
  take(eventFd: number): number {
    this.exchange.set64(COUNTER_AT, 0);
    const result = this.device.libc.syscall(SYS.READ, eventFd, this.exchange.address + COUNTER_AT, 8, 0);
    return result < 0 ? 0 : this.exchange.get64(COUNTER_AT);
  }

  /** Each signal of the descriptor is an edge of `gsi`. */
  raiseBy(eventFd: number, gsi: number, connect = true): void {
    const { view } = this;
    this.exchange.clear(IRQFD_AT, SIZE.IRQFD);
    view.setUint32(IRQFD_AT, eventFd, true);
    view.setUint32(IRQFD_AT + 4, gsi, true);
    view.setUint32(IRQFD_AT + 8, connect ? 0 : IRQFD_DEASSIGN, true);
    this.callAt(KVM.IRQFD, IRQFD_AT, 'connect an interrupt to a descriptor');
  }

  /**
   * Writes to a port or device address signal the descriptor, and the guest goes on at once.
   * @param value only writes of this value; undefined = all, whose value nobody learns
   */
  ringAt(eventFd: number, place: { readonly space: 'port' | 'memory'; readonly address: number; readonly size: 1 | 2 | 4; readonly value?: number }, connect = true): void {
    const { view, exchange } = this;
    exchange.clear(IOEVENTFD_AT, SIZE.IOEVENTFD);
    exchange.set64(IOEVENTFD_AT, place.value ?? 0);
    exchange.set64(IOEVENTFD_AT + 8, place.address);
    view.setUint32(IOEVENTFD_AT + 16, place.size, true);
    view.setInt32(IOEVENTFD_AT + 20, eventFd, true);
    view.setUint32(IOEVENTFD_AT + 24, (place.space === 'port' ? IOEVENTFD_PIO : 0) | (place.value === undefined ? 0 : IOEVENTFD_DATAMATCH) | (connect ? 0 : IOEVENTFD_DEASSIGN), true);
    this.callAt(KVM.IOEVENTFD, IOEVENTFD_AT, 'connect a doorbell to a descriptor');
  }

  // --- state of the chips that belong to no vCPU (`full` only) ---------------------------------------------------

  private readChip(chip: number, length: number): Uint8Array {
    this.view.setUint32(CHIP_AT, chip, true);
    this.callAt(KVM.GET_IRQCHIP, CHIP_AT, 'read interrupt controllers');
    return this.exchange.bytes.slice(CHIP_AT + CHIP_STATE_AT, CHIP_AT + CHIP_STATE_AT + length);
  }

  private writeChip(chip: number, state: Uint8Array): void {
    this.exchange.clear(CHIP_AT, SIZE.IRQCHIP);
    this.view.setUint32(CHIP_AT, chip, true);
    this.exchange.bytes.set(state, CHIP_AT + CHIP_STATE_AT);
    this.callAt(KVM.SET_IRQCHIP, CHIP_AT, 'write interrupt controllers');
  }

  /** @param before the state that was set last, for what KVM does not keep */
  readPics(before: readonly [PicChipFields, PicChipFields]): [PicChipFields, PicChipFields] {
    return picFromKvm(this.readChip(CHIP_MASTER, PIC_STATE_BYTES), this.readChip(CHIP_SLAVE, PIC_STATE_BYTES), this.isaLines, before);
  }

  writePics(chips: readonly [PicChipFields, PicChipFields]): void {
    this.isaLines = (chips[0].lines & ~(1 << TIMER_PIN)) | (chips[1].lines << 8);
    this.writeChip(CHIP_SLAVE, picToKvm(chips, 1));
    this.writeChip(CHIP_MASTER, picToKvm(chips, 0));
  }

  readIoApic(): IoApicFields {
    return ioApicFromKvm(this.readChip(CHIP_IO_APIC, IO_APIC_STATE_BYTES), this.lines);
  }

  writeIoApic(fields: IoApicFields): void {
    this.lines = fields.lines;
    this.writeChip(CHIP_IO_APIC, ioApicToKvm(fields));
  }
}
