// The file of one KVM vCPU: its kvm_run pages and the structures of its requests in one exchange memory.
// The pages are mapped over a page-aligned hole of that memory, so they are plain typed arrays and no buffer from outside
// V8 is made. Where the mapping is refused, they stay elsewhere and are copied before and after each run.

import type { Disposable } from '../../base/disposable.ts';
import { NestboxError } from '../../base/errors.ts';
import { Exchange } from './exchange.ts';
import { type CapabilityName, EVENTS, KVM, RUN } from './ioctl.ts';
import { ERRNO, type Libc, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_READ_WRITE } from './libc.ts';

/** Where each structure lies in the exchange memory. */
export const AT = {
  RUN: 0,
  REGS: 0x4000,
  SREGS: 0x4100,
  EVENTS: 0x4500,
  DEBUGREGS: 0x4580,
  GUEST_DEBUG: 0x4600,
  TRANSLATION: 0x4680,
  INTERRUPT: 0x46c0,
  MP_STATE: 0x46c8,
  SIGNAL_MASK: 0x46d0,
  XCRS: 0x4700,
  LAPIC: 0x4a00,
  DEVICE_ATTR: 0x4e00,
  ATTR_VALUE: 0x4e20,
  MSRS: 0x5000,
  CPUID: 0x8000,
  XSAVE: 0xc000,
} as const;
const RUN_BYTES_MAX = 0x4000;
const EXCHANGE_BYTES = 0x10000;
const PAGE_BYTES = 4096;

/** What a vCPU needs of its VM; a vCPU's own thread has no more than this. */
export interface VcpuMaker {
  readonly device: { readonly libc: Libc; readonly runPageBytes: number; check(name: CapabilityName): number };
  /** @returns its file descriptor. @throws NestboxError */
  createVcpu(index: number): number;
  /** Somebody else closes them. */
  readonly keepsDescriptors?: boolean;
}

export class VcpuFile implements Disposable {
  readonly exchange: Exchange;
  readonly view: DataView;
  readonly descriptor: number;
  private readonly libc: Libc;
  private readonly runBytes: number;
  private readonly closes: boolean;
  /** Address of the kvm_run pages when they could not be mapped into the exchange memory. */
  private readonly elsewhere: number | undefined;
  private closed = false;

  /** @param mapInside false forces the copying way, for tests */
  constructor(vm: VcpuMaker, index: number, mapInside = true) {
    this.libc = vm.device.libc;
    this.exchange = new Exchange(this.libc, EXCHANGE_BYTES);
    this.view = this.exchange.view;
    this.descriptor = vm.createVcpu(index);
    this.runBytes = vm.device.runPageBytes;
    this.closes = vm.keepsDescriptors !== true;
    if (this.runBytes <= 0 || this.runBytes > RUN_BYTES_MAX) {
      this.libc.close(this.descriptor);
      throw new NestboxError('unsupported', `KVM wants ${this.runBytes} bytes for a virtual CPU; at most ${RUN_BYTES_MAX} were expected`, { op: 'create virtual CPU' });
    }
    const address = this.exchange.address;
    const inside = mapInside && address % PAGE_BYTES === 0 ? this.libc.mmap(address, this.runBytes, PROT_READ_WRITE, MAP_SHARED | MAP_FIXED, this.descriptor, 0) : -ERRNO.EINVAL;
    if (inside === address) return;
    const outside = this.libc.mmap(0, this.runBytes, PROT_READ_WRITE, MAP_SHARED, this.descriptor, 0);
    if (outside < 0) {
      this.libc.close(this.descriptor);
      throw new NestboxError('io', `The pages of a virtual CPU cannot be mapped (error ${-outside})`, { op: 'create virtual CPU' });
    }
    this.elsewhere = outside;
  }

  /** True when kvm_run is read in place. */
  get isMappedInside(): boolean {
    return this.elsewhere === undefined;
  }

  /** Takes away a hardware interrupt that was acknowledged but has not reached the guest. @returns its vector, or -1 */
  takeInjectedInterrupt(): number {
    const { view } = this;
    this.call(KVM.GET_VCPU_EVENTS, AT.EVENTS, 'read pending events');
    if (view.getUint8(AT.EVENTS + EVENTS.INTERRUPT_INJECTED) === 0 || view.getUint8(AT.EVENTS + EVENTS.INTERRUPT_SOFT) !== 0) return -1;
    const vector = view.getUint8(AT.EVENTS + EVENTS.INTERRUPT_NR);
    view.setUint8(AT.EVENTS + EVENTS.INTERRUPT_INJECTED, 0);
    view.setUint32(AT.EVENTS + EVENTS.FLAGS, 0, true);
    this.call(KVM.SET_VCPU_EVENTS, AT.EVENTS, 'take back an interrupt');
    return vector;
  }

  /** Physical address of a linear one by the guest's page tables, or -1. */
  translate(linear: number): number {
    const { exchange } = this;
    exchange.set64(AT.TRANSLATION, linear);
    if (this.tryCall(KVM.TRANSLATE, AT.TRANSLATION) < 0 || exchange.bytes[AT.TRANSLATION + 16] === 0) return -1;
    return exchange.get64(AT.TRANSLATION + 8);
  }

  /** KVM_RUN. @returns 0, or -errno */
  run(): number {
    const { libc, elsewhere } = this;
    if (elsewhere === undefined) return libc.ioctl(this.descriptor, KVM.RUN, 0);
    const { address } = this.exchange;
    libc.copy(elsewhere, address, this.runBytes);
    const result = libc.ioctl(this.descriptor, KVM.RUN, 0);
    libc.copy(address, elsewhere, this.runBytes);
    return result;
  }

  /** A request whose structure lies at `at` in the exchange memory. @returns the result, or -errno */
  tryCall(request: number, at: number): number {
    return this.libc.ioctl(this.descriptor, request, this.exchange.address + at);
  }

  /** @throws NestboxError */
  call(request: number, at: number, what: string): number {
    const result = this.tryCall(request, at);
    if (result < 0) throw new NestboxError('io', `KVM cannot ${what} (error ${-result})`, { op: what, context: { errno: -result } });
    return result;
  }

  /** A request with a plain number, or none. @returns the result, or -errno */
  callPlain(request: number, argument = 0): number {
    return this.libc.ioctl(this.descriptor, request, argument);
  }

  get exitReason(): number {
    return this.view.getUint32(RUN.EXIT_REASON, true);
  }

  /** Puts ordinary memory back over the hole and closes the file. */
  dispose(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.elsewhere === undefined) this.libc.mmap(this.exchange.address, this.runBytes, PROT_READ_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    else this.libc.munmap(this.elsewhere, this.runBytes);
    if (this.closes) this.libc.close(this.descriptor);
  }
}
