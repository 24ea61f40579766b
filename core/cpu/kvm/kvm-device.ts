// /dev/kvm itself: opening it, with a reason that a user can act on when that fails, and what it offers.

import { readFileSync, statSync } from 'node:fs';
import { NestboxError } from '../../base/errors.ts';
import type { Disposable } from '../../base/disposable.ts';
import { Exchange } from './exchange.ts';
import { API_VERSION, CAPABILITIES, type CapabilityName, KVM, REQUIRED_CAPABILITIES, SIZE, capabilityId } from './ioctl.ts';
import { ERRNO, type Libc, loadLibc } from './libc.ts';

export const KVM_DEVICE = '/dev/kvm';
const MOST_CPUID_ENTRIES = 256;
const E2BIG = 7;

export interface CpuidWords {
  readonly leaf: number;
  readonly subleaf: number;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

export class KvmDevice implements Disposable {
  readonly libc: Libc;
  readonly descriptor: number;
  private closed = false;

  constructor(libc: Libc, descriptor: number) {
    this.libc = libc;
    this.descriptor = descriptor;
  }

  get apiVersion(): number {
    return this.libc.ioctl(this.descriptor, KVM.GET_API_VERSION, 0);
  }

  /** What the kernel answers for a capability; 0 = absent. */
  check(name: CapabilityName): number {
    return Math.max(0, this.libc.ioctl(this.descriptor, KVM.CHECK_EXTENSION, capabilityId(name)));
  }

  get runPageBytes(): number {
    return this.libc.ioctl(this.descriptor, KVM.GET_VCPU_MMAP_SIZE, 0);
  }

  /** The CPUID leaves that this KVM can give a guest. */
  supportedCpuid(): CpuidWords[] {
    const exchange = new Exchange(this.libc, SIZE.CPUID_HEADER + MOST_CPUID_ENTRIES * SIZE.CPUID_ENTRY);
    exchange.view.setUint32(0, MOST_CPUID_ENTRIES, true);
    if (this.libc.ioctl(this.descriptor, KVM.GET_SUPPORTED_CPUID, exchange.address) < 0) return [];
    const count = Math.min(exchange.view.getUint32(0, true), MOST_CPUID_ENTRIES);
    return Array.from({ length: count }, (_, i) => {
      const word = (n: number): number => exchange.view.getUint32(SIZE.CPUID_HEADER + i * SIZE.CPUID_ENTRY + n * 4, true);
      return { leaf: word(0), subleaf: word(1), eax: word(3), ebx: word(4), ecx: word(5), edx: word(6) };
    });
  }

  /** The MSRs that this KVM keeps for a guest. */
  msrIndices(): number[] {
    const exchange = new Exchange(this.libc, 4 + 4096 * 4);
    exchange.view.setUint32(0, 4096, true);
    const result = this.libc.ioctl(this.descriptor, KVM.GET_MSR_INDEX_LIST, exchange.address);
    if (result < 0 && result !== -E2BIG) return [];
    const count = Math.min(exchange.view.getUint32(0, true), 4096);
    return Array.from({ length: count }, (_, i) => exchange.view.getUint32(4 + i * 4, true));
  }

  /** @returns the VM's file descriptor. @throws NestboxError saying what stands in the way */
  createVm(): number {
    for (;;) {
      const result = this.libc.ioctl(this.descriptor, KVM.CREATE_VM, 0);
      if (result >= 0) return result;
      if (result === -ERRNO.EINTR) continue;
      throw createVmFailed(-result);
    }
  }

  dispose(): void {
    if (this.closed) return;
    this.closed = true;
    this.libc.close(this.descriptor);
  }
}

function createVmFailed(errno: number): NestboxError {
  const context = { errno };
  if (errno === ERRNO.EBUSY) {
    return new NestboxError('busy', 'The processor\'s virtualization is in use by another hypervisor (VirtualBox or VMware?); stop its machines first', { op: 'create KVM VM', context });
  }
  if (errno === ERRNO.ENOMEM) return new NestboxError('no-space', 'The kernel has no memory left for another KVM machine', { op: 'create KVM VM', context });
  return new NestboxError('io', `KVM refuses to create a machine (error ${errno})`, { op: 'create KVM VM', context });
}

/** Name of the group that owns the device, from /etc/group. */
export function groupName(gid: number): string | undefined {
  try {
    const line = readFileSync('/etc/group', 'utf8').split('\n').find((entry) => entry.split(':')[2] === String(gid));
    return line?.split(':')[0];
  } catch {
    return undefined;
  }
}

/** Owner and mode bits of the device, or undefined when there is none. */
export function deviceOwner(path = KVM_DEVICE): { readonly mode: number; readonly uid: number; readonly gid: number } | undefined {
  try {
    const { mode, uid, gid } = statSync(path);
    return { mode: mode & 0o777, uid, gid };
  } catch {
    return undefined;
  }
}

/** What to tell a user who may not open the device. */
export function permissionMessage(path = KVM_DEVICE): string {
  const owner = deviceOwner(path);
  const group = owner === undefined ? undefined : groupName(owner.gid);
  if (owner !== undefined && (owner.mode & 0o060) === 0o060 && group !== undefined && group !== 'root') {
    return `${path} may be opened by members of group ${group} only: run "sudo usermod -aG ${group} $USER" and log in again`;
  }
  return `${path} may not be opened by this user: let its group have it ("sudo chgrp kvm ${path} && sudo chmod 660 ${path}") and join that group`;
}

/** @throws NestboxError with the reason and what to do */
export function openFailed(errno: number, path = KVM_DEVICE): NestboxError {
  const options = { op: 'open KVM', context: { path, errno } };
  switch (errno) {
    case ERRNO.ENOENT:
    case ERRNO.ENXIO:
    case ERRNO.ENODEV:
      return new NestboxError('not-found', `There is no ${path}: virtualization is switched off in the firmware setup, the kvm module is not loaded, or this is a container or virtual machine without it (see "nestbox host info")`, options);
    case ERRNO.EACCES:
    case ERRNO.EPERM:
      return new NestboxError('permission', permissionMessage(path), options);
    case ERRNO.EBUSY:
      return new NestboxError('busy', `${path} is in use by another hypervisor`, options);
    default:
      return new NestboxError('io', `${path} cannot be opened (error ${errno})`, options);
  }
}

/** Opens KVM and checks that the engine can work with it. @throws NestboxError */
export async function openKvm(path = KVM_DEVICE): Promise<KvmDevice> {
  const libc = await loadLibc();
  const descriptor = libc.open(path);
  if (descriptor < 0) throw openFailed(-descriptor, path);
  const device = new KvmDevice(libc, descriptor);
  const version = device.apiVersion;
  if (version !== API_VERSION) {
    device.dispose();
    throw new NestboxError('unsupported', `${path} ${version < 0 ? 'is not a KVM device' : `speaks version ${version} of the KVM interface; ${API_VERSION} is needed`}`, { op: 'open KVM', context: { path } });
  }
  const missing = REQUIRED_CAPABILITIES.filter((name) => device.check(name) === 0);
  if (missing.length > 0) {
    device.dispose();
    throw new NestboxError('unsupported', `This kernel's KVM lacks ${missing.join(', ')}; Linux 5.10 or newer has them`, { op: 'open KVM', context: { path } });
  }
  return device;
}

/** All capabilities with their values, for reports. */
export function readCapabilities(device: KvmDevice): { readonly name: CapabilityName; readonly value: number; readonly use: string }[] {
  return CAPABILITIES.map(({ name, use }) => ({ name, use, value: device.check(name) }));
}
