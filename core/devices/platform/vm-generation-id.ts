// Virtual machine generation identifier ("Virtual Machine Generation ID", Microsoft, 2012): 16 bytes that the guest reads
// where its ACPI tables say, and that change whenever its state is used a second time. The identifier has a page of its own,
// which is there whatever firmware runs and cannot be written to.

import { z } from 'zod';
import type { Disposable } from '../../base/disposable.ts';
import type { MmioBus, MmioDevice } from '../../bus/mmio-bus.ts';
import type { AccessSize } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import { bytes } from './state-fields.ts';

const VERSION = 1;
/** Between the local APIC and the firmware, outside RAM and what PCI devices may be given. */
export const VM_GENERATION_ID_BASE = 0xfef1_0000;
const PAGE_BYTES = 4096;
const PRIORITY = 1;
export const GENERATION_ID_BYTES = 16;

const schema = z.strictObject({ generation: bytes(GENERATION_ID_BYTES) });

export interface VmGenerationIdOptions {
  readonly id?: string | undefined;
  /** 16 bytes as they lie in memory. */
  readonly generation: Uint8Array;
  /** The identifier is another one: the guest must be told. */
  readonly onChanged: () => void;
}

export class VmGenerationId implements Device, MmioDevice {
  readonly id: string;
  private readonly onChanged: () => void;
  private generation: Uint8Array;

  constructor(options: VmGenerationIdOptions) {
    this.id = options.id ?? 'vm-generation-id';
    this.onChanged = options.onChanged;
    this.generation = options.generation.slice(0, GENERATION_ID_BYTES);
  }

  attach(mmio: MmioBus): Disposable {
    return mmio.register(VM_GENERATION_ID_BASE, PAGE_BYTES, this, PRIORITY);
  }

  /** Another generation begins. @param generation 16 bytes as they lie in memory */
  change(generation: Uint8Array): void {
    this.generation = generation.slice(0, GENERATION_ID_BYTES);
    this.onChanged();
  }

  readMmio(offset: number, size: AccessSize): number {
    let value = 0;
    for (let byte = size - 1; byte >= 0; byte--) value = value * 256 + (this.generation[offset + byte] ?? 0);
    return value;
  }

  writeMmio(): void {
    // Read-only, as the page that it stands for.
  }

  reset(): void {
    // The same machine goes on: nothing happens at a reset.
  }

  save(): DeviceState {
    return { version: VERSION, fields: { generation: this.generation.slice() } };
  }

  load(state: DeviceState): void {
    this.generation = parseState(this.id, state, VERSION, schema).generation.slice();
  }

  dispose(): void {}
}

/** The bytes of a GUID in memory: its first three numbers are little-endian. @param text "01234567-89ab-cdef-0123-456789abcdef" */
export function guidBytes(text: string): Uint8Array {
  const big = Uint8Array.from(text.replaceAll('-', '').match(/../g) ?? [], (pair) => parseInt(pair, 16));
  return Uint8Array.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15], (from) => big[from] ?? 0);
}
