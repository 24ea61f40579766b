// One KVM vCPU at work: enters the guest, serves its exits through the I/O callbacks on the calling thread, injects
// interrupts, and finishes what is under way before anybody looks at its state. Interrupt controllers are in user space, or
// the kernel's (core/cpu/kvm/controller-loan.ts).

import { NestboxError } from '../../base/errors.ts';
import type { CpuState, VcpuOptions } from '../contract.ts';
import { readPieces, writePieces } from './bus-pieces.ts';
import { CoalescedWrites } from './coalesced-writes.ts';
import { EXIT_REASON, KVM, RUN } from './ioctl.ts';
import { KvmState, type Refusal } from './kvm-state.ts';
import { ERRNO } from './libc.ts';
import type { SliceTimer } from './slice-timer.ts';
import { AT, VcpuFile, type VcpuMaker } from './vcpu-file.ts';

/**
 * - `slice`: the time is used up
 * - `yield`: somebody asked for it
 * - `unsupported`: KVM cannot go on from here; `detail` says why
 */
export type CoreExit = 'slice' | 'yield' | 'halted' | 'shutdown' | 'debug' | 'unsupported';

export interface KvmCoreOptions extends Pick<VcpuOptions, 'index' | 'io' | 'interrupts' | 'msrs'> {
  /** Monotonic host milliseconds with fractions. */
  readonly readHostMs: () => number;
  /** What a way out of the guest and back takes; absent: next to nothing. */
  readonly entryNs?: number;
  /** Page of the ring of collected writes (KvmVm.coalesceWrites); absent or 0: each leaves the guest. */
  readonly ringPage?: number;
  /** Another thread wants this vCPU to stop; asked before each entry into the guest. */
  readonly mustStop?: () => boolean;
}

/** The kernel's interrupt controllers, from a core's point of view: HLT does not leave KVM_RUN then. */
export interface KernelControllers {
  /** Asked before each entry into the guest. */
  begin(): void;
  /** The processor waits for an interrupt. */
  readonly isIdle: boolean;
  activity(): CpuState['activity'];
  setActivity(activity: CpuState['activity']): void;
}

/** Time after which a look is taken whether the guest has halted; it doubles while the guest is busy. */
const FIRST_LOOK_NS = 50_000;
/** A look costs an entry: not before the guest had this many times as long. */
const ENTRIES_BEFORE_LOOK = 2;
const LONGEST_LOOK_NS = 4_000_000;

type Piece = 1 | 2 | 4;

export class KvmCore {
  readonly file: VcpuFile;
  readonly state: KvmState;
  private readonly timer: SliceTimer;
  private readonly options: KvmCoreOptions;
  private readonly msrOut = new Uint32Array(2);
  /** The last exit was an access that the next KVM_RUN completes. */
  private unfinished = false;
  private regsFresh = false;
  private sregsFresh = false;
  /** KVM has been given an interrupt and has not run since, so takes no other. */
  private injected = false;
  /** KVM may still hold an interrupt: an access with several exits comes before its delivery. */
  private mayHoldInterrupt = false;
  halted = false;
  yieldWanted = false;
  nmiWanted = false;
  interruptLevel = false;
  /** Why the last run ended as `unsupported`. */
  detail = '';
  /** Set when the kernel's interrupt controllers are used and halts shall end a run. */
  controllers: KernelControllers | undefined;
  private readonly posted: CoalescedWrites | undefined;
  private readonly firstLookNs: number;
  private lookNs: number;
  readonly exits: Record<string, number> = { kvmPort: 0, kvmMmio: 0, kvmMsr: 0, kvmHalt: 0, kvmWindow: 0, kvmInterrupted: 0, kvmRuns: 0 };

  constructor(vm: VcpuMaker, timer: SliceTimer, options: KvmCoreOptions, mapInside = true) {
    this.timer = timer;
    this.options = options;
    this.firstLookNs = this.lookNs = Math.min(LONGEST_LOOK_NS, Math.max(FIRST_LOOK_NS, (options.entryNs ?? 0) * ENTRIES_BEFORE_LOOK));
    this.file = new VcpuFile(vm, options.index, mapInside);
    this.posted = (options.ringPage ?? 0) === 0 ? undefined : new CoalescedWrites(this.file, options.io, options.ringPage ?? 0);
    timer.attach(this.file);
    this.state = new KvmState(this.file, vm.device.check('xcrs') > 0);
  }

