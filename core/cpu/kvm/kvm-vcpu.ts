// The KVM engine's vCPU: KVM where it can, our interpreter over the same memory where it cannot. Hand-offs go through the
// canonical CpuState between two instructions; what either engine wrote is made known to the other. KVM cannot count
// instructions: the count advances by a nominal rate while it runs, so the instruction clock needs the software engine.

import type { Logger } from '../../base/logger.ts';
import type { PhysicalMemory } from '../../memory/physical-memory.ts';
import type { CpuState, DebugSettings, EngineStats, FaultReport, RunExit, Vcpu, VcpuOptions } from '../contract.ts';
import { type CpuFeature, buildCpuid } from '../isa/cpuid.ts';
import { RegisterFile } from '../software/vcpu-state.ts';
import { type BoardControllers, ControllerLoan } from './controller-loan.ts';
import { CounterSync } from './counter-sync.ts';
import { BackOff, type HandOffPolicy, belongsToKvm, isFullKvm, modeOfKvm, modeOfSoftware } from './engine-modes.ts';
import { accessLinear } from './guest-access.ts';
import { GUESTDBG_ENABLE, GUESTDBG_SINGLESTEP, GUESTDBG_USE_HW_BP, KVM } from './ioctl.ts';
import { KvmCore } from './kvm-core.ts';
import { setCpuid } from './kvm-cpuid.ts';
import type { KvmDevice } from './kvm-device.ts';
import type { KvmProbe } from './kvm-probe.ts';
import { REGS_ORDER, SEGMENT_AT } from './kvm-state.ts';
import { KvmVm } from './kvm-vm.ts';
import { SliceTimer } from './slice-timer.ts';
import { AT } from './vcpu-file.ts';

/** Nanoseconds in KVM that count as one instruction: as in the instruction clock, a machine of 100 million a second. */
const NS_PER_COUNT = 10;
/** A busy host needs some time to enter the guest at all. */
const SHORTEST_SLICE_NS = 50_000;
const LONGEST_SLICE_NS = 20e6;
/** On KVMs that interpret kernel code, a look after this time whether the guest is still in program code. */
const WATCHED_SLICE_NS = 200_000;
/** Instructions after which an interrupt that is still held back is looked at again. */
const BRIEF_STAY = 200;
const CR0_PG = 0x8000_0000n;

export interface KvmVcpuOptions extends VcpuOptions {
  readonly device: KvmDevice;
  readonly probe: KvmProbe;
  readonly memory: PhysicalMemory;
  readonly policy: HandOffPolicy;
  readonly processorCount: number;
  readonly features: readonly CpuFeature[];
  /** Ticks a second of the guest's TSC, as CPUID tells. */
  readonly tscHz: number;
  /** CPU features that a restored machine may bring along. */
  readonly tolerated: ReadonlySet<CpuFeature>;
  readonly log: Logger;
  readonly readHostMs: () => number;
  /** Virtual nanoseconds. */
  readonly readNs: () => number;
  /** The board's interrupt controllers, when the kernel's shall stand for them. */
  readonly controllers: BoardControllers | undefined;
  /** Makes the interpreter over the same memory; its callbacks differ from the machine's. */
  readonly createSoftware: (options: VcpuOptions) => Vcpu;
}

export function createKvmVcpu(options: KvmVcpuOptions): Vcpu {
  return new KvmVcpu(options);
}

class KvmVcpu implements Vcpu {
  readonly index: number;
  private readonly options: KvmVcpuOptions;
  private readonly software: Vcpu;
  private readonly file: RegisterFile;
  private readonly timer: SliceTimer;
  private readonly full: boolean;
  private readonly backOff = new BackOff();
  private readonly counter: CounterSync;
  private vm: KvmVm;
  private core: KvmCore;
  /** Of the board's interrupt controllers, where the kernel's are used. */
  private loan: ControllerLoan | undefined;
  private features: string;
  private tscHz: number;
  /** Features of a restored state that this KVM cannot give: it stays with the interpreter. */
  private barred = false;
  private inKvm = false;
  private softwareSince = 0;
  private kvmCount = 0;
  private kvmNs = 0;
  private stretchNs = 0;
  private a20Open = true;
  private mapRevision = -1;
  private wantsSoftware = false;
  private initWanted = false;
  private startupVector = -1;
  private pendingVector = -1;
  /** The interpreter only delivers an interrupt. */
  private briefStay = false;
  private debug: DebugSettings | undefined;
  private handOffs = 0;
  private interpreted = 0;
  private readonly reasons = new Map<string, number>();
  private interruptLevel = false;

