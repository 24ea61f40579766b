// What the device thread and the threads of vCPUs say to each other besides the mailboxes: commands, while the vCPU stands
// still, and what comes of them.

import type { CpuState } from '../contract.ts';
import type { MemoryLayout } from '../../memory/layout.ts';
import type { CpuFeature, CpuidEntry } from '../isa/cpuid.ts';
import type { KernelApicState } from './kernel-apic.ts';

export interface VcpuThreadStart {
  readonly index: number;
  readonly count: number;
  readonly vmDescriptor: number;
  readonly runPageBytes: number;
  readonly hasXcrs: boolean;
  readonly mailboxes: SharedArrayBuffer;
  readonly cpuid: readonly CpuidEntry[];
  /** Ticks a second of the guest's TSC, as far as KVM can give them. */
  readonly tscHz: number;
  /** The machine's memory, for instructions that this KVM cannot run: the interpreter does those. */
  readonly wasm: WebAssembly.Memory;
  readonly layout: MemoryLayout;
  readonly features: readonly CpuFeature[];
}

/** One processor with its local APIC, as KVM holds it. */
export interface VcpuThreadState {
  readonly cpu: CpuState;
  readonly apic: KernelApicState;
  readonly tsc: number;
}

export type VcpuCommand =
  /** `tsc`: what the counter was at `atNs` of the host's monotonic clock; undefined = leave it. */
  | { readonly kind: 'run'; readonly tsc: number | undefined; readonly atNs: bigint }
  | { readonly kind: 'get-state' }
  | { readonly kind: 'set-state'; readonly state: VcpuThreadState }
  | { readonly kind: 'end' };

/** `unsupported`: an instruction or state that this KVM cannot run. */
export type VcpuStop = 'asked' | 'shutdown' | 'unsupported' | 'debug';

export type VcpuReport =
  | { readonly kind: 'ready'; readonly threadId: number }
  | { readonly kind: 'stopped'; readonly why: VcpuStop; readonly detail: string; readonly runs: number; readonly interpreted: number }
  /** `externalVector`: an interrupt of the 8259s that had been acknowledged and is taken back, or -1. */
  | { readonly kind: 'state'; readonly state: VcpuThreadState; readonly externalVector: number }
  | { readonly kind: 'set'; readonly refused: string | undefined }
  | { readonly kind: 'failed'; readonly message: string };
