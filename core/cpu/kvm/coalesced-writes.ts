// Writes to device memory that the kernel collects instead of leaving the guest for each: a ring in the vCPU's pages
// (Documentation/virt/kvm/api.rst, KVM_REGISTER_COALESCED_MMIO; struct kvm_coalesced_mmio_ring of linux/kvm.h).

import type { VcpuIo } from '../contract.ts';
import { writePieces } from './bus-pieces.ts';
import type { VcpuFile } from './vcpu-file.ts';

const PAGE_BYTES = 4096;
/** Index of the first write that is waiting, and of the free entry after the last. */
const FIRST = 0;
const LAST = 4;
const ENTRIES = 8;
const ENTRY_BYTES = 24;
const ENTRY = { ADDRESS: 0, LENGTH: 8, DATA: 16 } as const;
const DATA_BYTES = 8;
const CAPACITY = Math.floor((PAGE_BYTES - ENTRIES) / ENTRY_BYTES);

export class CoalescedWrites {
  private readonly file: VcpuFile;
  private readonly io: VcpuIo;
  private readonly ring: number;
  /** Writes that took this way. */
  count = 0;

  /** @param page of the ring among the vCPU's pages, as KVM_CAP_COALESCED_MMIO says */
  constructor(file: VcpuFile, io: VcpuIo, page: number) {
    this.file = file;
    this.io = io;
    this.ring = page * PAGE_BYTES;
  }

  /** Hands on what has been written, oldest first. To be called after each KVM_RUN, before its exit is served. */
  drain(): void {
    const { ring, file } = this;
    const { view } = file;
    const last = view.getUint32(ring + LAST, true) % CAPACITY;
    let first = view.getUint32(ring + FIRST, true) % CAPACITY;
    if (first === last) return;
    for (; first !== last; first = (first + 1) % CAPACITY) {
      const entry = ring + ENTRIES + first * ENTRY_BYTES;
      this.count++;
      writePieces(this.io, view, file.exchange.get64(entry + ENTRY.ADDRESS), Math.min(DATA_BYTES, view.getUint32(entry + ENTRY.LENGTH, true)), entry + ENTRY.DATA);
    }
    view.setUint32(ring + FIRST, first, true);
  }
}