  constructor(options: KvmVcpuOptions) {
    this.options = options;
    this.index = options.index;
    this.full = isFullKvm(options.probe);
    this.timer = new SliceTimer(options.device.libc);
    this.counter = new CounterSync({ clock: options.clock, readHostMs: options.readHostMs, readNs: options.readNs, setsTsc: options.probe.setsTsc });
    this.software = options.createSoftware({
      index: options.index,
      io: options.io,
      msrs: options.msrs,
      random32: options.random32,
      clock: options.clock,
      interrupts: {
        acknowledge: () => this.acknowledge(),
        readCr8: () => options.interrupts.readCr8(),
        writeCr8: (value) => options.interrupts.writeCr8(value),
      },
      ...(options.onFerr === undefined ? {} : { onFerr: options.onFerr }),
    });
    const { layout, buffer } = options.memory;
    this.file = new RegisterFile(buffer, layout.vcpuBase + options.index * layout.vcpuAreaBytes);
    this.features = featureKey(options.features);
    this.tscHz = options.tscHz;
    ({ vm: this.vm, core: this.core, loan: this.loan } = this.build(options.features));
  }

  private build(features: readonly CpuFeature[]): { vm: KvmVm; core: KvmCore; loan: ControllerLoan | undefined } {
    const { options } = this;
    const { controllers } = options;
    const vm = new KvmVm(options.device, options.memory, !this.full, controllers === undefined ? undefined : 'full');
    this.mapRevision = options.memory.mapRevision;
    const core = new KvmCore(vm, this.timer, options);
    let loan: ControllerLoan | undefined;
    if (vm.irqchip !== undefined && controllers !== undefined) {
      loan = new ControllerLoan({ board: controllers, irqchip: vm.irqchip, core, readNs: options.readNs, tscHz: this.tscHz });
      core.controllers = loan;
    } else core.interruptLevel = this.interruptLevel;
    const khz = Math.round(this.tscHz / 1000);
    if (core.file.callPlain(KVM.GET_TSC_KHZ) !== khz && core.file.callPlain(KVM.SET_TSC_KHZ, khz) < 0) {
      options.log.log('warn', `The saved machine's time-stamp counter ran at ${Math.round(this.tscHz / 1e6)} MHz, which this host's KVM cannot give: clocks that the guest took from it may be off`);
    }
    setCpuid(core.file, buildCpuid({ apicId: options.index, processorCount: options.processorCount, features, tscHz: this.tscHz }));
    return { vm, core, loan };
  }

  /** A vector that KVM had taken already goes before new ones. */
  private acknowledge(): number {
    const vector = this.pendingVector;
    if (vector < 0) return this.options.interrupts.acknowledge();
    this.pendingVector = -1;
    this.software.setInterruptRequest(this.interruptLevel);
    return vector;
  }

  // --- running ---------------------------------------------------------------------------------------------------

  run(maxInstructions: number): RunExit {
    if (this.inKvm && !this.mayUseKvm()) this.toSoftware('debugging, A20 or INIT');
    if (!this.inKvm && (this.briefStay || this.software.instructionCount() - this.softwareSince >= this.backOff.instructions)) this.toKvm();
    if (!this.inKvm) return this.software.run(this.briefStay ? Math.min(maxInstructions, BRIEF_STAY) : maxInstructions);
    return this.runKvm(maxInstructions);
  }

  private mayUseKvm(): boolean {
    return this.a20Open && !this.barred && !this.wantsSoftware && this.pendingVector < 0 && this.kvmCanDebug();
  }

  private kvmCanDebug(): boolean {
    const { debug } = this;
    if (debug === undefined) return true;
    // Traps of program code go to the guest's own handler on KVMs that interpret the rest.
    if (debug.breakpoints.length === 0) return this.full || (this.inKvm ? modeOfKvm(this.core) : modeOfSoftware(this.file)) !== 'long-user';
    return debug.breakpoints.length <= 4 && this.options.device.check('guest-debug-hw-bps') > 0;
  }

