// What the thread of a vCPU and the device thread have in common: one mailbox a vCPU in shared memory, and one bell for all.
// Through it the vCPU's accesses reach the devices; its thread waits for the answer, as a processor waits for its bus. The
// device thread tells it to run or to stand still, and sees what it does.

import type { VcpuIo, VcpuMsrs } from '../contract.ts';

const KIND = { PORT_READ: 0, PORT_WRITE: 1, MMIO_READ: 2, MMIO_WRITE: 3, MSR_READ: 4, MSR_WRITE: 5, INTERPRET: 6 } as const;

/** Words of one mailbox. */
const BOX = { WANTED: 0, STOOD: 1, SIGNAL: 2, KIND: 3, SIZE: 4, ADDRESS: 5, ADDRESS_HIGH: 6, VALUE: 7, VALUE_HIGH: 8, FOUND: 9, SERVED: 10, WHY: 11, THREAD: 12, DETAIL_BYTES: 13, COUNTERS: 16, DETAIL: 32 } as const;
const BOX_WORDS = 96;
const DETAIL_BYTES = (BOX_WORDS - BOX.DETAIL) * 4;
const COUNTERS = BOX.DETAIL - BOX.COUNTERS;
const BELL = 0;
const HEADER_WORDS = 16;

const IDLE = 0;
const ASKED = 1;
const ANSWERED = 2;

/**
 * What a vCPU's thread shall do: the low bits of its word; above them a number that each order to run increases. The thread
 * tells which of them it has ended, so an order that was taken back before it was seen is not waited for.
 */
const WANTED = { STAND: 0, RUN: 1, END: 2 } as const;
const WANTED_BITS = 2;
const WANTED_MASK = 3;

/**
 * Why a vCPU stands still: it was told to, or it came back by itself.
 * - `unsupported`: an instruction or state that neither this KVM nor the interpreter can run
 * - `failed`: its thread did
 */
export type VcpuStop = 'asked' | 'shutdown' | 'unsupported' | 'debug' | 'failed';
const STOPS: readonly VcpuStop[] = ['asked', 'shutdown', 'unsupported', 'debug', 'failed'];

const TWO_32 = 0x1_0000_0000;

type Size = 1 | 2 | 4;

/** What answers, in the device thread. */
export interface MailboxServer {
  readonly io: (index: number) => VcpuIo;
  readonly msrs: (index: number) => VcpuMsrs;
  /** Runs the one instruction that the vCPU's KVM cannot. @returns false when that is not possible either */
  readonly interpret: (index: number) => boolean;
  /** After an access was served, before its vCPU goes on. */
  readonly served: (index: number) => void;
}

/** Shared by all threads of a VM. */
export class Mailboxes {
  readonly buffer: SharedArrayBuffer;
  private readonly words: Int32Array;
  readonly count: number;

  constructor(count: number, buffer = new SharedArrayBuffer((HEADER_WORDS + count * BOX_WORDS) * 4)) {
    this.count = count;
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
  }

  private at(index: number, word: number): number {
    return HEADER_WORDS + index * BOX_WORDS + word;
  }

  // --- the vCPU's thread -----------------------------------------------------------------------------------------

  private ask(index: number, kind: number, size: number, address: number, value: number, valueHigh: number): number {
    const { words } = this;
    words[this.at(index, BOX.KIND)] = kind;
    words[this.at(index, BOX.SIZE)] = size;
    words[this.at(index, BOX.ADDRESS)] = address | 0;
    words[this.at(index, BOX.ADDRESS_HIGH)] = Math.floor(address / TWO_32);
    words[this.at(index, BOX.VALUE)] = value | 0;
    words[this.at(index, BOX.VALUE_HIGH)] = valueHigh | 0;
    const signal = this.at(index, BOX.SIGNAL);
    Atomics.store(words, signal, ASKED);
    Atomics.add(words, BELL, 1);
    Atomics.notify(words, BELL);
    while (Atomics.load(words, signal) === ASKED) Atomics.wait(words, signal, ASKED);
    Atomics.store(words, signal, IDLE);
    return (words[this.at(index, BOX.VALUE)] ?? 0) >>> 0;
  }

  /** Devices as the thread of vCPU `index` sees them. */
  ioOf(index: number): VcpuIo {
    return {
      portRead: (port, size) => this.ask(index, KIND.PORT_READ, size, port, 0, 0),
      portWrite: (port, size, value) => void this.ask(index, KIND.PORT_WRITE, size, port, value, 0),
      mmioRead: (address, size) => this.ask(index, KIND.MMIO_READ, size, address, 0, 0),
      mmioWrite: (address, size, value) => void this.ask(index, KIND.MMIO_WRITE, size, address, value, 0),
    };
  }

