// A bare machine of several KVM vCPUs with the kernel's interrupt controllers: 4 MiB of RAM, a recorder for accesses.
// Programs are assembled by our own assembler for 8000h, where start-up IPIs with vector 8 lead too.

import { LocalApic } from '../../core/cpu/software/local-apic.ts';
import { DEFAULT_FEATURES } from '../../core/cpu/isa/cpuid.ts';
import type { CpuState, Vcpu, VcpuIo } from '../../core/cpu/contract.ts';
import { InterruptBus } from '../../core/bus/interrupt-bus.ts';
import { Pic8259 } from '../../core/devices/platform/pic-8259.ts';
import type { LocalApicFields, PicChipFields } from '../../core/cpu/kvm/irqchip-state.ts';
import { kvmFeatures } from '../../core/cpu/kvm/kvm-cpuid.ts';
import { type KvmDevice, openKvm } from '../../core/cpu/kvm/kvm-device.ts';
import type { ControllerState } from '../../core/cpu/kvm/controller-loan.ts';
import { KvmSmp } from '../../core/cpu/kvm/kvm-smp.ts';
import { SmpInterpreter } from '../../core/cpu/kvm/smp-interpreter.ts';
import { createSoftwareVcpu } from '../../core/cpu/software/software-vcpu.ts';
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

/** Everything between the processors' registers and the board. */
export interface SmpState extends ControllerState {
  readonly cpus: readonly CpuState[];
  /** Of the first processor, without its adjustment. */
  readonly tsc: number;
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
  readonly memory: PhysicalMemory;
  readonly count: number;
  readonly accesses: SmpAccess[] = [];
  readonly stops: string[] = [];
  /** Values that ports and device addresses answer with; all ones elsewhere. */
  readonly answers = new Map<number, number>();
  onAccess: ((access: SmpAccess) => void) | undefined;
  private readonly device: KvmDevice;
  private made: KvmSmp | undefined;
  private software: Vcpu | undefined;
  private closed = false;
  private doneWaiters: { resolve: () => void; reject: (error: Error) => void }[] = [];

  private constructor(device: KvmDevice, count: number, memory: PhysicalMemory) {
    this.device = device;
    this.count = count;
    this.memory = memory;
    memory.mapRam();
  }

  static async create(count: number): Promise<SmpRig> {
    const layout = layOutMemory({ ramBytes: RAM_BYTES, romBytes: 65536, vramBytes: 65536, vcpus: 1 });
    const pages = layout.totalBytes / 65536;
    const wasm = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const rig = new SmpRig(await openKvm(), count, new PhysicalMemory(wasm.buffer as SharedArrayBuffer, layout));
    const features = kvmFeatures(DEFAULT_FEATURES, rig.device.supportedCpuid(), false);
    const smp = (rig.made = await KvmSmp.create({ device: rig.device, memory: rig.memory, count, features, tscHz: TSC_HZ }));
    const io = (cpu: number): VcpuIo => ({
      portRead: (port) => rig.access(cpu, 'in', port, rig.answers.get(port) ?? ALL_ONES),
      portWrite: (port, _size, value) => void rig.access(cpu, 'out', port, value),
      mmioRead: (address) => rig.access(cpu, 'read', address, rig.answers.get(address) ?? ALL_ONES),
      mmioWrite: (address, _size, value) => void rig.access(cpu, 'write', address, value),
    });
    const msrs = { read: () => false, write: () => false };
    let cr8 = 0;
    const software = (rig.software = createSoftwareVcpu(wasm, rig.memory, {
      index: 0,
      io: io(0),
      msrs,
      interrupts: { acknowledge: () => -1, readCr8: () => cr8, writeCr8: (value) => (cr8 = value) },
      clock: { readTsc: () => 0 },
      random32: () => 4,
      jit: false,
      tscHz: TSC_HZ,
      processorCount: count,
      features,
    }));
    const interpreter = new SmpInterpreter(smp, software, () => performance.now());
    smp.connect({ io, msrs: () => msrs, interpret: (index) => interpreter.runOne(index), served: () => smp.release() });
    void rig.serve();
    return rig;
  }

  private async serve(): Promise<void> {
    while (!this.closed) {
      const seen = this.smp.rings;
      if (this.smp.serve() > 0) continue;
      const stop = this.smp.takeStop();
      if (stop !== undefined) {
        const text = `${stop.index}: ${stop.why} ${stop.detail}`;
        this.stops.push(text);
        for (const waiter of this.doneWaiters.splice(0)) waiter.reject(new Error(`vCPU ${stop.index} stopped: ${stop.why} ${stop.detail}`));
      }
      await this.smp.waitForRing(seen);
    }
  }

  /** Lets all run. @param tsc what every processor's time-stamp counter is now; undefined = they go on as they are */
  start(tsc?: number): void {
    if (tsc !== undefined) this.smp.writeTsc(tsc);
    this.smp.start();
  }

  readState(nowNs: number, before: Pick<SmpState, 'localApics' | 'pics'>): SmpState {
    const { smp } = this;
    return { ...smp.readControllers(nowNs, before), cpus: smp.readProcessors(0), tsc: smp.vcpus[0]?.state.readTsc() ?? 0 };
  }

  writeState(state: SmpState, nowNs: number): void {
    const { smp } = this;
    for (const vcpu of smp.vcpus) {
      const cpu = state.cpus[vcpu.index];
      const refused = cpu === undefined ? 'nothing' : vcpu.write(cpu);
      if (refused !== undefined) throw new Error(`KVM refuses ${refused} of processor ${vcpu.index}`);
      smp.revive(vcpu.index);
    }
    smp.writeTsc(state.tsc);
    const refused = smp.writeControllers(state, nowNs);
    if (refused !== undefined) throw new Error(`KVM refuses ${refused}`);
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
  load(source: string): Map<string, number> {
    const { bytes, symbols } = assemble(`bits 16\norg ${SMP_ORIGIN}\n%define DONE out ${SMP_DONE_PORT}, al\n${source}`);
    this.memory.write(SMP_ORIGIN, bytes);
    const controllers = resetControllers(this.count);
    const { cpus, ioApic, tsc } = this.readState(0, controllers);
    const segment = { selector: 0, base: 0n, limit: 0xffff, access: 0x93 };
    const boot = cpus[0] as CpuState;
    const first: CpuState = {
      ...boot,
      rip: BigInt(SMP_ORIGIN),
      gpr: boot.gpr.map((_, i) => (i === 4 ? 0x7000n : 0n)),
      segments: { ...boot.segments, cs: { ...segment, access: 0x9b }, ss: segment, ds: segment, es: segment, fs: segment, gs: segment },
    };
    this.writeState({ ...controllers, ioApic, tsc, cpus: [first, ...cpus.slice(1)] }, 0);
    return symbols;
  }

  /** Resolves when a processor writes to the DONE port; the machine goes on. */
  untilDone(): Promise<void> {
    return new Promise((resolve, reject) => this.doneWaiters.push({ resolve, reject }));
  }

  async close(): Promise<void> {
    await this.smp.close();
    this.closed = true;
    this.software?.dispose();
    this.device.dispose();
  }
}