  private runKvm(maxInstructions: number): RunExit {
    const { core, options } = this;
    // KVM knows no pages that are filled when they are needed.
    if (options.memory.absentPages > 0) options.memory.fillAll();
    if (this.mapRevision !== options.memory.mapRevision) {
      this.mapRevision = options.memory.mapRevision;
      this.vm.updateMap();
    }
    this.counter.follow(core, this.vm);
    const wantedNs = Math.min(Math.max(maxInstructions * NS_PER_COUNT, SHORTEST_SLICE_NS), LONGEST_SLICE_NS);
    const watched = !this.full && options.policy === 'when-faster';
    const start = options.readHostMs();
    const exit = core.run(watched ? Math.min(wantedNs, WATCHED_SLICE_NS) : wantedNs);
    const spentNs = (options.readHostMs() - start) * 1e6;
    const stayedHalted = exit === 'halted' && (this.loan === undefined ? spentNs <= 1000 : !core.interruptsOpen());
    if (exit === 'halted') this.loan?.announceWake();
    // HLT that went nowhere retires nothing.
    if (!stayedHalted) this.kvmCount += Math.max(1, Math.round(spentNs / NS_PER_COUNT));
    this.kvmNs += spentNs;
    this.stretchNs += spentNs;
    this.counter.note();
    const vector = this.loan === undefined ? core.takeBackInterrupt() : -1;
    if (vector >= 0) {
      // It was acknowledged, so it must arrive: the interpreter delivers it.
      this.pendingVector = vector;
      this.toSoftware('an interrupt in flight', true);
      this.software.setInterruptRequest(true);
      return this.software.run(1);
    }
    switch (exit) {
      case 'halted':
      case 'debug':
        return exit;
      case 'unsupported':
        this.toSoftware(core.detail);
        return 'budget';
      case 'shutdown':
        if (this.full) return 'shutdown';
        // Perhaps a mode that this KVM lacks: the interpreter tries the same instruction and knows.
        this.toSoftware('shutdown');
        return 'budget';
      default:
        if (!this.full && !belongsToKvm(options.probe, options.policy, modeOfKvm(core))) this.toSoftware(`mode: ${modeOfKvm(core)}`);
        return exit === 'yield' ? 'yield' : 'budget';
    }
  }

  /** @param brief do not lengthen the stay with the interpreter */
  private toSoftware(reason: string, brief = false): void {
    const { core, options } = this;
    const state = core.getState(this.kvmCount);
    this.loan?.giveBack();
    this.vm.collectDirty();
    if (!this.vm.logsRam) options.memory.markAllRamDirty();
    this.counter.compare(core);
    this.inKvm = false;
    this.handOffs++;
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    this.software.setState(state, { handOff: true });
    this.software.setInterruptRequest(this.interruptLevel);
    this.softwareSince = this.software.instructionCount();
    this.briefStay = brief;
    if (!brief) {
      this.backOff.handedOff(this.stretchNs);
      this.stretchNs = 0;
    }
    this.passOn();
    if (options.log.enabled('debug')) options.log.log('debug', `KVM hands over: ${reason}`, { rip: state.rip.toString(16), cs: state.segments.cs.selector.toString(16) });
  }

  /** What arrived while KVM ran and only the interpreter does. */
  private passOn(): void {
    const { core, software } = this;
    if (core.nmiWanted) software.raiseNmi();
    core.nmiWanted = false;
    if (this.initWanted) software.raiseInit();
    this.initWanted = false;
    if (this.startupVector >= 0) software.raiseStartup(this.startupVector);
    this.startupVector = -1;
  }

  private toKvm(): void {
    const { options, core, software } = this;
    if (!this.mayUseKvm() || !belongsToKvm(options.probe, options.policy, modeOfSoftware(this.file))) {
      this.wantsSoftware = false;
      this.briefStay &&= this.pendingVector >= 0;
      return;
    }
    this.briefStay = false;
    const state = software.getState();
    // KVM has no way to say these: the interpreter goes on until they are over.
    if (state.activity === 'wait-for-sipi' || state.activity === 'shutdown' || state.pendingDebug !== undefined) return;
    const refused = core.setState(state);
    if (refused !== undefined) {
      this.reasons.set(`refused: ${refused}`, (this.reasons.get(`refused: ${refused}`) ?? 0) + 1);
      this.backOff.handedOff(0);
      this.softwareSince = software.instructionCount();
      return;
    }
    this.counter.set(core, this.vm);
    this.interpreted += software.instructionCount() - this.softwareSince;
    // The interpreter may have changed page tables that KVM holds copies of.
    if ((state.cr0 & CR0_PG) !== 0n) this.vm.forgetTranslations();
    this.counter.note();
    this.kvmCount = software.instructionCount();
    this.inKvm = true;
    this.applyDebug();
  }