  /** Runs for about `nanoseconds`. I/O callbacks run inside. */
  run(nanoseconds: number): CoreExit {
    const { file, timer, options } = this;
    const { view } = file;
    const { controllers } = this;
    const deadlineMs = options.readHostMs() + nanoseconds / 1e6;
    timer.arm(controllers === undefined ? nanoseconds : Math.min(nanoseconds, this.lookNs));
    try {
      for (;;) {
        if (this.yieldWanted || options.mustStop?.() === true) {
          this.yieldWanted = false;
          const exit = this.finish();
          return exit === 'slice' ? 'yield' : exit;
        }
        if (this.halted) {
          if (!this.nmiWanted && !(this.interruptLevel && this.interruptsOpen())) return 'halted';
          this.halted = false;
        }
        if (controllers === undefined) this.prepareInterrupts();
        else {
          controllers.begin();
          this.prepareEntry(0);
        }
        const result = this.enter();
        this.exits.kvmRuns = (this.exits.kvmRuns ?? 0) + 1;
        this.regsFresh = this.sregsFresh = false;
        this.unfinished = false;
        if (controllers === undefined) {
          const cr8 = view.getUint8(RUN.CR8) & 15;
          if (cr8 !== options.interrupts.readCr8()) options.interrupts.writeCr8(cr8);
        }
        if (result === -ERRNO.EINTR || result === -ERRNO.EAGAIN) {
          timer.drain();
          this.exits.kvmInterrupted = (this.exits.kvmInterrupted ?? 0) + 1;
          if (controllers?.isIdle === true) {
            this.lookNs = this.firstLookNs;
            return 'halted';
          }
          const leftNs = (deadlineMs - options.readHostMs()) * 1e6;
          if (leftNs <= 2000) return this.finish();
          if (controllers !== undefined) {
            this.lookNs = Math.min(this.lookNs * 2, LONGEST_LOOK_NS);
            timer.arm(Math.min(leftNs, this.lookNs));
          }
          continue;
        }
        if (result < 0) {
          this.detail = `KVM_RUN failed with error ${-result}`;
          return 'unsupported';
        }
        this.injected = false;
        const exit = this.serve();
        if (exit !== undefined) return exit;
      }
    } finally {
      timer.disarm();
    }
  }

  /** KVM_RUN; what the guest wrote meanwhile comes before what it left KVM for. @returns 0, or -errno */
  private enter(): number {
    const result = this.file.run();
    if (this.posted !== undefined) {
      this.posted.drain();
      this.exits.kvmPosted = this.posted.count;
    }
    return result;
  }

  /** IF of the stopped guest, without an interrupt shadow (HLT has passed it). */
  interruptsOpen(): boolean {
    this.loadRegs();
    return (this.file.view.getUint32(AT.REGS + 136, true) & 0x200) !== 0;
  }

  private prepareInterrupts(): void {
    const { file, options } = this;
    const { view } = file;
    let window: 0 | 1 = 0;
    if (this.interruptLevel && !this.injected) {
      if (view.getUint8(RUN.READY_FOR_INTERRUPT) !== 0) {
        const vector = options.interrupts.acknowledge();
        if (vector >= 0) {
          view.setUint32(AT.INTERRUPT, vector, true);
          file.call(KVM.INTERRUPT, AT.INTERRUPT, 'inject an interrupt');
          this.injected = this.mayHoldInterrupt = true;
        }
        if (this.interruptLevel) window = 1;
      } else window = 1;
    }
    this.prepareEntry(window);
    view.setUint8(RUN.CR8, options.interrupts.readCr8());
  }

  private prepareEntry(window: 0 | 1): void {
    const { view } = this.file;
    view.setUint8(RUN.IMMEDIATE_EXIT, 0);
    view.setUint8(RUN.REQUEST_INTERRUPT_WINDOW, window);
    if (!this.nmiWanted) return;
    this.nmiWanted = false;
    this.file.callPlain(KVM.NMI);
  }

