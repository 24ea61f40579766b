// Several vCPUs of one KVM machine, each in a thread of its own, with the kernel's interrupt controllers between them:
// start-up, interprocessor interrupts and idle waiting happen in the kernel. Devices stay in the thread that made this
// object. While it stands still, all of it can be read and written in the canonical forms of the software CPU and of our
// own interrupt controllers.

import { Worker } from 'node:worker_threads';
import type { Disposable } from '../../base/disposable.ts';
import { NestboxError } from '../../base/errors.ts';
import type { PhysicalMemory } from '../../memory/physical-memory.ts';
import type { CpuState, VcpuIo, VcpuMsrs } from '../contract.ts';
import { type CpuFeature, buildCpuid } from '../isa/cpuid.ts';
import { type IoApicFields, type LocalApicFields, type PicChipFields, localApicFromKvm, picOutput, picsUnacknowledged, timeOfTsc } from './irqchip-state.ts';
import { kernelApicOf } from './kernel-apic.ts';
import type { KernelIrqchip } from './kernel-irqchip.ts';
import type { KvmDevice } from './kvm-device.ts';
import { KvmVm } from './kvm-vm.ts';
import { SYS } from './libc.ts';
import { KICK_SIGNAL } from './slice-timer.ts';
import { Mailboxes } from './vcpu-mailbox.ts';
import type { VcpuCommand, VcpuReport, VcpuStop, VcpuThreadStart, VcpuThreadState } from './vcpu-protocol.ts';

export interface KvmSmpOptions {
  readonly device: KvmDevice;
  /** `memory` lies in it; laid out for `count` vCPUs. */
  readonly wasm: WebAssembly.Memory;
  readonly memory: PhysicalMemory;
  readonly count: number;
  readonly features: readonly CpuFeature[];
  readonly tscHz: number;
  /** Called in this thread; the vCPU waits meanwhile. */
  readonly io: (index: number) => VcpuIo;
  readonly msrs: (index: number) => VcpuMsrs;
  readonly random32: () => number;
  /** A vCPU came back by itself: triple fault, or something that this KVM cannot run. The others go on. */
  readonly onStop: (index: number, why: Exclude<VcpuStop, 'asked'>, detail: string) => void;
}

/** Everything between the processors' registers and the board, as the software machine saves it. */
export interface SmpState {
  readonly cpus: readonly CpuState[];
  readonly localApics: readonly LocalApicFields[];
  readonly pics: readonly [PicChipFields, PicChipFields];
  readonly ioApic: IoApicFields;
  /** Of the first processor, without its adjustment. */
  readonly tsc: number;
}

interface Thread {
  readonly index: number;
  readonly worker: Worker;
  threadId: number;
  running: boolean;
  runs: number;
  interpreted: number;
  /** Where the next report goes. */
  waiting: { resolve: (report: VcpuReport) => void; reject: (error: unknown) => void } | undefined;
  stopped: (() => void) | undefined;
}

export class KvmSmp implements Disposable {
  readonly vm: KvmVm;
  readonly irqchip: KernelIrqchip;
  private readonly options: KvmSmpOptions;
  private readonly mailboxes: Mailboxes;
  private readonly threads: Thread[] = [];
  private disposed = false;
  private readonly serving: Promise<void>;

  /** @throws NestboxError */
  static async create(options: KvmSmpOptions): Promise<KvmSmp> {
    const smp = new KvmSmp(options);
    try {
      // One after the other: the kernel numbers local APICs as they are made.
      for (let index = 0; index < options.count; index++) await smp.addThread(index);
    } catch (error) {
      await smp.close();
      throw error;
    }
    return smp;
  }

  private constructor(options: KvmSmpOptions) {
    this.options = options;
    this.vm = new KvmVm(options.device, options.memory, false, 'full');
    const { irqchip } = this.vm;
    if (irqchip === undefined) throw new NestboxError('internal', 'no interrupt controllers', { op: 'create virtual CPUs' });
    this.irqchip = irqchip;
    this.mailboxes = new Mailboxes(options.count);
    this.serving = this.serve();
  }