  instructionCount(): number {
    return this.inKvm ? this.kvmCount : this.software.instructionCount();
  }

  setInterruptRequest(level: boolean): void {
    this.interruptLevel = level;
    if (this.loan === undefined) this.core.interruptLevel = level;
    this.software.setInterruptRequest(level || this.pendingVector >= 0);
  }

  raiseNmi(): void {
    if (this.inKvm) this.core.nmiWanted = true;
    else this.software.raiseNmi();
  }

  /** INIT and start-up are rare and intricate: the interpreter does them. */
  raiseInit(): void {
    this.initWanted = true;
    this.leaveSoon();
  }

  raiseStartup(vector: number): void {
    this.startupVector = vector;
    this.leaveSoon();
  }

  private leaveSoon(): void {
    this.wantsSoftware = true;
    if (this.inKvm) this.core.yieldWanted = true;
    else this.passOn();
  }

  requestYield(): void {
    if (this.inKvm) this.core.yieldWanted = true;
    else this.software.requestYield();
  }

  setDebug(settings: DebugSettings | undefined): void {
    this.debug = settings;
    this.software.setDebug(settings);
    this.applyDebug();
  }

  private applyDebug(): void {
    const { debug } = this;
    if (!this.inKvm || !this.kvmCanDebug()) return;
    const control = debug === undefined ? 0 : GUESTDBG_ENABLE | (debug.singleStep ? GUESTDBG_SINGLESTEP : 0) | (debug.breakpoints.length > 0 ? GUESTDBG_USE_HW_BP : 0);
    this.core.setGuestDebug(control, debug?.breakpoints ?? []);
  }

  // --- state -----------------------------------------------------------------------------------------------------

  standStill(): void {
    if (this.loan === undefined || !this.inKvm) return;
    this.core.settle();
    this.loan.giveBack();
  }

  reset(): void {
    this.standStill();
    if (!this.inKvm) this.interpreted += this.software.instructionCount() - this.softwareSince;
    this.inKvm = false;
    this.core.nmiWanted = false;
    this.pendingVector = -1;
    this.initWanted = false;
    this.startupVector = -1;
    this.backOff.reset();
    this.briefStay = false;
    this.software.reset();
    this.software.setInterruptRequest(this.interruptLevel);
    this.softwareSince = this.software.instructionCount();
  }

  getState(): CpuState {
    if (!this.inKvm) return this.software.getState();
    const identity = this.software.getState().identity;
    const state = this.core.getState(this.kvmCount);
    return { ...state, nmiPending: state.nmiPending || this.core.nmiWanted, ...(identity === undefined ? {} : { identity }) };
  }

  setState(state: CpuState): void {
    this.standStill();
    // The interpreter checks it; KVM gets it with the next run.
    this.software.setState(state);
    this.inKvm = false;
    this.pendingVector = -1;
    this.core.nmiWanted = false;
    this.backOff.reset();
    this.briefStay = false;
    this.softwareSince = this.software.instructionCount();
    this.counter.forget();
    const { identity } = state;
    if (identity !== undefined && (featureKey(identity.features) !== this.features || identity.tscHz !== this.tscHz)) {
      this.tscHz = identity.tscHz;
      this.changeIdentity(identity.features as readonly CpuFeature[]);
    }
  }

  /** The state comes from a machine whose processor shows something else. */
  private changeIdentity(features: readonly CpuFeature[]): void {
    const lacking = features.filter((feature) => !this.options.tolerated.has(feature) && !IRRELEVANT.includes(feature));
    this.features = featureKey(features);
    this.barred = lacking.length > 0;
    if (this.barred) {
      this.options.log.log('warn', `The saved machine uses processor features that this host's KVM lacks (${lacking.join(', ')}); it goes on under the software CPU`);
      return;
    }
    this.core.dispose();
    this.vm.dispose();
    ({ vm: this.vm, core: this.core, loan: this.loan } = this.build(features));
  }