  msrsOf(index: number): VcpuMsrs {
    const found = (): boolean => this.words[this.at(index, BOX.FOUND)] === 1;
    return {
      read: (msr, out) => {
        out[0] = this.ask(index, KIND.MSR_READ, 4, msr, 0, 0);
        out[1] = this.words[this.at(index, BOX.VALUE_HIGH)] ?? 0;
        return found();
      },
      write: (msr, low, high) => {
        this.ask(index, KIND.MSR_WRITE, 4, msr, low, high);
        return found();
      },
    };
  }

  /** Before an instruction that KVM cannot run, with nothing unfinished. @returns false when nobody can */
  interpret(index: number): boolean {
    this.ask(index, KIND.INTERPRET, 4, 0, 0, 0);
    return this.words[this.at(index, BOX.FOUND)] === 1;
  }

  mustStop(index: number): boolean {
    return (Atomics.load(this.words, this.at(index, BOX.WANTED)) & WANTED_MASK) !== WANTED.RUN;
  }

  /** The thread is ready, and its vCPU stands still. @param threadId as the kernel counts */
  ready(index: number, threadId: number): void {
    Atomics.store(this.words, this.at(index, BOX.THREAD), threadId);
    this.ring();
  }

  /** Stands still until it shall run. @returns false when the thread shall end */
  waitForRun(index: number): boolean {
    const { words } = this;
    const word = this.at(index, BOX.WANTED);
    for (;;) {
      const wanted = Atomics.load(words, word);
      if ((wanted & WANTED_MASK) !== WANTED.STAND) return (wanted & WANTED_MASK) === WANTED.RUN;
      Atomics.store(words, this.at(index, BOX.STOOD), wanted >> WANTED_BITS);
      this.ring();
      Atomics.wait(words, word, wanted);
    }
  }

  /** Why the vCPU will stand still. */
  stopping(index: number, why: VcpuStop, detail: string): void {
    const { words } = this;
    words[this.at(index, BOX.WHY)] = STOPS.indexOf(why);
    // TextEncoder does not write into shared memory.
    const text = new TextEncoder().encode(detail).subarray(0, DETAIL_BYTES);
    new Uint8Array(this.buffer, this.at(index, BOX.DETAIL) * 4, DETAIL_BYTES).set(text);
    words[this.at(index, BOX.DETAIL_BYTES)] = text.length;
    if (why === 'asked') return;
    const word = this.at(index, BOX.WANTED);
    const wanted = Atomics.load(words, word);
    if ((wanted & WANTED_MASK) === WANTED.RUN) Atomics.compareExchange(words, word, wanted, (wanted & ~WANTED_MASK) | WANTED.STAND);
  }

  /** Counters that the device thread may read at any time. */
  tally(index: number, values: Readonly<Record<string, number>>): void {
    let at = this.at(index, BOX.COUNTERS);
    const end = at + COUNTERS;
    for (const name in values) if (at < end) this.words[at++] = (values[name] ?? 0) | 0;
  }

  // --- the device thread -----------------------------------------------------------------------------------------

  isReady(index: number): boolean {
    return this.threadOf(index) !== 0;
  }

  threadOf(index: number): number {
    return Atomics.load(this.words, this.at(index, BOX.THREAD));
  }

  isRunning(index: number): boolean {
    return Atomics.load(this.words, this.at(index, BOX.WANTED)) >> WANTED_BITS !== Atomics.load(this.words, this.at(index, BOX.STOOD));
  }

  /** Its thread waits for an answer, so it is not in the guest. */
  isAsking(index: number): boolean {
    return Atomics.load(this.words, this.at(index, BOX.SIGNAL)) === ASKED;
  }

  private order(index: number, what: number, next: 0 | 1): void {
    const word = this.at(index, BOX.WANTED);
    const number = (Atomics.load(this.words, word) >> WANTED_BITS) + next;
    Atomics.store(this.words, word, (number << WANTED_BITS) | what);
    Atomics.notify(this.words, word);
  }

  /** Lets a vCPU run that stands still, or one whose access waits and that should have stopped after it. */
  run(index: number): void {
    this.forgetStop(index);
    this.order(index, WANTED.RUN, 1);
  }