  private async addThread(index: number): Promise<void> {
    const { options } = this;
    const workerData: VcpuThreadStart = {
      index,
      count: options.count,
      vmDescriptor: this.vm.descriptor,
      runPageBytes: options.device.runPageBytes,
      hasXcrs: options.device.check('xcrs') > 0,
      mailboxes: this.mailboxes.buffer,
      cpuid: buildCpuid({ apicId: index, processorCount: options.count, tscHz: options.tscHz, features: options.features }),
      tscHz: options.tscHz,
      wasm: options.wasm,
      layout: options.memory.layout,
      features: options.features,
    };
    const worker = new Worker(new URL('./vcpu-thread.ts', import.meta.url), { workerData, name: `vcpu ${index}`, execArgv: [] });
    const thread: Thread = { index, worker, threadId: 0, running: false, runs: 0, interpreted: 0, waiting: undefined, stopped: undefined };
    this.threads.push(thread);
    worker.on('message', (message: VcpuReport) => this.heard(thread, message));
    worker.on('error', (error: Error) => this.lost(thread, error));
    worker.on('exit', () => this.lost(thread, new Error('its thread has ended')));
    const ready = await this.next(thread);
    if (ready.kind === 'ready') thread.threadId = ready.threadId;
  }

  private next(thread: Thread): Promise<VcpuReport> {
    return new Promise((resolve, reject) => (thread.waiting = { resolve, reject }));
  }

  private heard(thread: Thread, message: VcpuReport): void {
    if (message.kind === 'stopped') {
      thread.running = false;
      thread.runs = message.runs;
      thread.interpreted = message.interpreted;
      thread.stopped?.();
      thread.stopped = undefined;
      if (message.why !== 'asked' && !this.disposed) this.options.onStop(thread.index, message.why, message.detail);
      return;
    }
    const { waiting } = thread;
    thread.waiting = undefined;
    if (message.kind === 'failed' && thread.running) {
      this.heard(thread, { kind: 'stopped', why: 'unsupported', detail: message.message, runs: thread.runs, interpreted: thread.interpreted });
      return;
    }
    if (message.kind === 'failed') waiting?.reject(new NestboxError('io', `Virtual CPU ${thread.index}: ${message.message}`, { op: 'run virtual CPU' }));
    else waiting?.resolve(message);
  }

  private lost(thread: Thread, error: Error): void {
    thread.running = false;
    thread.stopped?.();
    thread.stopped = undefined;
    thread.waiting?.reject(new NestboxError('io', `Virtual CPU ${thread.index} is lost: ${error.message}`, { op: 'run virtual CPU', cause: error }));
    thread.waiting = undefined;
  }

  private send(thread: Thread, command: VcpuCommand): void {
    thread.worker.postMessage(command);
    this.mailboxes.commandSent(thread.index);
  }

  private async serve(): Promise<void> {
    const { options, mailboxes } = this;
    while (!this.disposed) {
      const seen = mailboxes.rings;
      if (mailboxes.serve(options) > 0) continue;
      await mailboxes.waitForRing(seen);
    }
  }

  // --- running ---------------------------------------------------------------------------------------------------

  get isRunning(): boolean {
    return this.threads.some((thread) => thread.running);
  }

  /** KVM_RUNs of a vCPU until it last stopped. */
  runsOf(index: number): number {
    return this.threads[index]?.runs ?? 0;
  }

  /** Instructions that KVM could not run, until it last stopped. */
  interpretedOf(index: number): number {
    return this.threads[index]?.interpreted ?? 0;
  }

  /** Accesses of a vCPU that left it for this thread. */
  accessesOf(index: number): number {
    return this.mailboxes.servedOf(index);
  }

  /** @param tsc what every processor's time-stamp counter is now; undefined = they go on as they are */
  start(tsc?: number): void {
    const atNs = process.hrtime.bigint();
    for (const thread of this.threads) {
      if (thread.running) continue;
      this.mailboxes.setStop(thread.index, false);
      thread.running = true;
      this.send(thread, { kind: 'run', tsc, atNs });
    }
  }

