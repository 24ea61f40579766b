// Several vCPUs of one KVM machine, each in a thread of its own, with the kernel's interrupt controllers between them:
// start-up, interprocessor interrupts and idle waiting happen in the kernel. Devices stay in the thread that made this
// object: it serves the vCPUs' accesses, makes them stand still, and reads and writes all of their state meanwhile.

import { Worker } from 'node:worker_threads';
import type { Disposable } from '../../base/disposable.ts';
import { NestboxError } from '../../base/errors.ts';
import type { PhysicalMemory } from '../../memory/physical-memory.ts';
import type { CpuState } from '../contract.ts';
import type { CpuFeature } from '../isa/cpuid.ts';
import type { ControllerState } from './controller-loan.ts';
import { type LocalApicFields, localApicFromKvm, picOutput, picsUnacknowledged, timeOfTsc } from './irqchip-state.ts';
import { kernelApicOf } from './kernel-apic.ts';
import type { KernelIrqchip } from './kernel-irqchip.ts';
import type { KvmDevice } from './kvm-device.ts';
import { KvmVm } from './kvm-vm.ts';
import { SYS } from './libc.ts';
import { KICK_SIGNAL } from './slice-timer.ts';
import { SmpVcpu } from './smp-vcpu.ts';
import { type MailboxServer, Mailboxes, type VcpuStop } from './vcpu-mailbox.ts';
import type { VcpuThreadStart } from './vcpu-protocol.ts';

export interface KvmSmpOptions {
  readonly device: KvmDevice;
  readonly memory: PhysicalMemory;
  readonly count: number;
  readonly features: readonly CpuFeature[];
  readonly tscHz: number;
}

/** A vCPU came back by itself. */
export interface SmpStop {
  readonly index: number;
  readonly why: Exclude<VcpuStop, 'asked'>;
  readonly detail: string;
}

/** A thread that is asked to leave the guest and has not after this time hears it again, and at last is taken for dead. */
const KICK_AGAIN_MS = 20;
const PATIENCE_MS = 20_000;
const COUNTER_NAMES = ['kvmPort', 'kvmMmio', 'kvmMsr', 'kvmHalt', 'kvmWindow', 'kvmInterrupted', 'kvmRuns'] as const;

export class KvmSmp implements Disposable {
  readonly vm: KvmVm;
  readonly irqchip: KernelIrqchip;
  readonly vcpus: readonly SmpVcpu[];
  private readonly options: KvmSmpOptions;
  private readonly mailboxes: Mailboxes;
  private readonly workers: Worker[] = [];
  /** Stands still for hold(), and goes on with release(). */
  private readonly held: boolean[];
  /** Came back by itself, and must not go on before it gets another state. */
  private readonly fallen: boolean[];
  /** On the way to a stand of all: nobody goes on meanwhile. */
  private pausing = false;
  private toldStop: SmpStop | undefined;
  private server: MailboxServer | undefined;
  private lost: NestboxError | undefined;
  private closed = false;
  private tscHz = 0;

  /** Starts the threads. @throws NestboxError */
  static async create(options: KvmSmpOptions): Promise<KvmSmp> {
    const smp = new KvmSmp(options);
    try {
      await smp.startThreads();
    } catch (error) {
      await smp.close();
      throw error;
    }
    return smp;
  }

  private constructor(options: KvmSmpOptions) {
    this.options = options;
    this.vm = new KvmVm(options.device, options.memory, false, 'full');
    const vcpus: SmpVcpu[] = [];
    this.vcpus = vcpus;
    try {
      const { irqchip } = this.vm;
      if (irqchip === undefined) throw new NestboxError('internal', 'no interrupt controllers', { op: 'create virtual CPUs' });
      this.irqchip = irqchip;
      // The kernel numbers local APICs as they are made.
      for (let index = 0; index < options.count; index++) vcpus.push(new SmpVcpu(this.vm, index));
      this.identify(options.features, options.tscHz);
    } catch (error) {
      for (const vcpu of vcpus) vcpu.dispose();
      this.vm.dispose();
      throw error;
    }
    this.mailboxes = new Mailboxes(options.count);
    this.held = vcpus.map(() => false);
    this.fallen = vcpus.map(() => false);
  }

