// Ends a KVM_RUN after a time: a POSIX timer sends a signal to this very thread. The signal stays blocked, so no handler
// is needed and nothing else ever sees it; the vCPU's signal mask lets it interrupt KVM_RUN, and it is eaten afterwards.

import type { Disposable } from '../../base/disposable.ts';
import { NestboxError } from '../../base/errors.ts';
import { Exchange } from './exchange.ts';
import { KVM } from './ioctl.ts';
import { type Libc, SYS } from './libc.ts';
import { AT, type VcpuFile } from './vcpu-file.ts';

/** A real-time signal that neither Node, V8 nor the C library use. */
export const KICK_SIGNAL = 41;
const SIG_BLOCK = 0;
const SIGEV_THREAD_ID = 4;
const CLOCK_MONOTONIC = 1;
const KERNEL_SIGSET_BYTES = 8;

const SIGSET_AT = 0;
const SIGEVENT_AT = 64;
const TIMER_ID_AT = 128;
const SPEC_AT = 192;
const ZERO_TIME_AT = 256;

export class SliceTimer implements Disposable {
  private readonly libc: Libc;
  private readonly exchange: Exchange;
  private readonly timer: number;
  readonly threadId: number;

  /** Belongs to the calling thread for good. @throws NestboxError */
  constructor(libc: Libc) {
    this.libc = libc;
    const exchange = (this.exchange = new Exchange(libc, 4096));
    const bit = KICK_SIGNAL - 1;
    exchange.view.setUint32(SIGSET_AT + (bit >> 5) * 4, 1 << (bit & 31), true);
    this.threadId = libc.syscall(SYS.GETTID, 0, 0, 0, 0);
    this.check(libc.syscall(SYS.RT_SIGPROCMASK, SIG_BLOCK, exchange.address + SIGSET_AT, 0, KERNEL_SIGSET_BYTES), 'block the kick signal');
    exchange.view.setInt32(SIGEVENT_AT + 8, KICK_SIGNAL, true);
    exchange.view.setInt32(SIGEVENT_AT + 12, SIGEV_THREAD_ID, true);
    exchange.view.setInt32(SIGEVENT_AT + 16, this.threadId, true);
    this.check(libc.syscall(SYS.TIMER_CREATE, CLOCK_MONOTONIC, exchange.address + SIGEVENT_AT, exchange.address + TIMER_ID_AT, 0), 'make a timer');
    this.timer = exchange.view.getInt32(TIMER_ID_AT, true);
  }

  private check(result: number, what: string): void {
    if (result < 0) throw new NestboxError('io', `The kernel cannot ${what} (error ${-result})`, { op: what });
  }

  /** Lets the signal interrupt this vCPU's KVM_RUN. */
  attach(vcpu: VcpuFile): void {
    const bit = KICK_SIGNAL - 1;
    vcpu.view.setUint32(AT.SIGNAL_MASK, KERNEL_SIGSET_BYTES, true);
    vcpu.view.setUint32(AT.SIGNAL_MASK + 4, 0xffff_ffff, true);
    vcpu.view.setUint32(AT.SIGNAL_MASK + 8, 0xffff_ffff, true);
    const word = AT.SIGNAL_MASK + 4 + (bit >> 5) * 4;
    vcpu.view.setUint32(word, ~(1 << (bit & 31)) >>> 0, true);
    vcpu.call(KVM.SET_SIGNAL_MASK, AT.SIGNAL_MASK, 'set the signal mask');
  }

  /** The next KVM_RUN ends after so many nanoseconds. */
  arm(nanoseconds: number): void {
    const ns = Math.max(1, Math.floor(nanoseconds));
    this.exchange.set64(SPEC_AT + 16, Math.floor(ns / 1e9));
    this.exchange.set64(SPEC_AT + 24, ns % 1e9);
    this.libc.syscall(SYS.TIMER_SETTIME, this.timer, 0, this.exchange.address + SPEC_AT, 0);
  }

  /** The next KVM_RUN ends before it enters the guest. */
  kick(): void {
    this.libc.syscall(SYS.TGKILL, process.pid, this.threadId, KICK_SIGNAL, 0);
  }

  /** Stops the timer and eats a signal that came already. */
  disarm(): void {
    this.exchange.set64(SPEC_AT + 16, 0);
    this.exchange.set64(SPEC_AT + 24, 0);
    this.libc.syscall(SYS.TIMER_SETTIME, this.timer, 0, this.exchange.address + SPEC_AT, 0);
    this.drain();
  }

  /** Eats pending kicks. */
  drain(): void {
    const { libc, exchange } = this;
    for (let i = 0; i < 64; i++) {
      if (libc.syscall(SYS.RT_SIGTIMEDWAIT, exchange.address + SIGSET_AT, 0, exchange.address + ZERO_TIME_AT, KERNEL_SIGSET_BYTES) < 0) return;
    }
  }

  dispose(): void {
    this.libc.syscall(SYS.TIMER_DELETE, this.timer, 0, 0, 0);
    this.drain();
  }
}
