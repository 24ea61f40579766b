// A bare machine for one vCPU of any engine: 4 MiB of RAM, a ROM, video memory, a recorder for accesses, and an interrupt
// controller of one line. Programs are assembled by our own assembler and start in real mode.

import { NestboxError, messageOf } from '../../core/base/errors.ts';
import type { Logger } from '../../core/base/logger.ts';
import type { CpuState, Vcpu, VcpuOptions } from '../../core/cpu/contract.ts';
import { type CpuFeature, DEFAULT_FEATURES } from '../../core/cpu/isa/cpuid.ts';
import { PAGE } from '../../core/cpu/isa/layout.ts';
import { type HandOffPolicy, isFullKvm } from '../../core/cpu/kvm/engine-modes.ts';
import { irqchipOffer } from '../../core/cpu/kvm/kernel-irqchip.ts';
import { kvmFeatures, toleratedFeatures, untoldFeatures } from '../../core/cpu/kvm/kvm-cpuid.ts';
import { openKvm } from '../../core/cpu/kvm/kvm-device.ts';
import { type KvmProbe, probeKvm } from '../../core/cpu/kvm/kvm-probe.ts';
import { createKvmVcpu } from '../../core/cpu/kvm/kvm-vcpu.ts';
import { createSoftwareVcpu } from '../../core/cpu/software/software-vcpu.ts';
import { assemble } from '../../core/firmware/asm/assembler.ts';
import { layOutMemory } from '../../core/memory/layout.ts';
import { PhysicalMemory } from '../../core/memory/physical-memory.ts';
import { RigControllers } from '../support/rig-controllers.ts';
import { hostProcessorFlags } from '../../core/machine/host-services.ts';
import { jitOptionsNow } from '../support/jit-modes.ts';

export const ORIGIN = 0x7c00;
export const ROM_BASE = 0xf_0000;
export const VRAM_BASE = 0xe000_0000;
/** Nothing is mapped here: accesses are device accesses. */
export const DEVICE_BASE = 0xa_0000;
export const DONE_PORT = 0x99;
const TSC_HZ = 1e9;

export type EngineName = 'software' | 'kvm';

export interface Access {
  readonly kind: 'in' | 'out' | 'read' | 'write';
  readonly address: number;
  readonly size: number;
  readonly value: number;
}

const readHostMs = (): number => performance.now();
const silent: Logger = { enabled: () => false, log: () => undefined, child: () => silent };

let probe: KvmProbe | undefined;
let irqchip = false;

/** Why this host's KVM cannot be tested, or undefined when it can. */
export async function whyNoKvm(): Promise<string | undefined> {
  try {
    const device = await openKvm();
    try {
      probe ??= probeKvm(device, readHostMs);
      irqchip = irqchipOffer(device).full;
    } finally {
      device.dispose();
    }
    return undefined;
  } catch (error) {
    return error instanceof NestboxError ? messageOf(error) : String(error);
  }
}

/** What the trial of this host's KVM showed; only after whyNoKvm() has said undefined. */
export function hostProbe(): KvmProbe {
  if (probe === undefined) throw new Error('no KVM');
  return probe;
}

/** Whether this host's KVM has interrupt controllers of its own; after whyNoKvm(). */
export function offersIrqchip(): boolean {
  return irqchip;
}

export interface RigOptions {
  readonly policy?: HandOffPolicy;
  readonly features?: readonly CpuFeature[];
  /** KVM: the kernel's interrupt controllers stand for real ones of the board. */
  readonly kernelControllers?: boolean;
}

export class Rig {
  readonly engine: EngineName;
  readonly memory: PhysicalMemory;
  readonly vcpu: Vcpu;
  readonly accesses: Access[] = [];
  /** Values that ports and device addresses answer with, by address. */
  readonly answers = new Map<number, number>();
  /** MSRs of the platform: index to [low, high]. */
  readonly msrs = new Map<number, readonly [number, number]>();
  onAccess: ((access: Access) => void) | undefined;
  private ownCr8 = 0;
  private readonly controllers: RigControllers | undefined;
  /** Milliseconds that the machine stood still: virtual time is host time less these. */
  stoodStillMs = 0;
  /** Ticks a second of the time-stamp counter. */
  readonly tscHz: number;
  private vectors: number[] = [];
  private done = false;

