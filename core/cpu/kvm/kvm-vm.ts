// One KVM virtual machine: its memory regions, which follow the machine's page map, and the log of written pages.

import type { Disposable } from '../../base/disposable.ts';
import { NestboxError } from '../../base/errors.ts';
import type { PhysicalMemory } from '../../memory/physical-memory.ts';
import type { AddressRange } from '../contract.ts';
import { Exchange } from './exchange.ts';
import { KVM, MEM_LOG_DIRTY_PAGES, MEM_READONLY, MSR_EXIT_FILTER, MSR_EXIT_INVALID, MSR_EXIT_UNKNOWN, SIZE, capabilityId } from './ioctl.ts';
import type { KvmDevice } from './kvm-device.ts';
import { type IrqchipKind, KernelIrqchip } from './kernel-irqchip.ts';
import { type MemoryRegion, regionsOf } from './memory-regions.ts';

const PAGE_BYTES = 4096;
const A20_PAGES = 0x100;
const ENABLE_CAP_AT = 0;
const REGION_AT = 128;
const DIRTY_LOG_AT = 192;
const ZONE_AT = 256;
const FILTER_AT = 512;
const FILTER_BITMAP_AT = 1024;
const BITMAP_AT = 4096;
/** Four pages below the largest ROM that the board leaves free: Intel processors need them for real mode. */
const TSS_ADDRESS = 0xfeff_d000;
const IDENTITY_MAP_ADDRESS = 0xfeff_c000;
/** Nothing is ever there while a guest runs. */
const SCRATCH_ADDRESS = 0xfeff_b000;

/** MSRs that our user space answers: the local APIC's base and timer, and paravirtual clocks. */
export const PLATFORM_MSR_RANGES: readonly (readonly [first: number, count: number])[] = [
  [0x11, 2],
  [0x1b, 1],
  [0x6e0, 1],
  [0x4b56_4d00, 8],
];

/** Those of a local APIC that the kernel runs. */
const APIC_MSRS: readonly number[] = [0x1b, 0x6e0];

interface Slot extends MemoryRegion {
  readonly id: number;
  readonly logged: boolean;
}

/** The page map as a processor sees it that cannot drive address bit 20. */
function withoutA20(map: Uint32Array): Uint32Array {
  return map.map((_, page) => map[page & ~A20_PAGES] ?? 0);
}

export class KvmVm implements Disposable {
  readonly device: KvmDevice;
  readonly descriptor: number;
  private readonly memory: PhysicalMemory;
  private readonly exchange: Exchange;
  private readonly ramAddress: number;
  private slots: Slot[] = [];
  private freeIds: number[] = [];
  private nextId = 0;
  private logRam: boolean;
  /** False: address bit 20 is 0, whatever the guest says. Takes effect with updateMap(). */
  a20Open = true;
  private closed = false;
  /** Undefined: all interrupt controllers are ours. */
  readonly irqchip: KernelIrqchip | undefined;