  private async startThreads(): Promise<void> {
    const { options, mailboxes } = this;
    for (const { index, file } of this.vcpus) {
      const workerData: VcpuThreadStart = {
        index,
        count: options.count,
        vcpuDescriptor: file.descriptor,
        runPageBytes: options.device.runPageBytes,
        hasXcrs: options.device.check('xcrs') > 0,
        mailboxes: mailboxes.buffer,
      };
      const worker = new Worker(new URL('./vcpu-thread.ts', import.meta.url), { workerData, name: `vcpu ${index}`, execArgv: [] });
      this.workers.push(worker);
      const gone = (cause: Error): void => {
        if (this.closed) return;
        this.lost ??= new NestboxError('io', `Virtual CPU ${index} is lost: ${cause.message}`, { op: 'run virtual CPU', cause });
        mailboxes.ring();
      };
      worker.on('error', gone);
      worker.on('exit', () => gone(new Error('its thread has ended')));
    }
    for (;;) {
      const seen = mailboxes.rings;
      if (this.lost !== undefined) throw this.lost;
      if (this.vcpus.every(({ index }) => mailboxes.isReady(index))) return;
      await mailboxes.waitForRing(seen);
    }
  }

  /** What CPUID tells the guest; before its first instruction. @returns ticks a second that the counters have then */
  identify(features: readonly CpuFeature[], tscHz: number): number {
    for (const vcpu of this.vcpus) this.tscHz = vcpu.identify(this.options.count, features, tscHz);
    return this.tscHz;
  }

  /** Who serves what vCPUs ask for; before they run. */
  connect(server: MailboxServer): void {
    this.server = server;
  }

  // --- running ---------------------------------------------------------------------------------------------------

  get isRunning(): boolean {
    return this.vcpus.some(({ index }) => this.mailboxes.isRunning(index));
  }

  /** Lets all vCPUs run that stand still. */
  start(): void {
    for (const { index } of this.vcpus) {
      this.held[index] = false;
      if (!this.fallen[index] && !this.mailboxes.isRunning(index)) this.mailboxes.run(index);
    }
  }

  /** Serves what vCPUs ask for. @returns how many asked. @throws NestboxError when a thread is lost */
  serve(): number {
    if (this.lost !== undefined) throw this.lost;
    return this.server === undefined ? 0 : this.mailboxes.serve(this.server);
  }

  /** Changes when a vCPU asks or stands still. */
  get rings(): number {
    return this.mailboxes.rings;
  }

  /** Sleeps until `rings` is not `seen` any more, at most `ms`. */
  sleep(seen: number, ms: number): void {
    this.mailboxes.sleep(seen, ms);
  }

  waitForRing(seen: number): Promise<void> {
    return this.mailboxes.waitForRing(seen);
  }

  /** Wakes who sleeps or waits. */
  ring(): void {
    this.mailboxes.ring();
  }

  /** A vCPU whose access is served stands still after it. */
  stopAfterAccess(index: number): void {
    this.mailboxes.stop(index);
  }

  private kick(index: number): void {
    // Blocked outside KVM_RUN, so it waits for the thread to get there; nothing is missed.
    this.options.device.libc.syscall(SYS.TGKILL, process.pid, this.mailboxes.threadOf(index), KICK_SIGNAL, 0);
  }

  /**
   * No vCPU is in the guest any more: it stands still, or waits for an access. Nothing is served meanwhile, so that also
   * whoever serves may do it. @throws NestboxError
   */
  hold(): void {
    const { mailboxes } = this;
    const outside = ({ index }: SmpVcpu): boolean => !mailboxes.isRunning(index) || mailboxes.isAsking(index);
    for (const vcpu of this.vcpus) {
      const { index } = vcpu;
      if (outside(vcpu)) continue;
      this.held[index] = true;
      mailboxes.stop(index);
      this.kick(index);
    }
    this.await(() => this.vcpus.filter((vcpu) => !outside(vcpu)), () => undefined);
  }

  /** Lets those go on that stand still for hold(). */
  release(): void {
    const { mailboxes } = this;
    for (const { index } of this.vcpus) {
      if (!this.held[index]) continue;
      this.held[index] = false;
      if (this.pausing) continue;
      if (mailboxes.isRunning(index) || mailboxes.stopOf(index).why === 'asked') mailboxes.run(index);
    }
  }

  /** Every vCPU stands between two instructions; accesses are served until then. @throws NestboxError */
  pause(): void {
    const { mailboxes } = this;
    this.held.fill(false);
    for (const { index } of this.vcpus) {
      if (!mailboxes.isRunning(index)) continue;
      mailboxes.stop(index);
      this.kick(index);
    }
    this.pausing = true;
    try {
      this.await(() => this.vcpus.filter(({ index }) => mailboxes.isRunning(index)), () => this.serve());
    } finally {
      this.pausing = false;
    }
    this.noteFallen();
  }