  /** @returns why run() ends, or undefined to go on */
  private serve(): CoreExit | undefined {
    const { view } = this.file;
    switch (this.file.exitReason) {
      case EXIT_REASON.IO:
        this.servePort();
        return undefined;
      case EXIT_REASON.MMIO:
        this.serveMmio();
        return undefined;
      case EXIT_REASON.X86_RDMSR:
        this.serveRdmsr();
        return undefined;
      case EXIT_REASON.X86_WRMSR:
        this.serveWrmsr();
        return undefined;
      case EXIT_REASON.HLT:
        this.exits.kvmHalt = (this.exits.kvmHalt ?? 0) + 1;
        this.halted = true;
        return undefined;
      case EXIT_REASON.IRQ_WINDOW_OPEN:
        this.exits.kvmWindow = (this.exits.kvmWindow ?? 0) + 1;
        return undefined;
      case EXIT_REASON.INTR:
      case EXIT_REASON.NMI:
      case EXIT_REASON.SET_TPR:
        return undefined;
      case EXIT_REASON.SHUTDOWN:
        return 'shutdown';
      case EXIT_REASON.DEBUG:
        return 'debug';
      case EXIT_REASON.SYSTEM_EVENT:
        return 'shutdown';
      case EXIT_REASON.INTERNAL_ERROR:
        this.detail = `an instruction that this KVM cannot run (internal error ${view.getUint32(RUN.INTERNAL_SUBERROR, true)})`;
        return 'unsupported';
      case EXIT_REASON.FAIL_ENTRY:
        this.detail = `the processor refused the guest's state (entry failure ${this.file.exchange.get64(RUN.FAIL_REASON).toString(16)}h)`;
        return 'unsupported';
      default:
        this.detail = `exit reason ${this.file.exitReason}`;
        return 'unsupported';
    }
  }