  /**
   * @param logRam log writes to RAM from the start; writes to video memory are always logged
   * @param irqchip interrupt controllers that the kernel runs
   */
  constructor(device: KvmDevice, memory: PhysicalMemory, logRam: boolean, irqchip?: IrqchipKind) {
    this.device = device;
    this.memory = memory;
    this.logRam = logRam;
    const { layout } = memory;
    this.exchange = new Exchange(device.libc, BITMAP_AT + Math.ceil(layout.trackedPages / 64) * 8);
    this.ramAddress = device.libc.addressOf(memory.buffer);
    this.descriptor = device.createVm();
    try {
      this.call(KVM.SET_TSS_ADDR, TSS_ADDRESS, 'set TSS address', true);
      this.exchange.set64(REGION_AT, IDENTITY_MAP_ADDRESS);
      this.call(KVM.SET_IDENTITY_MAP_ADDR, this.exchange.address + REGION_AT, 'set identity map', true);
      if (irqchip !== undefined) this.irqchip = new KernelIrqchip(device, this.descriptor, irqchip);
      this.routeMsrs();
      this.updateMap();
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** @throws NestboxError unless `optional` */
  call(request: number, argument: number, what: string, optional = false): number {
    const result = this.device.libc.ioctl(this.descriptor, request, argument);
    if (result < 0 && !optional) throw new NestboxError('io', `KVM cannot ${what} (error ${-result})`, { op: what, context: { errno: -result } });
    return result;
  }

  /** Platform MSRs, and those that KVM does not know, leave the guest with an exit. */
  private routeMsrs(): void {
    const { exchange } = this;
    exchange.clear(ENABLE_CAP_AT, SIZE.ENABLE_CAP);
    exchange.view.setUint32(ENABLE_CAP_AT, capabilityId('x86-user-space-msr'), true);
    exchange.set64(ENABLE_CAP_AT + 8, MSR_EXIT_INVALID | MSR_EXIT_UNKNOWN | MSR_EXIT_FILTER);
    this.call(KVM.ENABLE_CAP, exchange.address + ENABLE_CAP_AT, 'route MSRs');
    // Bits of the bitmaps are 0: both directions are denied, which means an exit.
    exchange.clear(FILTER_AT, SIZE.MSR_FILTER);
    const ranges = PLATFORM_MSR_RANGES.filter(([first]) => this.irqchip === undefined || !APIC_MSRS.includes(first));
    exchange.clear(FILTER_BITMAP_AT, ranges.length * 8);
    ranges.forEach(([first, count], i) => {
      const at = FILTER_AT + 8 + i * SIZE.MSR_FILTER_RANGE;
      exchange.view.setUint32(at, 3, true);
      exchange.view.setUint32(at + 4, count, true);
      exchange.view.setUint32(at + 8, first, true);
      exchange.set64(at + 16, exchange.address + FILTER_BITMAP_AT + i * 8);
    });
    this.call(KVM.SET_MSR_FILTER, exchange.address + FILTER_AT, 'filter MSRs');
  }

  /**
   * Collects writes to device memory in a ring instead of leaving the guest for each.
   * @returns the ring's page among the pages of each vCPU, or 0 where this KVM has none
   */
  coalesceWrites(ranges: readonly AddressRange[]): number {
    const page = this.device.check('coalesced-mmio');
    if (page <= 0) return 0;
    const { exchange } = this;
    for (const { address, bytes } of ranges) {
      exchange.clear(ZONE_AT, SIZE.COALESCED_ZONE);
      exchange.set64(ZONE_AT, address);
      exchange.view.setUint32(ZONE_AT + 8, bytes, true);
      this.call(KVM.REGISTER_COALESCED_MMIO, exchange.address + ZONE_AT, 'collect writes to device memory');
    }
    return page;
  }

  /** Brings the memory regions in line with the page map. Must not be called while a vCPU runs. */
  updateMap(): void {
    const { layout, pageMapWords } = this.memory;
    const wanted = regionsOf(this.a20Open ? pageMapWords : withoutA20(pageMapWords));
    const logged = (region: MemoryRegion): boolean => this.logRam || region.host >= layout.vramBase;
    const same = (slot: Slot, region: MemoryRegion): boolean =>
      slot.address === region.address && slot.length === region.length && slot.host === region.host && slot.writable === region.writable;
    const kept: Slot[] = [];
    for (const slot of this.slots) {
      if (wanted.some((region) => same(slot, region))) kept.push(slot);
      else this.remove(slot);
    }
    this.slots = kept;
    for (const region of wanted) {
      const present = kept.find((slot) => same(slot, region));
      const log = region.writable && logged(region);
      if (present === undefined) this.slots.push(this.insert({ ...region, id: this.freeIds.pop() ?? this.nextId++, logged: log }));
      else if (present.logged !== log) {
        // Only the flags change: the slot keeps its id.
        this.slots[this.slots.indexOf(present)] = this.insert({ ...present, logged: log });
      }
    }
  }

  private insert(slot: Slot): Slot {
    const flags = (slot.logged ? MEM_LOG_DIRTY_PAGES : 0) | (slot.writable ? 0 : MEM_READONLY);
    this.setRegion(slot.id, flags, slot.address, slot.length, this.ramAddress + slot.host);
    return slot;
  }

  private remove(slot: Slot): void {
    this.collectSlot(slot);
    this.setRegion(slot.id, 0, slot.address, 0, this.ramAddress + slot.host);
    this.freeIds.push(slot.id);
  }

  private setRegion(id: number, flags: number, guest: number, length: number, address: number): void {
    const { exchange } = this;
    exchange.view.setUint32(REGION_AT, id, true);
    exchange.view.setUint32(REGION_AT + 4, flags, true);
    exchange.set64(REGION_AT + 8, guest);
    exchange.set64(REGION_AT + 16, length);
    exchange.set64(REGION_AT + 24, address);
    this.call(KVM.SET_USER_MEMORY_REGION, exchange.address + REGION_AT, 'give memory to the guest');
  }

  /** KVMs that keep copies of page tables drop them; removing a region does it on all. */
  forgetTranslations(): void {
    const id = this.freeIds.pop() ?? this.nextId++;
    this.setRegion(id, 0, SCRATCH_ADDRESS, PAGE_BYTES, this.ramAddress + this.memory.layout.ramBase);
    this.setRegion(id, 0, SCRATCH_ADDRESS, 0, this.ramAddress + this.memory.layout.ramBase);
    this.freeIds.push(id);
  }

  get logsRam(): boolean {
    return this.logRam;
  }

  /** Starts logging writes to RAM: until then every RAM page counts as written. */
  startLoggingRam(): void {
    if (this.logRam) return;
    this.memory.markAllRamDirty();
    this.logRam = true;
    this.updateMap();
  }

  /** Moves the kernel's log of written pages to the machine's dirty bytes and drops code decoded from those pages. RAM that is not logged is left out. */
  collectDirty(): void {
    for (const slot of this.slots) this.collectSlot(slot);
  }

  private collectSlot(slot: Slot): void {
    if (!slot.logged) return;
    const { exchange, memory } = this;
    exchange.view.setUint32(DIRTY_LOG_AT, slot.id, true);
    exchange.set64(DIRTY_LOG_AT + 8, exchange.address + BITMAP_AT);
    this.call(KVM.GET_DIRTY_LOG, exchange.address + DIRTY_LOG_AT, 'read the log of written pages');
    const pages = slot.length / PAGE_BYTES;
    const words = Math.ceil(pages / 32);
    for (let word = 0; word < words; word++) {
      let bits = exchange.view.getUint32(BITMAP_AT + word * 4, true);
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits & -bits);
        bits &= bits - 1;
        const page = word * 32 + bit;
        memory.noteHostWrite(slot.address + page * PAGE_BYTES, slot.host + page * PAGE_BYTES, PAGE_BYTES);
      }
    }
  }

  /** @throws NestboxError */
  createVcpu(index: number): number {
    return this.call(KVM.CREATE_VCPU, index, 'create a virtual CPU');
  }

  /** Closes the VM; its vCPUs must be closed before, the guest's memory may go after. */
  dispose(): void {
    if (this.closed) return;
    this.closed = true;
    this.device.libc.close(this.descriptor);
  }
}

