// The KVM engine with several processors, as the machine sees it: vCPUs in threads, which run on between two calls of run();
// run() serves their accesses. Interrupt controllers are the kernel's while anything runs, and the board's while
// all stand still. The single instructions that a KVM cannot run go to the interpreter.

import { NestboxError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { PhysicalMemory } from '../../memory/physical-memory.ts';
import type { CpuState, EngineStats, FaultReport, RunExit, SiblingVcpu, Vcpu, VcpuIo, VcpuMsrs, VcpuOptions } from '../contract.ts';
import type { CpuFeature } from '../isa/cpuid.ts';
import type { BoardControllers, ControllerBorrower, ControllerState } from './controller-loan.ts';
import { accessLinear, faultReportOf, registerOf, segmentOf, setRegister } from './guest-access.ts';
import type { KvmSmp, SmpStop } from './kvm-smp.ts';
import { SmpInterpreter } from './smp-interpreter.ts';
import { type SmpVcpu, shadowMsrs } from './smp-vcpu.ts';
import { ShownProcessor } from './shown-processor.ts';

/** Nanoseconds that count as one instruction: KVM counts none. */
const NS_PER_COUNT = 10;
/** This long without an access: the thread need not wait for the next one by itself. */
const QUIET_MS = 2;
const A20 = 0x10_0000;

export interface KvmProcessorsOptions extends Pick<VcpuOptions, 'io' | 'clock' | 'random32'> {
  readonly smp: KvmSmp;
  readonly memory: PhysicalMemory;
  readonly features: readonly CpuFeature[];
  readonly tscHz: number;
  readonly setsTsc: boolean;
  /** CPU features that a restored machine may bring along. */
  readonly tolerated: ReadonlySet<CpuFeature>;
  readonly controllers: BoardControllers;
  readonly log: Logger;
  /** Monotonic host milliseconds with fractions. */
  readonly readHostMs: () => number;
  /** Virtual nanoseconds. */
  readonly readNs: () => number;
  /** The machine is about to be changed (reset, entry of a kernel): who asked for it must not run on before. */
  readonly changePending: () => boolean;
  /** A processor wants something after run() has come back with `halted`. */
  readonly wanted: () => void;
  /** Makes the interpreter over the same memory. */
  readonly createSoftware: (options: VcpuOptions) => Vcpu;
  readonly dispose: () => void;
}

export class KvmProcessors implements Vcpu, ControllerBorrower {
  readonly index = 0;
  readonly siblings: readonly SiblingVcpu[];
  private readonly options: KvmProcessorsOptions;
  private readonly smp: KvmSmp;
  private readonly software: Vcpu;
  private readonly interpreter: SmpInterpreter;
  /** The processor whose access is being served. */
  private serving: number | undefined;
  /** What was lent, while the kernel runs the controllers. */
  private lent: ControllerState | undefined;
  /** All stand between two instructions. */
  private standing = true;
  private pausing = false;
  private ranOnce = false;
  private yieldWanted = false;
  private quietMs = 0;
  private watching = false;
  private mapRevision = -1;
  private readonly shown: ShownProcessor;
  /** Ticks a second of the guest's counter, whatever CPUID tells. */
  counterHz: number;
  /** States that were set and have not run. */
  private readonly set: (CpuState | undefined)[];
  private failed: SmpStop | undefined;
  private count = 0;
  private kvmMs = 0;

  constructor(options: KvmProcessorsOptions) {
    const { smp } = options;
    this.options = options;
    this.smp = smp;
    this.set = smp.vcpus.map(() => undefined);
    let cr8 = 0;
    this.software = options.createSoftware({
      index: 0,
      io: options.io,
      msrs: shadowMsrs(smp.vcpus[0] as SmpVcpu),
      random32: options.random32,
      clock: options.clock,
      interrupts: { acknowledge: () => -1, readCr8: () => cr8, writeCr8: (value) => (cr8 = value) },
    });
    this.counterHz = options.tscHz;
    this.shown = new ShownProcessor(smp, options, this.software.getState().identity);
    this.interpreter = new SmpInterpreter(smp, this.software, options.readHostMs);
    this.siblings = smp.vcpus.slice(1).map((vcpu) => ({
      index: vcpu.index,
      getState: () => this.stateOf(vcpu),
      setState: (state) => this.setStateOf(vcpu, state),
      setInterruptRequest: () => undefined,
      raiseNmi: () => vcpu.raiseNmi(),
      raiseInit: () => this.initialise(vcpu),
      raiseStartup: (vector) => this.startUp(vcpu, vector),
    }));
    const { io: board } = options;
    const seen = (address: number): number => (smp.vm.a20Open || Math.floor(address / A20) % 2 === 0 ? address : address - A20);
    const io: VcpuIo = {
      portRead: (port, size) => board.portRead(port, size),
      portWrite: (port, size, value) => board.portWrite(port, size, value),
      mmioRead: (address, size) => board.mmioRead(seen(address), size),
      mmioWrite: (address, size, value) => board.mmioWrite(seen(address), size, value),
    };
    const msrs = smp.vcpus.map(shadowMsrs);
    smp.connect({
      io: (index) => {
        this.serving = index;
        return io;
      },
      msrs: (index) => msrs[index] as VcpuMsrs,
      interpret: (index) => this.interpreter.runOne(index),
      served: (index) => this.served(index),
    });
  }

  // --- running ---------------------------------------------------------------------------------------------------

  run(maxInstructions: number): RunExit {
    const { smp, options } = this;
    const startMs = options.readHostMs();
    const endMs = startMs + (maxInstructions * NS_PER_COUNT) / 1e6;
    this.begin();
    smp.start();
    let exit: RunExit | undefined;
    let served = 0;
    let seen = 0;
    for (;;) {
      seen = smp.rings;
      served += smp.serve();
      exit = this.afterStop();
      const leftMs = endMs - options.readHostMs();
      if (exit !== undefined || this.yieldWanted || leftMs <= 0) break;
      smp.sleep(seen, leftMs);
    }
    const spentMs = options.readHostMs() - startMs;
    this.count += Math.max(1, Math.round((spentMs * 1e6) / NS_PER_COUNT));
    this.kvmMs += spentMs;
    this.quietMs = served > 0 ? 0 : this.quietMs + spentMs;
    if (exit !== undefined) return exit;
    if (this.yieldWanted) {
      this.yieldWanted = false;
      return 'yield';
    }
    if (this.quietMs < QUIET_MS) return 'budget';
    this.watch(seen);
    return 'halted';
  }

  /** Tells the machine when somebody wants something. */
  private watch(seen: number): void {
    this.options.controllers.wakeAt(undefined);
    if (this.watching) return;
    this.watching = true;
    void this.smp.waitForRing(seen).then(() => {
      this.watching = false;
      this.quietMs = 0;
      this.options.wanted();
    });
  }

  nap(ms: number): void {
    const { smp } = this;
    const seen = smp.rings;
    if (smp.serve() === 0) smp.sleep(seen, ms);
  }

  private afterStop(): RunExit | undefined {
    const stop = this.smp.takeStop();
    if (stop === undefined) return undefined;
    this.failed = stop;
    if (stop.why === 'failed') throw new NestboxError('io', `Virtual CPU ${stop.index}: ${stop.detail}`, { op: 'run virtual CPU' });
    return stop.why === 'shutdown' ? 'shutdown' : 'fault';
  }

  /** What must be so while anything runs: KVM's map of the memory, and the controllers in the kernel. */
  private begin(): void {
    const { smp, options } = this;
    const { memory } = options;
    // KVM knows no pages that are filled when they are needed.
    if (memory.absentPages > 0) memory.fillAll();
    if (this.mapRevision !== memory.mapRevision) {
      smp.hold();
      this.mapRevision = memory.mapRevision;
      smp.vm.updateMap();
    }
    if (this.standing) {
      this.standing = false;
      this.ranOnce = true;
      this.set.fill(undefined);
      if (options.setsTsc) smp.writeTsc(options.clock.readTsc());
      else this.compareTsc();
    }
    if (this.lent === undefined) this.lend();
    smp.release();
  }

  private lend(): void {
    const { smp, options } = this;
    smp.hold();
    this.lent = options.controllers.lend(this);
    const refused = smp.writeControllers(this.lent, options.readNs());
    if (refused !== undefined) options.log.log('warn', `KVM refuses ${refused} of this machine; interrupts may go astray`);
  }

  /** Before the processor goes on whose access was served. */
  private served(index: number): void {
    this.serving = undefined;
    if (this.pausing) return;
    if (this.options.changePending()) {
      this.smp.stopAfterAccess(index);
      this.yieldWanted = true;
    } else this.begin();
  }

  /** Timers go by what the guest sees. */
  private compareTsc(): void {
    const ticks = this.smp.vcpus[0]?.state.readTsc();
    if (ticks !== undefined) this.options.clock.counterIs?.(ticks, this.options.readNs(), false);
  }

  standStill(): void {
    if (this.standing) return;
    this.pausing = true;
    try {
      this.smp.pause();
    } finally {
      this.pausing = false;
    }
    this.standing = true;
    this.compareTsc();
    this.giveBack();
  }

  requestYield(): void {
    this.yieldWanted = true;
  }

  instructionCount(): number {
    return this.count;
  }

  // --- interrupts ------------------------------------------------------------------------------------------------

  setLine(gsi: number, level: boolean): void {
    this.smp.irqchip.setLine(gsi, level);
  }

  giveBack(): void {
    const { lent, smp, options } = this;
    if (lent === undefined) return;
    smp.hold();
    this.lent = undefined;
    options.controllers.takeBack(smp.readControllers(options.readNs(), lent));
  }

  /** The kernel's local APICs ask their processors. */
  setInterruptRequest(): void {
    // See above.
  }

  raiseNmi(): void {
    this.smp.vcpus[0]?.raiseNmi();
  }

  raiseInit(): void {
    this.initialise(this.smp.vcpus[0] as SmpVcpu);
  }

  raiseStartup(): void {
    // The first processor waits for none.
  }

  /** INIT while the board has its controllers: all others wait for a start-up message then. */
  private initialise(vcpu: SmpVcpu): void {
    this.setStateOf(vcpu, this.resetState(vcpu));
  }

  private startUp(vcpu: SmpVcpu, vector: number): void {
    const state = this.stateOf(vcpu);
    if (state.activity !== 'wait-for-sipi') return;
    const cs = { ...state.segments.cs, selector: vector << 8, base: BigInt(vector) << 12n };
    this.setStateOf(vcpu, { ...state, segments: { ...state.segments, cs }, rip: 0n, activity: 'running' });
  }

  private resetState({ index }: SmpVcpu): CpuState {
    this.software.reset();
    return { ...this.software.getState(), instructions: this.count, activity: index === 0 ? 'running' : 'wait-for-sipi' };
  }

  // --- state -----------------------------------------------------------------------------------------------------

  reset(): void {
    this.standStill();
    for (const vcpu of this.smp.vcpus) this.put(vcpu, this.resetState(vcpu));
  }

  getState(): CpuState {
    return this.stateOf(this.smp.vcpus[0] as SmpVcpu);
  }

  setState(state: CpuState): void {
    this.setStateOf(this.smp.vcpus[0] as SmpVcpu, state);
    this.count = state.instructions;
  }

  private stateOf(vcpu: SmpVcpu): CpuState {
    return this.outside(() => {
      const set = this.set[vcpu.index];
      if (set !== undefined) return set;
      const state = vcpu.read(this.count);
      return { ...state, ...(this.failed?.index === vcpu.index && this.failed.why === 'shutdown' ? { activity: 'shutdown' as const } : {}), identity: this.shown.identity };
    });
  }

  /** While no processor is in the guest. */
  private outside<T>(work: () => T): T {
    if (this.standing) return work();
    this.smp.hold();
    try {
      return work();
    } finally {
      // With the controllers at the board, begin() lets them go on.
      if (this.lent !== undefined) this.smp.release();
    }
  }

  private setStateOf(vcpu: SmpVcpu, state: CpuState): void {
    this.standStill();
    // The interpreter checks it.
    this.software.setState(state);
    if (state.activity === 'shutdown' || state.pendingDebug !== undefined) {
      throw new NestboxError('unsupported', `Processor ${vcpu.index} of the saved machine is at a point that KVM cannot go on from`, { op: 'load state' });
    }
    this.counterHz = this.shown.become(state.identity, this.ranOnce);
    this.put(vcpu, state);
  }

  private put(vcpu: SmpVcpu, state: CpuState): void {
    const refused = vcpu.write(state);
    if (refused !== undefined) throw new NestboxError('unsupported', `KVM refuses ${refused} of processor ${vcpu.index}`, { op: 'load state' });
    this.smp.revive(vcpu.index);
    this.set[vcpu.index] = state;
    if (this.failed?.index === vcpu.index) this.failed = undefined;
  }

  /** With the processor that asks for something, which is outside the guest then; else with the first. */
  private ask<T>(work: (vcpu: SmpVcpu) => T): T {
    const vcpu = this.smp.vcpus[this.serving ?? 0] as SmpVcpu;
    return this.serving === undefined ? this.outside(() => work(vcpu)) : work(vcpu);
  }

  readLinear(address: number, target: Uint8Array): boolean {
    const { memory, io } = this.options;
    return this.ask((vcpu) => accessLinear(vcpu, memory, io, address, target, false));
  }

  writeLinear(address: number, source: Uint8Array): boolean {
    const { memory, io } = this.options;
    return this.ask((vcpu) => accessLinear(vcpu, memory, io, address, source, true));
  }

  getRegister32(index: number): number {
    return this.ask((vcpu) => registerOf(vcpu, index));
  }

  setRegister32(index: number, value: number): void {
    this.ask((vcpu) => {
      setRegister(vcpu, index, value);
      this.set[vcpu.index] = undefined;
    });
  }

  getSegment(name: keyof CpuState['segments']): { selector: number; base: number } {
    return this.ask((vcpu) => segmentOf(vcpu, name));
  }

  memoryMapChanged(): void {
    // KVM's regions follow before anybody goes on, when the map's revision has moved.
    this.software.memoryMapChanged();
  }

  setA20(enabled: boolean): void {
    const { vm } = this.smp;
    if (vm.a20Open === enabled) return;
    vm.a20Open = enabled;
    this.mapRevision = -1;
    this.software.setA20(enabled);
  }

  memoryWritten(address: number, length: number): void {
    this.software.memoryWritten(address, length);
  }

  collectDirty(): void {
    this.smp.vm.collectDirty();
  }

  watchRam(): void {
    this.outside(() => this.smp.vm.startLoggingRam());
  }

  setDebug(): void {
    throw new NestboxError('unsupported', 'Several processors cannot be debugged', { op: 'debug guest' });
  }

  faultReport(): FaultReport {
    const index = this.failed?.index ?? 0;
    const report = faultReportOf(this.stateOf(this.smp.vcpus[index] as SmpVcpu));
    return { ...report, processor: index, ...(this.failed?.why === 'unsupported' ? { what: this.failed.detail } : {}) };
  }

  stats(): EngineStats {
    const { smp, interpreter } = this;
    const processors = smp.vcpus.map(({ index }) => ({ ...smp.exitsOf(index), accesses: smp.accessesOf(index), interpreted: interpreter.countOf(index) }));
    const exits: Record<string, number> = { kvmMicroseconds: Math.round(this.kvmMs * 1000) };
    for (const processor of processors) for (const [name, value] of Object.entries(processor)) exits[name] = (exits[name] ?? 0) + value;
    return { instructions: interpreter.count, exits, processors, jit: this.software.stats().jit };
  }

  describeNext(): string {
    this.software.setState(this.getState());
    return this.software.describeNext();
  }

  dispose(): void {
    const { smp, options } = this;
    this.standStill();
    void smp.close().finally(() => {
      this.software.dispose();
      options.dispose();
    });
    smp.ring();
  }
}