  private servePort(): void {
    const { view } = this.file;
    const { io } = this.options;
    this.exits.kvmPort = (this.exits.kvmPort ?? 0) + 1;
    this.unfinished = true;
    const size = view.getUint8(RUN.IO_SIZE) as Piece;
    const port = view.getUint16(RUN.IO_PORT, true);
    const out = view.getUint8(RUN.IO_DIRECTION) !== 0;
    let at = view.getUint32(RUN.IO_DATA_OFFSET, true);
    for (let count = view.getUint32(RUN.IO_COUNT, true); count > 0; count--, at += size) {
      if (out) io.portWrite(port, size, size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at, true) : view.getUint32(at, true));
      else {
        const value = io.portRead(port, size);
        if (size === 1) view.setUint8(at, value);
        else if (size === 2) view.setUint16(at, value, true);
        else view.setUint32(at, value, true);
      }
    }
  }

  private serveMmio(): void {
    const { view } = this.file;
    const { io } = this.options;
    this.exits.kvmMmio = (this.exits.kvmMmio ?? 0) + 1;
    this.unfinished = true;
    const write = view.getUint8(RUN.MMIO_IS_WRITE) !== 0;
    const address = this.file.exchange.get64(RUN.MMIO_ADDRESS);
    const length = Math.min(8, view.getUint32(RUN.MMIO_LENGTH, true));
    if (write) writePieces(io, view, address, length, RUN.MMIO_DATA);
    else readPieces(io, view, address, length, RUN.MMIO_DATA);
  }

  private serveRdmsr(): void {
    const { view } = this.file;
    this.exits.kvmMsr = (this.exits.kvmMsr ?? 0) + 1;
    this.unfinished = true;
    const index = view.getUint32(RUN.MSR_INDEX, true);
    const kept = this.state.shadow.get(index);
    if (this.options.msrs.read(index, this.msrOut)) {
      view.setUint32(RUN.MSR_DATA, this.msrOut[0] ?? 0, true);
      view.setUint32(RUN.MSR_DATA + 4, this.msrOut[1] ?? 0, true);
      view.setUint8(RUN.MSR_ERROR, 0);
    } else if (kept !== undefined) {
      view.setBigUint64(RUN.MSR_DATA, kept, true);
      view.setUint8(RUN.MSR_ERROR, 0);
    } else view.setUint8(RUN.MSR_ERROR, 1);
  }

  private serveWrmsr(): void {
    const { view } = this.file;
    this.exits.kvmMsr = (this.exits.kvmMsr ?? 0) + 1;
    this.unfinished = true;
    const index = view.getUint32(RUN.MSR_INDEX, true);
    let known = this.options.msrs.write(index, view.getUint32(RUN.MSR_DATA, true), view.getUint32(RUN.MSR_DATA + 4, true));
    if (!known && this.state.shadow.has(index)) {
      this.state.shadow.set(index, view.getBigUint64(RUN.MSR_DATA, true));
      known = true;
    }
    view.setUint8(RUN.MSR_ERROR, known ? 0 : 1);
  }

  /** Lets an access that was served reach its registers, without running the guest further. */
  private finish(): CoreExit {
    const { view } = this.file;
    while (this.unfinished) {
      this.unfinished = false;
      view.setUint8(RUN.IMMEDIATE_EXIT, 1);
      view.setUint8(RUN.REQUEST_INTERRUPT_WINDOW, 0);
      const result = this.enter();
      view.setUint8(RUN.IMMEDIATE_EXIT, 0);
      this.regsFresh = this.sregsFresh = false;
      if (result === -ERRNO.EINTR || result === -ERRNO.EAGAIN) {
        this.timer.drain();
        return 'slice';
      }
      if (result < 0) {
        this.detail = `KVM_RUN failed with error ${-result}`;
        return 'unsupported';
      }
      const exit = this.serve();
      if (exit !== undefined) return exit;
    }
    return 'slice';
  }

  /** Finishes outstanding accesses so that the state is whole. */
  settle(): void {
    if (this.unfinished) this.finish();
  }

  /**
   * Lets timers of the kernel's local APIC that have run out ask for their interrupts. KVM does it at the end of an entry, also of
   * one that a signal cuts short before the guest runs; until then a one-shot that has run out looks like one long delivered.
   */
  collectTimers(): void {
    this.settle();
    this.prepareEntry(0);
    this.timer.kick();
    const result = this.enter();
    this.timer.drain();
    this.regsFresh = this.sregsFresh = false;
    if (result >= 0) this.serve();
    this.settle();
  }

  /** An interrupt that was acknowledged but has not reached the guest: takes it back. @returns its vector or -1 */
  takeBackInterrupt(): number {
    if (!this.mayHoldInterrupt) return -1;
    this.injected = this.mayHoldInterrupt = false;
    return this.file.takeInjectedInterrupt();
  }

  // --- state -----------------------------------------------------------------------------------------------------

  getState(instructions: number): CpuState {
    this.settle();
    return this.state.read(this.controllers?.activity() ?? (this.halted ? 'halted' : 'running'), instructions);
  }

  /** @returns what KVM refused, or undefined */
  setState(state: CpuState): Refusal {
    this.unfinished = false;
    this.injected = this.mayHoldInterrupt = false;
    this.regsFresh = this.sregsFresh = false;
    const refused = this.state.write(state, this.options.interrupts.readCr8());
    // With the kernel's controllers, halted or not is the kernel's to know.
    this.controllers?.setActivity(state.activity);
    this.halted = this.controllers === undefined && (state.activity === 'halted' || state.activity === 'mwait');
    this.file.view.setUint8(RUN.READY_FOR_INTERRUPT, 0);
    return refused;
  }

  /** Somebody else has changed the registers while the guest stood still. */
  forgetState(): void {
    this.unfinished = this.regsFresh = this.sregsFresh = false;
    this.injected = this.mayHoldInterrupt = this.halted = false;
  }

  private loadRegs(): void {
    if (this.regsFresh) return;
    this.file.call(KVM.GET_REGS, AT.REGS, 'read registers');
    this.regsFresh = true;
  }

  private loadSregs(): void {
    if (this.sregsFresh) return;
    this.file.call(KVM.GET_SREGS, AT.SREGS, 'read registers');
    this.sregsFresh = true;
  }

  /** View of struct kvm_regs as of now; the registers start at AT.REGS. */
  regs(): DataView {
    this.loadRegs();
    return this.file.view;
  }

  /** View of struct kvm_sregs as of now, at AT.SREGS. */
  sregs(): DataView {
    this.loadSregs();
    return this.file.view;
  }

  /** @throws NestboxError when this KVM cannot debug guests */
  setGuestDebug(control: number, addresses: readonly bigint[]): void {
    const { file } = this;
    file.exchange.clear(AT.GUEST_DEBUG, 72);
    file.view.setUint32(AT.GUEST_DEBUG, control, true);
    let dr7 = 0x400;
    addresses.slice(0, 4).forEach((address, i) => {
      file.view.setBigUint64(AT.GUEST_DEBUG + 8 + i * 8, address, true);
      dr7 |= 2 << (i * 2);
    });
    file.view.setUint32(AT.GUEST_DEBUG + 8 + 7 * 8, dr7, true);
    if (file.tryCall(KVM.SET_GUEST_DEBUG, AT.GUEST_DEBUG) < 0) throw new NestboxError('unsupported', 'This KVM cannot set breakpoints', { op: 'debug guest' });
  }

  dispose(): void {
    this.file.dispose();
  }
}
