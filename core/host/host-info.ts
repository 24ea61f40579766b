// What this host offers: processor, KVM and its modes, which engine `auto` takes, and what to do about what is missing.
// Everything it looks at comes in through HostSources, so that hosts can be imagined in tests.

import { existsSync, readFileSync } from 'node:fs';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { performance } from 'node:perf_hooks';
import { NestboxError, messageOf } from '../base/errors.ts';
import { isFullKvm } from '../cpu/kvm/engine-modes.ts';
import { KVM_DEVICE, type KvmDevice, deviceOwner, groupName, openKvm, readCapabilities } from '../cpu/kvm/kvm-device.ts';
import { type KvmProbe, probeKvm, whyNotComplete } from '../cpu/kvm/kvm-probe.ts';
import { MODE_TITLES, TRIAL_MODES } from '../cpu/kvm/mode-trials.ts';
import type { HostInfo, KvmInfo, KvmMode, KvmStatus } from '../protocol/host-info.ts';
import { adviceFor } from './host-advice.ts';

const MIB = 1 << 20;

export interface HostSources {
  readonly platform: string;
  readonly architecture: string;
  readonly release: string;
  readonly memoryBytes: number;
  readonly processor: { readonly model: string; readonly count: number };
  /** Content of a small file, or undefined. */
  readText(path: string): string | undefined;
  exists(path: string): boolean;
  /** "root:kvm 0660", or undefined when there is no device. */
  devicePermissions(): string | undefined;
  /** @throws NestboxError saying what stands in the way */
  open(): Promise<KvmDevice>;
  probe(device: KvmDevice): KvmProbe;
}

export function thisHost(): HostSources {
  const readText = (path: string): string | undefined => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  };
  return {
    platform: platform(),
    architecture: arch(),
    release: release(),
    memoryBytes: totalmem(),
    processor: { model: cpus()[0]?.model ?? '', count: cpus().length },
    readText,
    exists: existsSync,
    devicePermissions: () => {
      const owner = deviceOwner();
      if (owner === undefined) return undefined;
      const user = readText('/etc/passwd')?.split('\n').find((line) => line.split(':')[2] === String(owner.uid))?.split(':')[0];
      return `${user ?? String(owner.uid)}:${groupName(owner.gid) ?? String(owner.gid)} ${owner.mode.toString(8).padStart(4, '0')}`;
    },
    open: openKvm,
    probe: (device) => probeKvm(device, () => performance.now()),
  };
}

const STATUS: Partial<Record<string, KvmStatus>> = { 'not-found': 'no-device', permission: 'no-permission', busy: 'busy', unsupported: 'unsupported' };

function modesOf(probe: KvmProbe): KvmMode[] {
  return TRIAL_MODES.map((name) => {
    const { support, mips, detail } = probe.modes[name];
    return { name, title: MODE_TITLES[name], works: support !== 'missing', interpreted: support === 'emulated', mips, ...(detail === undefined ? {} : { detail }) };
  });
}

function modulesOf(sources: HostSources): Pick<KvmInfo, 'modules' | 'nested'> {
  const lines = sources.readText('/proc/modules')?.split('\n') ?? [];
  const modules = ['kvm', 'kvm_intel', 'kvm_amd'].filter((name) => lines.some((line) => line.startsWith(`${name} `)) || sources.exists(`/sys/module/${name}`));
  for (const name of ['kvm_intel', 'kvm_amd']) {
    const value = sources.readText(`/sys/module/${name}/parameters/nested`)?.trim();
    if (value !== undefined) return { modules, nested: value === 'Y' || value === '1' };
  }
  return { modules };
}

async function kvmOf(sources: HostSources): Promise<{ info: KvmInfo; complete: boolean; why: string }> {
  const permissions = sources.devicePermissions();
  const base = { device: KVM_DEVICE, ...(permissions === undefined ? {} : { permissions }), ...modulesOf(sources) };
  let device: KvmDevice;
  try {
    device = await sources.open();
  } catch (error) {
    const status = (error instanceof NestboxError ? STATUS[error.kind] : undefined) ?? 'failed';
    return { info: { ...base, status, capabilities: [], modes: [], detail: messageOf(error) }, complete: false, why: messageOf(error) };
  }
  try {
    const capabilities = readCapabilities(device).map(({ name, value, use }) => ({ name, present: value > 0, value, use }));
    const value = (name: string): number => capabilities.find((entry) => entry.name === name)?.value ?? 0;
    const counts = { apiVersion: device.apiVersion, recommendedVcpus: value('nr-vcpus'), maxVcpus: value('max-vcpus') };
    try {
      const probe = sources.probe(device);
      const exitMicroseconds = Math.round(probe.exitMicroseconds * 10) / 10;
      return { info: { ...base, ...counts, status: 'ready', capabilities, modes: modesOf(probe), exitMicroseconds }, complete: isFullKvm(probe), why: whyNotComplete(probe) };
    } catch (error) {
      const status = (error instanceof NestboxError ? STATUS[error.kind] : undefined) ?? 'failed';
      return { info: { ...base, ...counts, status, capabilities, modes: [], detail: messageOf(error) }, complete: false, why: messageOf(error) };
    }
  } finally {
    device.dispose();
  }
}

/** Looks at the host; takes some tenths of a second where there is a KVM to try. */
export async function readHostInfo(sources: HostSources = thisHost()): Promise<HostInfo> {
  const cpuinfo = sources.readText('/proc/cpuinfo') ?? '';
  const flags = /^flags\s*:\s*(.*)$/m.exec(cpuinfo)?.[1]?.split(' ') ?? [];
  const processor: HostInfo['processor'] = {
    model: /^model name\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? sources.processor.model,
    vendor: /^vendor_id\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? 'unknown',
    logicalProcessors: sources.processor.count,
    virtualization: flags.includes('vmx') ? 'vmx' : flags.includes('svm') ? 'svm' : flags.length > 0 ? 'none' : 'unknown',
  };
  const system: HostInfo['system'] = {
    platform: sources.platform,
    architecture: sources.architecture,
    release: sources.release,
    memoryMib: Math.floor(sources.memoryBytes / MIB),
    virtualMachine: flags.includes('hypervisor'),
  };
  const { info: kvm, complete, why } = await kvmOf(sources);
  const engine: HostInfo['engine'] = complete
    ? { auto: 'kvm', reason: 'KVM works and runs every mode on the processor' }
    : { auto: 'software', reason: kvm.status === 'ready' ? `this host's KVM is not complete: ${why}` : why };
  const container = sources.exists('/.dockerenv') || sources.exists('/run/.containerenv');
  return { system, processor, kvm, engine, advice: adviceFor({ system, processor, kvm, engine, container }) };
}