  /** The vCPU stops before its next instruction; who is in the guest hears of it by a signal only. */
  stop(index: number): void {
    this.order(index, WANTED.STAND, 0);
  }

  end(index: number): void {
    this.order(index, WANTED.END, 0);
  }

  /** Of a vCPU that stands still. */
  stopOf(index: number): { readonly why: VcpuStop; readonly detail: string } {
    const { words } = this;
    const bytes = new Uint8Array(this.buffer, this.at(index, BOX.DETAIL) * 4, words[this.at(index, BOX.DETAIL_BYTES)] ?? 0);
    return { why: STOPS[words[this.at(index, BOX.WHY)] ?? 0] ?? 'failed', detail: new TextDecoder().decode(bytes.slice()) };
  }

  forgetStop(index: number): void {
    this.words[this.at(index, BOX.WHY)] = 0;
  }

  /** In the order in which its thread counts them. */
  countersOf(index: number, count: number): number[] {
    return Array.from({ length: Math.min(count, COUNTERS) }, (_, i) => (this.words[this.at(index, BOX.COUNTERS + i)] ?? 0) >>> 0);
  }

  /** How often the bell has rung. */
  get rings(): number {
    return Atomics.load(this.words, BELL);
  }

  /** Resolves when the bell has rung more than `seen` times. */
  async waitForRing(seen: number): Promise<void> {
    const waiting = Atomics.waitAsync(this.words, BELL, seen);
    if (waiting.async) await waiting.value;
  }

  /** Wakes waitForRing() without a request. */
  ring(): void {
    Atomics.add(this.words, BELL, 1);
    Atomics.notify(this.words, BELL);
  }

  /** Sleeps until the bell has rung more than `seen` times, or `ms` have passed. */
  sleep(seen: number, ms: number): void {
    Atomics.wait(this.words, BELL, seen, ms);
  }

  /** Serves what vCPUs ask for, in the order of their numbers. @returns how many asked */
  serve(server: MailboxServer): number {
    let served = 0;
    for (let index = 0; index < this.count; index++) {
      const signal = this.at(index, BOX.SIGNAL);
      if (Atomics.load(this.words, signal) !== ASKED) continue;
      served++;
      this.answer(index, server);
      server.served(index);
      Atomics.store(this.words, signal, ANSWERED);
      Atomics.notify(this.words, signal);
    }
    return served;
  }

  private readonly msrValue = new Uint32Array(2);

  private answer(index: number, server: MailboxServer): void {
    const { words } = this;
    const io = server.io(index);
    const msrs = server.msrs(index);
    const value = this.at(index, BOX.VALUE);
    const size = words[this.at(index, BOX.SIZE)] as Size;
    const low = (words[this.at(index, BOX.ADDRESS)] ?? 0) >>> 0;
    const address = (words[this.at(index, BOX.ADDRESS_HIGH)] ?? 0) * TWO_32 + low;
    const written = (words[value] ?? 0) >>> 0;
    switch (words[this.at(index, BOX.KIND)]) {
      case KIND.PORT_READ:
        words[value] = io.portRead(address, size) | 0;
        break;
      case KIND.PORT_WRITE:
        io.portWrite(address, size, written);
        break;
      case KIND.MMIO_READ:
        words[value] = io.mmioRead(address, size) | 0;
        break;
      case KIND.MMIO_WRITE:
        io.mmioWrite(address, size, written);
        break;
      case KIND.MSR_READ:
        words[this.at(index, BOX.FOUND)] = msrs.read(low, this.msrValue) ? 1 : 0;
        words[value] = (this.msrValue[0] ?? 0) | 0;
        words[this.at(index, BOX.VALUE_HIGH)] = (this.msrValue[1] ?? 0) | 0;
        break;
      case KIND.INTERPRET:
        words[this.at(index, BOX.FOUND)] = server.interpret(index) ? 1 : 0;
        break;
      default:
        words[this.at(index, BOX.FOUND)] = msrs.write(low, written, (words[this.at(index, BOX.VALUE_HIGH)] ?? 0) >>> 0) ? 1 : 0;
    }
    words[this.at(index, BOX.SERVED)] = ((words[this.at(index, BOX.SERVED)] ?? 0) + 1) | 0;
  }

  /** Accesses of a vCPU that have been served. */
  servedOf(index: number): number {
    return (this.words[this.at(index, BOX.SERVED)] ?? 0) >>> 0;
  }
}
