// Which engine runs a machine's processor, and why: KVM where it is complete, our software CPU everywhere else.

import { NestboxError, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Vcpu, VcpuOptions } from '../cpu/contract.ts';
import { type CpuFeature, DEFAULT_FEATURES } from '../cpu/isa/cpuid.ts';
import { kvmLeaves } from '../cpu/isa/kvm-leaves.ts';
import { isFullKvm } from '../cpu/kvm/engine-modes.ts';
import type { BoardControllers } from '../cpu/kvm/controller-loan.ts';
import { irqchipOffer } from '../cpu/kvm/kernel-irqchip.ts';
import { kvmFeatures, toleratedFeatures, untoldFeatures } from '../cpu/kvm/kvm-cpuid.ts';
import { type KvmDevice, openKvm } from '../cpu/kvm/kvm-device.ts';
import { type KvmProbe, probeKvm, whyNotComplete } from '../cpu/kvm/kvm-probe.ts';
import { KvmProcessors } from '../cpu/kvm/kvm-processors.ts';
import { KvmSmp } from '../cpu/kvm/kvm-smp.ts';
import { createKvmVcpu } from '../cpu/kvm/kvm-vcpu.ts';
import { prepareInterpreter } from '../cpu/software/interpreter-module.ts';
import { createSoftwareVcpu } from '../cpu/software/software-vcpu.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import type { VmConfig } from '../protocol/vm-config.ts';
import { hostProcessorFlags, monotonicMs } from './host-services.ts';
import { TSC_HZ } from './tsc-clock.ts';

export interface KvmChoice {
  readonly kind: 'kvm';
  readonly device: KvmDevice;
  readonly probe: KvmProbe;
  readonly features: readonly CpuFeature[];
  readonly tolerated: ReadonlySet<CpuFeature>;
  readonly tscHz: number;
  /** The kernel's interrupt controllers stand for the board's while the guest runs in KVM. */
  readonly kernelControllers: boolean;
  readonly reason: string;
}

export interface SoftwareChoice {
  readonly kind: 'software';
  readonly tscHz: number;
  readonly reason: string;
}

export type EngineChoice = KvmChoice | SoftwareChoice;

function software(reason: string): SoftwareChoice {
  return { kind: 'software', tscHz: TSC_HZ, reason };
}

/** What needs exact instruction counts. */
function needsSoftware(config: VmConfig): string | undefined {
  if (config.clock === 'instructions') return 'the instruction clock needs instruction counts, which KVM does not give';
  if (config.tracePath !== undefined) return 'traces need instruction counts, which KVM does not give';
  return undefined;
}

/** Decides once, when the machine is made. @throws NestboxError `usage` when KVM is asked for what it cannot do */
export async function chooseEngine(config: VmConfig, log: Logger): Promise<EngineChoice> {
  if (config.cpus > 1) return chooseForSeveral(config, log);
  if (config.engine === 'software') return software('asked for');
  const excluded = needsSoftware(config);
  if (excluded !== undefined) {
    if (config.engine === 'kvm') throw new NestboxError('usage', `The KVM engine cannot do this: ${excluded}`, { op: 'choose engine' });
    return software(excluded);
  }
  let device: KvmDevice;
  try {
    device = await openKvm();
  } catch (error) {
    return fallBack(config, log, messageOf(error));
  }
  try {
    const probe = probeKvm(device, monotonicMs, config.engine === 'auto');
    if (config.engine === 'auto' && !isFullKvm(probe)) {
      device.dispose();
      return fallBack(config, log, `this host's KVM is not complete (${whyNotComplete(probe)})`);
    }
    return kvmChoice(config, log, device, probe);
  } catch (error) {
    device.dispose();
    return fallBack(config, log, messageOf(error));
  }
}

function kvmChoice(config: VmConfig, log: Logger, device: KvmDevice, probe: KvmProbe): KvmChoice {
  const features = probe.keepsCpuid ? kvmFeatures(DEFAULT_FEATURES, device.supportedCpuid(), probe.tscHz === TSC_HZ) : untoldFeatures(DEFAULT_FEATURES);
  const tolerated = toleratedFeatures(features, isFullKvm(probe) ? [] : hostProcessorFlags());
  if (!isFullKvm(probe)) log.log('info', `KVM is not complete here (${whyNotComplete(probe)}): the software CPU takes over where needed`);
  return { kind: 'kvm', device, probe, features, tolerated, tscHz: probe.tscHz, kernelControllers: usesKernelControllers(config, device, probe), reason: 'KVM works' };
}

/**
 * Several processors need KVM with its own interrupt controllers. One that is not complete has to be asked for by name: what
 * it lacks goes instruction by instruction.
 * @throws NestboxError that says why this host or configuration has one processor only
 */
