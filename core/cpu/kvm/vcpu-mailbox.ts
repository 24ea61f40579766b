// How the thread of a vCPU reaches the devices, which live in another thread: one mailbox a vCPU in shared memory, and one
// bell for all. The vCPU's thread waits for the answer, as a processor waits for its bus; the device thread never waits.

import type { VcpuIo, VcpuMsrs } from '../contract.ts';

const KIND = { PORT_READ: 0, PORT_WRITE: 1, MMIO_READ: 2, MMIO_WRITE: 3, MSR_READ: 4, MSR_WRITE: 5, RANDOM: 6 } as const;

/** Words of one mailbox. */
const BOX = { COMMANDS: 0, STOP: 1, SIGNAL: 2, KIND: 3, SIZE: 4, ADDRESS: 5, ADDRESS_HIGH: 6, VALUE: 7, VALUE_HIGH: 8, FOUND: 9, SERVED: 10 } as const;
const BOX_WORDS = 16;
const BELL = 0;
const HEADER_WORDS = 16;

const IDLE = 0;
const ASKED = 1;
const ANSWERED = 2;

const TWO_32 = 0x1_0000_0000;

type Size = 1 | 2 | 4;

/** What answers, in the device thread. */
export interface MailboxServer {
  readonly io: (index: number) => VcpuIo;
  readonly msrs: (index: number) => VcpuMsrs;
  readonly random32: () => number;
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

  /** 32 bits of the machine's random stream. */
  random32(index: number): number {
    return this.ask(index, KIND.RANDOM, 4, 0, 0, 0);
  }

  mustStop(index: number): boolean {
    return Atomics.load(this.words, this.at(index, BOX.STOP)) !== 0;
  }

  /** Waits until a command beyond the `seen` first ones has been sent. */
  waitForCommand(index: number, seen: number): void {
    const word = this.at(index, BOX.COMMANDS);
    while (Atomics.load(this.words, word) === seen) Atomics.wait(this.words, word, seen);
  }

  // --- the device thread -----------------------------------------------------------------------------------------

  /** After the command's message has been posted. */
  commandSent(index: number): void {
    const word = this.at(index, BOX.COMMANDS);
    Atomics.add(this.words, word, 1);
    Atomics.notify(this.words, word);
  }

  setStop(index: number, stop: boolean): void {
    Atomics.store(this.words, this.at(index, BOX.STOP), stop ? 1 : 0);
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

  /** Serves what vCPUs ask for, in the order of their numbers. @returns how many asked */
  serve({ io, msrs, random32 }: MailboxServer): number {
    let served = 0;
    for (let index = 0; index < this.count; index++) {
      const signal = this.at(index, BOX.SIGNAL);
      if (Atomics.load(this.words, signal) !== ASKED) continue;
      served++;
      this.answer(index, io(index), msrs(index), random32);
      Atomics.store(this.words, signal, ANSWERED);
      Atomics.notify(this.words, signal);
    }
    return served;
  }

  private readonly msrValue = new Uint32Array(2);

  private answer(index: number, io: VcpuIo, msrs: VcpuMsrs, random32: () => number): void {
    const { words } = this;
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
      case KIND.RANDOM:
        words[value] = random32() | 0;
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