  private await(missing: () => readonly SmpVcpu[], meanwhile: () => void): void {
    const { mailboxes } = this;
    for (let waitedMs = 0; ; ) {
      const seen = mailboxes.rings;
      meanwhile();
      const left = missing();
      if (left.length === 0) return;
      mailboxes.sleep(seen, KICK_AGAIN_MS);
      if (mailboxes.rings !== seen) continue;
      waitedMs += KICK_AGAIN_MS;
      if (waitedMs > PATIENCE_MS) throw this.lost ?? new NestboxError('io', `Virtual CPU ${left[0]?.index ?? 0} does not leave the guest`, { op: 'stop virtual CPUs' });
      for (const { index } of left) this.kick(index);
    }
  }

  private noteFallen(): SmpStop | undefined {
    let first: SmpStop | undefined;
    for (const { index } of this.vcpus) {
      if (this.fallen[index] || this.mailboxes.isRunning(index)) continue;
      const { why, detail } = this.mailboxes.stopOf(index);
      if (why === 'asked') continue;
      this.fallen[index] = true;
      first ??= { index, why, detail };
      this.toldStop ??= first;
    }
    return first;
  }

  /** The first vCPU that came back by itself since the last time. */
  takeStop(): SmpStop | undefined {
    this.noteFallen();
    const stop = this.toldStop;
    this.toldStop = undefined;
    return stop;
  }

  /** KVM_RUNs and exits of a vCPU by kind. */
  exitsOf(index: number): Record<string, number> {
    const values = this.mailboxes.countersOf(index, COUNTER_NAMES.length);
    return Object.fromEntries(COUNTER_NAMES.map((name, i) => [name, values[i] ?? 0]));
  }

  /** Accesses of a vCPU that left it for this thread. */
  accessesOf(index: number): number {
    return this.mailboxes.servedOf(index);
  }

  // --- state, while no vCPU is in the guest ----------------------------------------------------------------------

  /** The vCPU has another state: it may run again. */
  revive(index: number): void {
    this.fallen[index] = false;
    this.mailboxes.forgetStop(index);
    if (this.toldStop?.index === index) this.toldStop = undefined;
  }

  /**
   * @param nowNs virtual time
   * @param before what was set last: KVM does not keep all of it
   */
  readControllers(nowNs: number, before: Pick<ControllerState, 'localApics' | 'pics'>): ControllerState {
    const takenBack = this.vcpus.map(({ apic }) => apic.takeBackInterrupt()).filter((vector) => vector >= 0);
    let pics = this.irqchip.readPics(before.pics);
    for (const vector of takenBack) {
      pics = picsUnacknowledged(pics, vector);
      this.irqchip.writePics(pics);
    }
    const intr = picOutput(pics[0]);
    const localApics = this.vcpus.map(({ index, apic, state }) => {
      const { page, extras } = apic.read();
      const tsc = state.readTsc();
      return localApicFromKvm(page, extras, nowNs, before.localApics[index] as LocalApicFields, index === 0 && intr, (ticks) => timeOfTsc(ticks, tsc, nowNs, this.tscHz));
    });
    return { localApics, pics, ioApic: this.irqchip.readIoApic() };
  }

  /** @returns what KVM refused, or undefined */
  writeControllers({ localApics, pics, ioApic }: ControllerState, nowNs: number): string | undefined {
    this.irqchip.writePics(pics);
    this.irqchip.writeIoApic(ioApic);
    let refused: string | undefined;
    for (const { index, apic } of this.vcpus) {
      const fields = localApics[index];
      const what = fields === undefined ? 'a missing local APIC' : apic.write(kernelApicOf(fields, nowNs));
      if (what !== undefined) refused ??= `${what} of processor ${index}`;
    }
    return refused;
  }

  readProcessors(instructions: number): CpuState[] {
    return this.vcpus.map((vcpu) => vcpu.read(instructions));
  }

  /** Sets the counters of all processors alike. @param ticks of the first, without its adjustment */
  writeTsc(ticks: number): void {
    const [first, ...others] = this.vcpus;
    first?.state.writeTsc(ticks);
    const offset = first?.state.readTscOffset();
    // Without offsets KVM takes equal values, written one soon after the other, for the same counter.
    for (const { state } of others) if (offset === undefined) state.writeTsc(ticks);
    else state.writeTscOffset(offset);
  }

  // --- end -------------------------------------------------------------------------------------------------------

  /** Nobody serves any more: what a vCPU waits for stays unanswered. */
  async close(): Promise<void> {
    if (this.closed) return;
    try {
      if (this.lost === undefined) this.pause();
    } finally {
      this.closed = true;
      await Promise.all(
        this.workers.map(async (worker, index) => {
          if (worker.threadId < 0) return;
          const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
          this.mailboxes.end(index);
          await gone;
        }),
      );
      for (const vcpu of this.vcpus) vcpu.dispose();
      this.vm.dispose();
    }
  }

  dispose(): void {
    void this.close();
  }
}
