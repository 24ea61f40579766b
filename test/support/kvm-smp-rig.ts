// A bare machine of several KVM vCPUs with the kernel's interrupt controllers: 4 MiB of RAM, a recorder for accesses.
// Programs are assembled by our own assembler for 8000h, where start-up IPIs with vector 8 lead too.

import { LocalApic } from '../../core/cpu/software/local-apic.ts';
import { DEFAULT_FEATURES } from '../../core/cpu/isa/cpuid.ts';
import type { CpuState } from '../../core/cpu/contract.ts';
import { InterruptBus } from '../../core/bus/interrupt-bus.ts';
import { Pic8259 } from '../../core/devices/platform/pic-8259.ts';
import type { LocalApicFields, PicChipFields } from '../../core/cpu/kvm/irqchip-state.ts';
import { kvmFeatures } from '../../core/cpu/kvm/kvm-cpuid.ts';
import { type KvmDevice, openKvm } from '../../core/cpu/kvm/kvm-device.ts';
import { KvmSmp, type SmpState } from '../../core/cpu/kvm/kvm-smp.ts';
import { assemble } from '../../core/firmware/asm/assembler.ts';
import { layOutMemory } from '../../core/memory/layout.ts';
import { PhysicalMemory } from '../../core/memory/physical-memory.ts';
import { TestClock } from '../../core/devices/platform/testing.ts';

export const SMP_ORIGIN = 0x8000;
export const SMP_DONE_PORT = 0x99;
const RAM_BYTES = 4 << 20;
const TSC_HZ = 1e9;
const ALL_ONES = 0xffff_ffff;

export interface SmpAccess {
  readonly cpu: number;
  readonly kind: 'in' | 'out' | 'read' | 'write';
  readonly address: number;
  readonly value: number;
}

/** What a saved machine holds of its controllers after power-on, by our own devices. */
export function resetControllers(count: number): Pick<SmpState, 'localApics' | 'pics'> {
  const pic = new Pic8259({ intr: { set: () => undefined } });
  const { master, slave } = pic.save().fields as unknown as { master: PicChipFields; slave: PicChipFields };
  const bus = new InterruptBus();
  const localApics = Array.from({ length: count }, (_, index) => {
    const apic = new LocalApic({ id: `lapic${index}`, apicId: index, isBsp: index === 0, clock: new TestClock(), bus, tscToNs: (tsc) => tsc, onInterruptRequest: () => undefined, onNmi: () => undefined, onInit: () => undefined, onStartup: () => undefined });
    return apic.save().fields as unknown as LocalApicFields;
  });
  return { pics: [master, slave], localApics };
}

export class SmpRig {
  readonly wasm: WebAssembly.Memory;
  readonly memory: PhysicalMemory;
  readonly count: number;
  readonly accesses: SmpAccess[] = [];
  readonly stops: string[] = [];
  /** Values that ports and device addresses answer with; all ones elsewhere. */
  readonly answers = new Map<number, number>();
  onAccess: ((access: SmpAccess) => void) | undefined;
  private readonly device: KvmDevice;
  private made: KvmSmp | undefined;
  private doneWaiters: { resolve: () => void; reject: (error: Error) => void }[] = [];

  private constructor(device: KvmDevice, count: number) {
    this.device = device;
    this.count = count;
    const layout = layOutMemory({ ramBytes: RAM_BYTES, romBytes: 65536, vramBytes: 65536, vcpus: count });
    const pages = layout.totalBytes / 65536;
    const wasm = (this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }));
    this.memory = new PhysicalMemory(wasm.buffer as SharedArrayBuffer, layout);
    this.memory.mapRam();
  }

  static async create(count: number): Promise<SmpRig> {
    const rig = new SmpRig(await openKvm(), count);
    const features = kvmFeatures(DEFAULT_FEATURES, rig.device.supportedCpuid(), false);
    rig.made = await KvmSmp.create({
      device: rig.device,
      memory: rig.memory,
      count,
      features,
      wasm: rig.wasm,
      tscHz: TSC_HZ,
      io: (cpu) => ({
        portRead: (port) => rig.access(cpu, 'in', port, rig.answers.get(port) ?? ALL_ONES),
        portWrite: (port, _size, value) => void rig.access(cpu, 'out', port, value),
        mmioRead: (address) => rig.access(cpu, 'read', address, rig.answers.get(address) ?? ALL_ONES),
        mmioWrite: (address, _size, value) => void rig.access(cpu, 'write', address, value),
      }),
      msrs: () => ({ read: () => false, write: () => false }),
      random32: () => 4,
      onStop: (index, why, detail) => {
        rig.stops.push(`${index}: ${why} ${detail}`);
        for (const waiter of rig.doneWaiters.splice(0)) waiter.reject(new Error(`vCPU ${index} stopped: ${why} ${detail}`));
      },
    });
    return rig;
  }

  private access(cpu: number, kind: SmpAccess['kind'], address: number, value: number): number {
    const entry: SmpAccess = { cpu, kind, address, value };
    if (kind === 'out' && address === SMP_DONE_PORT) for (const waiter of this.doneWaiters.splice(0)) waiter.resolve();
    else this.accesses.push(entry);
    this.onAccess?.(entry);
    return value;
  }

  get smp(): KvmSmp {
    if (this.made === undefined) throw new Error('the machine is not made yet');
    return this.made;
  }

  get ram(): DataView {
    return new DataView(this.memory.buffer, this.memory.layout.ramBase, RAM_BYTES);
  }

  /** Assembles a program for 8000h and makes processor 0 start there in real mode; the others wait for a start-up IPI. */
  async load(source: string): Promise<Map<string, number>> {
    const { bytes, symbols } = assemble(`bits 16\norg ${SMP_ORIGIN}\n%define DONE out ${SMP_DONE_PORT}, al\n${source}`);
    this.memory.write(SMP_ORIGIN, bytes);
    const controllers = resetControllers(this.count);
    const { cpus, ioApic, tsc } = await this.smp.readState(0, controllers);
    const segment = { selector: 0, base: 0n, limit: 0xffff, access: 0x93 };
    const boot = cpus[0] as CpuState;
    const first: CpuState = {
      ...boot,
      rip: BigInt(SMP_ORIGIN),
      gpr: boot.gpr.map((_, i) => (i === 4 ? 0x7000n : 0n)),
      segments: { ...boot.segments, cs: { ...segment, access: 0x9b }, ss: segment, ds: segment, es: segment, fs: segment, gs: segment },
    };
    await this.smp.writeState({ ...controllers, ioApic, tsc, cpus: [first, ...cpus.slice(1)] }, 0);
    return symbols;
  }

  /** Resolves when a processor writes to the DONE port; the machine goes on. */
  untilDone(): Promise<void> {
    return new Promise((resolve, reject) => this.doneWaiters.push({ resolve, reject }));
  }

  async close(): Promise<void> {
    await this.smp.close();
    this.device.dispose();
  }
}
