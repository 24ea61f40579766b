// Support for the tests of storage controllers: a scheduler under the test's control, disks that fail or wait, DMA memory.

import { MemoryDisk } from '../../block/memory-disk.ts';
import type { DmaMemory } from '../../bus/dma.ts';
import type { IoHandle, IoScheduler } from '../../bus/io-scheduler.ts';

interface Request {
  cancelled: boolean;
  complete: (() => void) | undefined;
  readonly settled: Promise<void>;
}

/** Delivers completions only when the test says so. */
export class TestIo implements IoScheduler {
  private requests: Request[] = [];
  submitted = 0;

  submit<T>(work: () => Promise<T> | T, done: (result: T) => void, failed: (error: unknown) => void): IoHandle {
    this.submitted++;
    const request: Request = {
      cancelled: false,
      complete: undefined,
      settled: (async () => work())().then(
        (result) => { request.complete = () => done(result); },
        (error: unknown) => { request.complete = () => failed(error); },
      ),
    };
    this.requests.push(request);
    return { cancel: () => { request.cancelled = true; } };
  }

  get outstanding(): number {
    return this.requests.filter((request) => !request.cancelled).length;
  }

  /** Waits for the host work and delivers everything, also what completions start. `ignoreCancel` plays a careless scheduler. */
  async settle(ignoreCancel = false): Promise<void> {
    while (this.requests.length > 0) {
      const batch = this.requests;
      this.requests = [];
      for (const request of batch) {
        await request.settled;
        if (!request.cancelled || ignoreCancel) request.complete?.();
      }
    }
  }
}

/** A disk whose operations can be made to wait or fail, and that remembers what was asked for. */
export class TestDisk extends MemoryDisk {
  readonly operations: { readonly kind: 'read' | 'write' | 'flush' | 'discard'; readonly offset: number; readonly length: number }[] = [];
  failReads = false;
  failWrites = false;
  private gate: Promise<void> | undefined;
  private openGate: (() => void) | undefined;

  /** Operations that start from now on wait. @returns lets them go on */
  hold(): () => void {
    this.gate = new Promise((resolve) => { this.openGate = resolve; });
    return () => {
      this.gate = undefined;
      this.openGate?.();
    };
  }

  override async read(offset: number, target: Uint8Array): Promise<void> {
    this.operations.push({ kind: 'read', offset, length: target.length });
    if (offset < 0 || offset + target.length > this.sizeBytes) throw new Error('read past the end: a bug of the controller');
    await this.gate;
    if (this.failReads) throw new Error('host read error');
    await super.read(offset, target);
  }

  override async write(offset: number, source: Uint8Array): Promise<void> {
    this.operations.push({ kind: 'write', offset, length: source.length });
    if (offset < 0 || offset + source.length > this.sizeBytes) throw new Error('write past the end: a bug of the controller');
    if (this.readOnly) throw new Error('write to a read-only medium: a bug of the controller');
    await this.gate;
    if (this.failWrites) throw new Error('host write error');
    await super.write(offset, source);
  }

  override async flush(): Promise<void> {
    this.operations.push({ kind: 'flush', offset: 0, length: 0 });
    await this.gate;
    if (this.failWrites) throw new Error('host flush error');
  }

  override async discard(offset: number, length: number): Promise<void> {
    this.operations.push({ kind: 'discard', offset, length });
    await super.discard(offset, length);
  }
}

/** A disk of which every sector holds its own number in each 32-bit word. */
export function numberedDisk(sectors: number, sectorBytes = 512, readOnly = false): TestDisk {
  const words = new Uint32Array((sectors * sectorBytes) / 4);
  for (let index = 0; index < words.length; index++) words[index] = Math.floor((index * 4) / sectorBytes);
  return new TestDisk(new Uint8Array(words.buffer), { readOnly });
}

/** Guest memory as an array. */
export class TestMemory implements DmaMemory {
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  read(address: number, target: Uint8Array): void {
    for (let i = 0; i < target.length; i++) target[i] = this.bytes[address + i] ?? 0xff;
  }

  write(address: number, source: Uint8Array): void {
    for (let i = 0; i < source.length && address + i < this.bytes.length; i++) this.bytes[address + i] = source[i] ?? 0;
  }

  read8(address: number): number {
    return this.bytes[address] ?? 0xff;
  }

  read16(address: number): number {
    return this.read8(address) | (this.read8(address + 1) << 8);
  }

  read32(address: number): number {
    return (this.read16(address) | (this.read16(address + 2) << 16)) >>> 0;
  }

  write8(address: number, value: number): void {
    if (address < this.bytes.length) this.bytes[address] = value;
  }

  write16(address: number, value: number): void {
    this.view.setUint16(address, value, true);
  }

  write32(address: number, value: number): void {
    this.view.setUint32(address, value, true);
  }
}

/** A small seeded generator, so that failures repeat. */
export function randomStream(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * limit);
  };
}

const HOSTILE_NUMBERS = [-1, 0, 1, 2, 3, 7, 8, 63, 255, 256, 511, 512, 513, 4096, 65535, 65536, 262143, 262144, 2 ** 31, 2 ** 32, 2 ** 48, 2 ** 53, 0.5, NaN];

/** Changes one value at a random depth of a saved state, in place: what a damaged or hostile file may hold. */
export function damageState(tree: unknown, random: (limit: number) => number): void {
  if (typeof tree !== 'object' || tree === null) return;
  if (tree instanceof Uint8Array) {
    if (tree.length > 0) tree[random(tree.length)] = random(256);
    return;
  }
  const container = tree as Record<string, unknown>;
  const keys = Object.keys(container);
  const key = keys[random(keys.length)];
  if (key === undefined) return;
  const value = container[key];
  const nested = typeof value === 'object' && value !== null;
  if (nested && random(6) !== 0) return damageState(value, random);
  if (value instanceof Uint8Array) container[key] = new Uint8Array(random(2) ? random(2048) : value.length);
  else if (typeof value === 'number') container[key] = random(3) ? HOSTILE_NUMBERS[random(HOSTILE_NUMBERS.length)] : value + random(5) - 2;
  else if (typeof value === 'boolean') container[key] = !value;
  else if (typeof value === 'string') container[key] = ['idle', 'pio-in', 'pio-out', 'dma', 'medium', 'pause', 'read', 'write', 'execute', 'reply', 'sectors'][random(11)];
  else container[key] = null;
}
