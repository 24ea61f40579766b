// The KVM engine's vCPU: KVM where it can, our interpreter over the same memory where it cannot. Hand-offs go through the
// canonical CpuState between two instructions; what either engine wrote is made known to the other. KVM cannot count
// instructions: the count advances by a nominal rate while it runs, so the instruction clock needs the software engine.

import type { CpuState, DebugSettings, EngineStats, FaultReport, RunExit, Vcpu } from '../contract.ts';
import type { CpuFeature } from '../isa/cpuid.ts';
import { EMPTY_CODE } from '../software/empty-code-watch.ts';
import { RegisterFile } from '../software/vcpu-state.ts';
import type { ControllerLoan } from './controller-loan.ts';
import { CounterSync } from './counter-sync.ts';
import { BackOff, HandOffLog, belongsToKvm, isFullKvm, modeOfKvm, modeOfSoftware } from './engine-modes.ts';
import { accessLinear, faultReportOf, nextLinear, registerOf, segmentOf, setRegister } from './guest-access.ts';
import { GUESTDBG_ENABLE, GUESTDBG_SINGLESTEP, GUESTDBG_USE_HW_BP } from './ioctl.ts';
import type { KvmCore } from './kvm-core.ts';
import { featureKey, lackingFeatures } from './kvm-cpuid.ts';
import { type KvmParts, makeKvmParts } from './kvm-parts.ts';
import type { KvmVcpuOptions } from './kvm-vcpu-options.ts';
import type { KvmVm } from './kvm-vm.ts';
import { LostGuests } from './lost-guests.ts';
import { SliceTimer } from './slice-timer.ts';

/** Nanoseconds in KVM that count as one instruction: as in the instruction clock, a machine of 100 million a second. */
const NS_PER_COUNT = 10;
/** A busy host needs some time to enter the guest at all. */
const SHORTEST_SLICE_NS = 50_000;
/** Where entering the guest takes long (nested virtualization), it also stays this many times as long at least. */
const ENTRIES_IN_SLICE = 5;
const LONGEST_SLICE_NS = 20e6;
/** On KVMs that interpret kernel code, a look after this time whether the guest is still in program code. */
const WATCHED_SLICE_NS = 200_000;
/** Instructions after which an interrupt that is still held back is looked at again. */
const BRIEF_STAY = 200;
const CR0_PG = 0x8000_0000n;