  private constructor(engine: EngineName, tscHz: number, kernelControllers: boolean, make: (rig: Rig, wasm: WebAssembly.Memory, memory: PhysicalMemory, options: VcpuOptions) => Vcpu) {
    this.engine = engine;
    this.tscHz = tscHz;
    this.controllers = kernelControllers ? new RigControllers(() => this.vcpu, () => this.readNs()) : undefined;
    const layout = layOutMemory({ ramBytes: 4 << 20, romBytes: 65536, vramBytes: 1 << 20, vcpus: 1 });
    const pages = layout.totalBytes / 65536;
    const wasm = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const memory = (this.memory = new PhysicalMemory(wasm.buffer as SharedArrayBuffer, layout));
    memory.mapRam();
    memory.unmap(DEVICE_BASE, 0x5_0000);
    memory.map(ROM_BASE, 65536, layout.romBase, PAGE.READ | PAGE.RAM);
    memory.map(0xffff_0000, 65536, layout.romBase, PAGE.READ | PAGE.RAM);
    memory.map(VRAM_BASE, 1 << 20, layout.vramBase, PAGE.READ | PAGE.WRITE | PAGE.RAM);
    const access = (kind: Access['kind'], address: number, size: number, value: number): number => {
      const entry: Access = { kind, address, size, value };
      if (kind === 'out' && address === DONE_PORT) {
        this.done = true;
        this.vcpu.requestYield();
      } else this.accesses.push(entry);
      this.onAccess?.(entry);
      return value;
    };
    const answer = (address: number, size: number): number => (this.answers.get(address) ?? 0xffff_ffff) % 2 ** (size * 8);
    this.vcpu = make(this, wasm, memory, {
      index: 0,
      io: {
        portRead: (port, size) => access('in', port, size, answer(port, size)),
        portWrite: (port, size, value) => access('out', port, size, value),
        mmioRead: (address, size) => access('read', address, size, answer(address, size)),
        mmioWrite: (address, size, value) => access('write', address, size, value),
      },
      interrupts: this.controllers?.localApic ?? {
        acknowledge: () => {
          const vector = this.vectors.shift() ?? -1;
          this.vcpu.setInterruptRequest(this.vectors.length > 0);
          return vector;
        },
        readCr8: () => this.ownCr8,
        writeCr8: (value) => (this.ownCr8 = value),
      },
      msrs: {
        read: (index, out) => {
          const value = this.msrs.get(index);
          if (value === undefined) return false;
          out.set(value);
          return true;
        },
        write: (index, low, high) => {
          if (!this.msrs.has(index)) return false;
          this.msrs.set(index, [low, high]);
          return true;
        },
      },
      clock: { readTsc: () => this.readTsc(), counterIs: (ticks, atNs) => (this.tscOffset = Math.floor(ticks - atNs * (this.tscHz / 1e9))) },
      random32: () => 4,
    });
    memory.addListener({
      mapChanged: () => this.vcpu.memoryMapChanged(),
      written: (address, length) => this.vcpu.memoryWritten(address, length),
      dirtyCleared: () => this.vcpu.memoryMapChanged(),
      collectDirty: () => this.vcpu.collectDirty?.(),
    });
    this.vcpu.reset();
  }