  readLinear(address: number, target: Uint8Array): boolean {
    if (!this.inKvm) return this.software.readLinear(address, target);
    return accessLinear(this.core, this.options.memory, this.options.io, address, target, false);
  }

  writeLinear(address: number, source: Uint8Array): boolean {
    if (!this.inKvm) return this.software.writeLinear(address, source);
    return accessLinear(this.core, this.options.memory, this.options.io, address, source, true);
  }

  getRegister32(index: number): number {
    if (!this.inKvm) return this.software.getRegister32(index);
    return this.core.regs().getUint32(AT.REGS + (REGS_ORDER[index] ?? 0) * 8, true);
  }

  setRegister32(index: number, value: number): void {
    if (!this.inKvm) {
      this.software.setRegister32(index, value);
      return;
    }
    const at = AT.REGS + (REGS_ORDER[index] ?? 0) * 8;
    const view = this.core.regs();
    view.setUint32(at, value, true);
    view.setUint32(at + 4, 0, true);
    this.core.storeRegs();
  }

  getSegment(name: keyof CpuState['segments']): { selector: number; base: number } {
    if (!this.inKvm) return this.software.getSegment(name);
    const view = this.core.sregs();
    const at = AT.SREGS + SEGMENT_AT[name];
    return { selector: view.getUint16(at + 12, true), base: this.core.file.exchange.get64(at) };
  }

  memoryMapChanged(): void {
    // KVM's regions follow at the next run, when the map's revision has moved.
    this.software.memoryMapChanged();
  }

  setA20(enabled: boolean): void {
    this.a20Open = enabled;
    this.software.setA20(enabled);
    if (!enabled && this.inKvm) this.core.yieldWanted = true;
  }

  memoryWritten(address: number, length: number): void {
    this.software.memoryWritten(address, length);
  }

  collectDirty(): void {
    if (this.inKvm) this.vm.collectDirty();
  }

  watchRam(): void {
    this.vm.startLoggingRam();
  }

  faultReport(): FaultReport {
    if (!this.inKvm) return this.software.faultReport();
    const state = this.core.getState(this.kvmCount);
    const names = ['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15'];
    const hex = (value: bigint): string => value.toString(16).padStart(16, '0');
    const rows = [0, 4, 8, 12].map((first) => names.slice(first, first + 4).map((name, i) => `${name.padEnd(3)}=${hex(state.gpr[first + i] ?? 0n)}`).join(' '));
    rows.push(`CR0=${hex(state.cr0)} CR2=${hex(state.cr2)} CR3=${hex(state.cr3)} CR4=${hex(state.cr4)}`, `EFER=${state.efer.toString(16)} EFLAGS=${state.rflags.toString(16).padStart(8, '0')}`);
    return { cs: state.segments.cs.selector, rip: state.rip, registers: rows.join('\n'), lastExceptions: [] };
  }

  stats(): EngineStats {
    const software = this.software.stats();
    return {
      instructions: this.interpreted + (this.inKvm ? 0 : this.software.instructionCount() - this.softwareSince),
      exits: { ...software.exits, ...this.core.exits, handOffs: this.handOffs, controllerLoans: this.loan?.count ?? 0, interpreted: this.interpreted + (this.inKvm ? 0 : this.software.instructionCount() - this.softwareSince), kvmMicroseconds: Math.round(this.kvmNs / 1000), ...Object.fromEntries([...this.reasons].map(([name, count]) => [`handOff: ${name}`, count])) },
      jit: software.jit,
    };
  }

  describeNext(): string {
    if (this.inKvm) this.toSoftware('tracing', true);
    return this.software.describeNext();
  }

  dispose(): void {
    this.core.dispose();
    this.vm.dispose();
    this.timer.dispose();
    this.software.dispose();
    this.options.device.dispose();
  }
}

/** Features that change nothing for a guest that has already started. */
const IRRELEVANT: readonly CpuFeature[] = ['monitor', 'arch_capabilities', 'invariant_tsc', 'stibp', 'ssbd', 'spec_ctrl', 'bhi_ctrl', 'mca', 'mce', 'ss', 'arat', 'hypervisor'];

function featureKey(features: readonly string[]): string {
  return [...features].sort().join(' ');
}