export type { KvmVcpuOptions } from './kvm-vcpu-options.ts';

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
  private readonly shortestNs: number;
  private readonly backOff = new BackOff();
  private readonly counter: CounterSync;
  private readonly lostGuests = new LostGuests({ read: (target) => this.readLinear(nextLinear(this.core), target), readFaults: () => this.software.stats().exits.faults ?? 0 });
  private parts: KvmParts;
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
  private readonly handOffs = new HandOffLog();
  private interpreted = 0;
  private interruptLevel = false;

  constructor(options: KvmVcpuOptions) {
    this.options = options;
    this.index = options.index;
    this.full = isFullKvm(options.probe);
    this.shortestNs = Math.max(SHORTEST_SLICE_NS, options.probe.exitMicroseconds * 1000 * ENTRIES_IN_SLICE);
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
    this.parts = this.build(options.features);
  }

  private get vm(): KvmVm {
    return this.parts.vm;
  }

  private get core(): KvmCore {
    return this.parts.core;
  }

  get counterHz(): number {
    return this.parts.counterHz;
  }

  private get loan(): ControllerLoan | undefined {
    return this.parts.loan;
  }

  private build(features: readonly CpuFeature[]): KvmParts {
    this.mapRevision = this.options.memory.mapRevision;
    const parts = makeKvmParts({ vcpu: this.options, timer: this.timer, logRam: !this.full, features, tscHz: this.tscHz });
    if (parts.loan === undefined) parts.core.interruptLevel = this.interruptLevel;
    return parts;
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

  /** Instructions that the interpreter has run since it got the guest. */
  private get stayed(): number {
    return this.software.instructionCount() - this.softwareSince;
  }

  run(maxInstructions: number): RunExit {
    if (this.inKvm && !this.mayUseKvm()) this.toSoftware('debugging, A20 or INIT');
    if (!this.inKvm && !this.lostGuests.isOnTrial(this.stayed) && (this.briefStay || this.stayed >= this.backOff.instructions)) this.toKvm();
    if (!this.inKvm) return this.software.run(this.briefStay ? Math.min(maxInstructions, BRIEF_STAY) : maxInstructions);
    return this.runKvm(maxInstructions);
  }

  /** After a slice that time ended. @returns whether the guest is lost */
  private isLost(spentNs: number): boolean {
    const verdict = this.lostGuests.afterSlice(nextLinear(this.core), spentNs);
    if (verdict !== 'suspect') return verdict === 'lost';
    this.toSoftware('found at a few places only', true);
    this.briefStay = false;
    this.lostGuests.beginTrial();
    return false;
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
    this.counter.follow(core);
    const wantedNs = Math.min(Math.max(maxInstructions * NS_PER_COUNT, this.shortestNs), LONGEST_SLICE_NS);
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
        else if (exit === 'slice' && this.isLost(spentNs)) return 'fault';
        return exit === 'yield' ? 'yield' : 'budget';
    }
  }

  /** @param brief do not lengthen the stay with the interpreter */
  private toSoftware(reason: string, brief = false): void {
    const { core, options } = this;
    this.standStill();
    const state = core.getState(this.kvmCount);
    this.vm.collectDirty();
    if (!this.vm.logsRam) options.memory.markAllRamDirty();
    this.counter.compare(core);
    this.inKvm = false;
    this.handOffs.note(reason);
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
      this.handOffs.noteRefusal(refused);
      this.backOff.handedOff(0);
      this.softwareSince = software.instructionCount();
      return;
    }
    this.counter.set(core);
    this.interpreted += this.stayed;
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
    this.core.collectTimers();
    this.loan.giveBack();
  }

  reset(): void {
    this.standStill();
    if (!this.inKvm) this.interpreted += this.stayed;
    this.inKvm = false;
    this.core.nmiWanted = false;
    this.pendingVector = -1;
    this.initWanted = false;
    this.startupVector = -1;
    this.backOff.reset();
    this.briefStay = false;
    this.lostGuests.forget();
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
    this.lostGuests.forget();
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
    const lacking = lackingFeatures(features, this.options.tolerated);
    this.features = featureKey(features);
    this.barred = lacking.length > 0;
    if (this.barred) {
      this.options.log.log('warn', `The saved machine uses processor features that this host's KVM lacks (${lacking.join(', ')}); it goes on under the software CPU`);
      return;
    }
    this.core.dispose();
    this.vm.dispose();
    this.parts = this.build(features);
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
    return registerOf(this.core, index);
  }

  setRegister32(index: number, value: number): void {
    if (this.inKvm) setRegister(this.core, index, value);
    else this.software.setRegister32(index, value);
  }

  getSegment(name: keyof CpuState['segments']): { selector: number; base: number } {
    return this.inKvm ? segmentOf(this.core, name) : this.software.getSegment(name);
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
    return { ...faultReportOf(this.core.getState(this.kvmCount)), ...(this.lostGuests.isLost ? { what: EMPTY_CODE } : {}) };
  }

  stats(): EngineStats {
    const software = this.software.stats();
    const instructions = this.interpreted + (this.inKvm ? 0 : this.stayed);
    const own = { interpreted: instructions, kvmMicroseconds: Math.round(this.kvmNs / 1000), controllerLoans: this.loan?.count ?? 0 };
    return { instructions, exits: { ...software.exits, ...this.core.exits, ...own, ...this.handOffs.counts() }, jit: software.jit };
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