  static async create(engine: EngineName, options: RigOptions = {}): Promise<Rig> {
    if (engine === 'software') {
      return new Rig(engine, TSC_HZ, false, (_rig, wasm, memory, own) =>
        createSoftwareVcpu(wasm, memory, { ...own, ...jitOptionsNow(), tscHz: TSC_HZ, processorCount: 1, ...(options.features === undefined ? {} : { features: options.features }) }),
      );
    }
    const device = await openKvm();
    const known = hostProbe();
    const features = options.features ?? (known.keepsCpuid ? kvmFeatures(DEFAULT_FEATURES, device.supportedCpuid(), known.tscHz === TSC_HZ) : untoldFeatures(DEFAULT_FEATURES));
    return new Rig(engine, known.tscHz, options.kernelControllers === true, (rig, wasm, memory, own) =>
      createKvmVcpu({
        ...own,
        device,
        probe: known,
        memory,
        policy: options.policy ?? 'when-needed',
        controllers: rig.controllers?.board,
        processorCount: 1,
        features,
        hypervisorLeaves: [],
        tscHz: known.tscHz,
        tolerated: toleratedFeatures(features, isFullKvm(known) ? [] : hostProcessorFlags()),
        log: silent,
        readHostMs,
        readNs: () => rig.readNs(),
        createSoftware: (inner) => createSoftwareVcpu(wasm, memory, { ...inner, ...jitOptionsNow(), tscHz: known.tscHz, processorCount: 1, features }),
      }),
    );
  }

  readNs(): number {
    return Math.floor((readHostMs() - this.stoodStillMs) * 1e6);
  }

  private tscOffset = 0;

  private nominalTsc(): number {
    return Math.floor(this.readNs() * (this.tscHz / 1e9));
  }

  readTsc(): number {
    return this.nominalTsc() + this.tscOffset;
  }

  get ram(): DataView {
    return new DataView(this.memory.buffer, this.memory.layout.ramBase, this.memory.layout.ramBytes);
  }

  /** Assembles a program for 7C00h and makes the vCPU start there in real mode. */
  load(source: string): Map<string, number> {
    const { bytes, symbols } = assemble(`bits 16\norg ${ORIGIN}\n%define DONE out ${DONE_PORT}, al\n${source}`);
    this.memory.write(ORIGIN, bytes);
    const state = this.vcpu.getState();
    const segment = { selector: 0, base: 0n, limit: 0xffff, access: 0x93 };
    this.vcpu.setState({
      ...state,
      rip: BigInt(ORIGIN),
      gpr: state.gpr.map((_, i) => (i === 4 ? 0x7000n : 0n)),
      segments: { ...state.segments, cs: { ...segment, access: 0x9b }, ss: segment, ds: segment, es: segment, fs: segment, gs: segment },
    });
    return symbols;
  }

  /** Runs until the program writes to the DONE port. */
  runToDone(): void {
    this.done = false;
    for (let slices = 0; !this.done; slices++) {
      const exit = this.vcpu.run(20_000);
      if (exit !== 'budget' && exit !== 'yield') throw new Error(`the vCPU came back with ${exit} instead of finishing: ${this.vcpu.faultReport().registers}`);
      if (slices > 20_000) throw new Error('the program does not finish');
    }
  }

  /** Runs until something else than time ends it. */
  runToExit(): string {
    for (let slices = 0; slices < 20_000; slices++) {
      const exit = this.vcpu.run(20_000);
      if (exit !== 'budget' && exit !== 'yield') return exit;
    }
    throw new Error('the vCPU does not come back');
  }

  /** What the interrupt controller holds. */
  get cr8(): number {
    this.vcpu.standStill?.();
    return this.controllers?.localApic.readCr8() ?? this.ownCr8;
  }

  interrupt(vector: number): void {
    if (this.controllers !== undefined) {
      this.controllers.interrupt(vector);
      return;
    }
    this.vectors.push(vector);
    this.vcpu.setInterruptRequest(true);
  }

  gpr(index: number): bigint {
    return this.vcpu.getState().gpr[index] ?? 0n;
  }

  state(): CpuState {
    return this.vcpu.getState();
  }

  /** KVM_RUNs so far; 0 on the software CPU. */
  get kvmRuns(): number {
    return this.vcpu.stats().exits.kvmRuns ?? 0;
  }

  dispose(): void {
    this.vcpu.dispose();
  }
}
