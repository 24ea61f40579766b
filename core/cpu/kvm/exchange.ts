// Memory that the kernel and JavaScript both see: a small WebAssembly memory, because that is page aligned, never moves,
// and lies inside V8's memory cage (Electron refuses buffers from outside). Structures of requests live in it; a vCPU's
// kvm_run pages are mapped over its beginning.

import type { Libc } from './libc.ts';

const WASM_PAGE = 65536;

export class Exchange {
  readonly buffer: SharedArrayBuffer;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  /** Address in the process of byte 0. */
  readonly address: number;

  constructor(libc: Libc, length: number) {
    const pages = Math.ceil(length / WASM_PAGE);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.buffer = memory.buffer as SharedArrayBuffer;
    this.view = new DataView(this.buffer);
    this.bytes = new Uint8Array(this.buffer);
    this.address = libc.addressOf(this.buffer);
  }

  /** Stores an integer below 2^53. */
  set64(at: number, value: number): void {
    this.view.setUint32(at, value >>> 0, true);
    this.view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
  }

  /** An unsigned number; exact below 2^53. */
  get64(at: number): number {
    return this.view.getUint32(at + 4, true) * 0x1_0000_0000 + this.view.getUint32(at, true);
  }

  clear(at: number, length: number): void {
    this.bytes.fill(0, at, at + length);
  }
}