  /** Resolves when every vCPU stands between two instructions. Its accesses are served until then. */
  async pause(): Promise<void> {
    const { libc } = this.options.device;
    await Promise.all(
      this.threads
        .filter((thread) => thread.running)
        .map((thread) => {
          const stopped = new Promise<void>((resolve) => (thread.stopped = resolve));
          this.mailboxes.setStop(thread.index, true);
          // Blocked outside KVM_RUN, so it waits for the thread to get there; nothing is missed.
          libc.syscall(SYS.TGKILL, process.pid, thread.threadId, KICK_SIGNAL, 0);
          return stopped;
        }),
    );
  }

  // --- state -----------------------------------------------------------------------------------------------------

  private mustStandStill(): void {
    if (this.isRunning) throw new NestboxError('usage', 'The machine must stand still', { op: 'virtual CPU state' });
  }

  /**
   * @param nowNs virtual time
   * @param before what was loaded last, or a reset machine's: KVM does not keep all of it
   */
  async readState(nowNs: number, before: Pick<SmpState, 'localApics' | 'pics'>): Promise<SmpState> {
    this.mustStandStill();
    const read: VcpuThreadState[] = [];
    const takenBack: number[] = [];
    for (const thread of this.threads) {
      const answer = this.next(thread);
      this.send(thread, { kind: 'get-state' });
      const report = await answer;
      if (report.kind !== 'state') throw new NestboxError('internal', `unexpected report ${report.kind}`, { op: 'virtual CPU state' });
      read.push(report.state);
      if (report.externalVector >= 0) takenBack.push(report.externalVector);
    }
    let pics = this.irqchip.readPics(before.pics);
    for (const vector of takenBack) {
      pics = picsUnacknowledged(pics, vector);
      this.irqchip.writePics(pics);
    }
    const intr = picOutput(pics[0]);
    return {
      cpus: read.map(({ cpu }) => cpu),
      localApics: read.map(({ apic, tsc }, index) =>
        localApicFromKvm(apic.page, apic.extras, nowNs, before.localApics[index] as LocalApicFields, index === 0 && intr, (ticks) => timeOfTsc(ticks, tsc, nowNs, this.options.tscHz)),
      ),
      pics,
      ioApic: this.irqchip.readIoApic(),
      tsc: read[0]?.tsc ?? 0,
    };
  }

  /** @throws NestboxError `unsupported` with what KVM refused; the machine must then be given a state again */
  async writeState(state: SmpState, nowNs: number): Promise<void> {
    this.mustStandStill();
    this.irqchip.writePics(state.pics);
    this.irqchip.writeIoApic(state.ioApic);
    for (const thread of this.threads) {
      const cpu = state.cpus[thread.index];
      const apic = state.localApics[thread.index];
      if (cpu === undefined || apic === undefined) throw new NestboxError('bad-input', `The state has no processor ${thread.index}`, { op: 'virtual CPU state' });
      const answer = this.next(thread);
      this.send(thread, {
        kind: 'set-state',
        state: { cpu, apic: kernelApicOf(apic, nowNs), tsc: state.tsc },
      });
      const report = await answer;
      if (report.kind === 'set' && report.refused !== undefined) throw new NestboxError('unsupported', `KVM refuses ${report.refused} of processor ${thread.index}`, { op: 'virtual CPU state' });
    }
  }

  // --- end -------------------------------------------------------------------------------------------------------

  async close(): Promise<void> {
    if (this.disposed) return;
    await this.pause();
    this.disposed = true;
    this.mailboxes.ring();
    await this.serving;
    await Promise.all(
      this.threads.map((thread) => {
        const gone = new Promise<void>((resolve) => thread.worker.once('exit', () => resolve()));
        this.send(thread, { kind: 'end' });
        return gone;
      }),
    );
    this.vm.dispose();
  }

  dispose(): void {
    void this.close();
  }
}