async function chooseForSeveral(config: VmConfig, log: Logger): Promise<KvmChoice> {
  const refuse = (kind: 'usage' | 'unsupported', why: string, cause?: unknown): NestboxError =>
    new NestboxError(kind, `${config.cpus} processors need KVM: ${why}. Take one processor (--cpus 1)`, { op: 'choose engine', cause });
  if (config.engine === 'software') throw refuse('usage', 'the software CPU has one');
  const excluded = needsSoftware(config);
  if (excluded !== undefined) throw refuse('usage', excluded);
  if (config.personality !== 'none') throw refuse('usage', `the clock of --personality ${config.personality} serves one`);
  if (config.kvmIrqchip === 'user') throw refuse('usage', 'Nestbox\'s own interrupt controllers (--kvm-irqchip user) serve one');
  const device = await openKvm().catch((cause: unknown) => {
    throw refuse('unsupported', messageOf(cause).replace(/\.$/, ''), cause);
  });
  try {
    if (!irqchipOffer(device).full) throw refuse('unsupported', 'this host\'s KVM has no interrupt controllers of its own');
    const most = device.check('max-vcpus');
    if (config.cpus > most) throw new NestboxError('unsupported', `This host's KVM gives a machine ${most} processors at most; ${config.cpus} are asked for`, { op: 'choose engine' });
    const probe = probeKvm(device, monotonicMs, config.engine === 'auto');
    if (config.engine === 'auto' && !isFullKvm(probe)) throw refuse('unsupported', `this host's is not complete (${whyNotComplete(probe)}); --engine kvm tries it all the same, slowly`);
    return kvmChoice(config, log, device, probe);
  } catch (error) {
    device.dispose();
    throw error;
  }
}

/** Each hand-off moves the controllers' state: only a KVM that needs next to none of them gains by its own. */
function usesKernelControllers(config: VmConfig, device: KvmDevice, probe: KvmProbe): boolean {
  const offered = irqchipOffer(device).full;
  if (config.kvmIrqchip === 'kernel' && !offered) throw new NestboxError('unsupported', "This host's KVM has no interrupt controllers of its own", { op: 'choose engine' });
  return offered && (config.cpus > 1 || config.kvmIrqchip === 'kernel' || (config.kvmIrqchip !== 'user' && isFullKvm(probe)));
}

function fallBack(config: VmConfig, log: Logger, reason: string): SoftwareChoice {
  // Who asks for KVM by name is told in any case; with `auto` it is worth a line in the log.
  log.log(config.engine === 'kvm' ? 'warn' : 'info', `The software CPU runs this machine: ${reason}`);
  return software(reason);
}

/** Does in advance, on other threads, what makes createVcpu() take long. */
export function prepareEngine(choice: EngineChoice): Promise<void> {
  return choice.kind === 'software' ? prepareInterpreter() : Promise.resolve();
}

export interface EngineOptions extends VcpuOptions {
  readonly wasm: WebAssembly.Memory;
  readonly memory: PhysicalMemory;
  readonly config: VmConfig;
  readonly log: Logger;
  readonly readNs: () => number;
  readonly controllers: BoardControllers;
  /** Several processors, when there are. */
  readonly smp: KvmSmp | undefined;
  /** The machine is about to be changed: see KvmProcessorsOptions. */
  readonly changePending: () => boolean;
  /** A processor wants something after a halt. */
  readonly wanted: () => void;
}

/** Threads of several processors, before the machine around them. @throws NestboxError */
export async function startProcessors(choice: EngineChoice, config: VmConfig, memory: PhysicalMemory): Promise<KvmSmp | undefined> {
  if (choice.kind !== 'kvm' || config.cpus === 1) return undefined;
  const { device, features, tscHz } = choice;
  return KvmSmp.create({ device, memory, count: config.cpus, features, tscHz });
}

export function createVcpu(choice: EngineChoice, options: EngineOptions): Vcpu {
  const { wasm, memory, config } = options;
  const hypervisorLeaves = config.personality === 'kvm' ? kvmLeaves() : [];
  const makeSoftware = (own: VcpuOptions, features?: readonly CpuFeature[]): Vcpu =>
    createSoftwareVcpu(wasm, memory, { ...own, jit: config.jit, ...(config.jitThreshold === undefined ? {} : { jitThreshold: config.jitThreshold }), tscHz: choice.tscHz, processorCount: config.cpus, hypervisorLeaves, ...(features === undefined ? {} : { features }) });
  if (choice.kind === 'software') return makeSoftware(options);
  const createSoftware = (own: VcpuOptions): Vcpu => makeSoftware(own, choice.features);
  if (options.smp !== undefined) {
    const { features, tscHz, tolerated, device, probe } = choice;
    return new KvmProcessors({ ...options, smp: options.smp, features, tscHz, tolerated, setsTsc: probe.setsTsc, readHostMs: monotonicMs, createSoftware, dispose: () => device.dispose() });
  }
  return createKvmVcpu({
    ...options,
    device: choice.device,
    probe: choice.probe,
    policy: config.kvmHandOff ?? 'when-faster',
    controllers: choice.kernelControllers ? options.controllers : undefined,
    processorCount: config.cpus,
    features: choice.features,
    hypervisorLeaves,
    tscHz: choice.tscHz,
    tolerated: choice.tolerated,
    readHostMs: monotonicMs,
    createSoftware,
  });
}
