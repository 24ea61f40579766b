import { describe, expect, it } from 'vitest';
import { NestboxError } from '../base/errors.ts';
import { openFailed, permissionMessage } from '../cpu/kvm/kvm-device.ts';
import { type HostSources, readHostInfo, thisHost } from './host-info.ts';

const INTEL = 'vendor_id\t: GenuineIntel\nmodel name\t: A Xeon\nflags\t\t: fpu vme vmx sse2\n';
const GUEST = 'vendor_id\t: AuthenticAMD\nmodel name\t: An EPYC\nflags\t\t: fpu vme sse2 hypervisor\n';

function imagined(files: Record<string, string>, open: () => never, permissions?: string): HostSources {
  return {
    platform: 'linux',
    architecture: 'x64',
    release: '6.1.0',
    memoryBytes: 8 << 30 >>> 0,
    processor: { model: 'some', count: 4 },
    readText: (path) => files[path],
    exists: (path) => files[path] !== undefined,
    devicePermissions: () => permissions,
    open: () => Promise.resolve().then(open),
    probe: () => {
      throw new Error('not reached');
    },
  };
}

function fails(errno: number): () => never {
  return () => {
    throw openFailed(errno);
  };
}

describe('host info', () => {
  it('sends who may not open the device to the group that may', async () => {
    const info = await readHostInfo(imagined({ '/proc/cpuinfo': INTEL, '/proc/modules': 'kvm_intel 1 0\nkvm 1 1\n', '/sys/module/kvm_intel/parameters/nested': 'N\n' }, fails(13), 'root:kvm 0660'));
    expect(info.kvm).toMatchObject({ status: 'no-permission', modules: ['kvm', 'kvm_intel'], nested: false });
    expect(info.processor).toMatchObject({ vendor: 'GenuineIntel', virtualization: 'vmx' });
    expect(info.engine.auto).toBe('software');
    expect(info.advice).toMatchObject([{ id: 'kvm-permission', command: 'sudo usermod -aG kvm $USER' }]);
  });

  it('tells a missing module, switched-off virtualization, missing nesting and a container apart', async () => {
    const advice = async (files: Record<string, string>): Promise<string | undefined> => (await readHostInfo(imagined(files, fails(2)))).advice[0]?.id;
    expect(await advice({ '/proc/cpuinfo': INTEL })).toBe('kvm-module');
    expect(await advice({ '/proc/cpuinfo': INTEL.replace(' vmx', '') })).toBe('virtualization-off');
    expect(await advice({ '/proc/cpuinfo': GUEST })).toBe('nested-off');
    expect(await advice({ '/proc/cpuinfo': INTEL, '/.dockerenv': '' })).toBe('container-device');
  });

  it('names another hypervisor, an old kernel, and other systems', async () => {
    const busy = await readHostInfo(imagined({ '/proc/cpuinfo': INTEL }, fails(16), 'root:kvm 0660'));
    expect([busy.kvm.status, busy.advice[0]?.id]).toEqual(['busy', 'kvm-busy']);
    const old = await readHostInfo(
      imagined({ '/proc/cpuinfo': INTEL }, () => {
        throw new NestboxError('unsupported', 'lacks readonly-mem');
      }),
    );
    expect([old.kvm.status, old.advice[0]?.problem]).toEqual(['unsupported', 'lacks readonly-mem']);
    const mac = await readHostInfo({ ...imagined({}, fails(2)), platform: 'darwin' });
    expect([mac.engine.auto, mac.advice[0]?.id]).toEqual(['software', 'other-system']);
  });

  it('says what to do in one sentence when a device cannot be opened', () => {
    expect(openFailed(2).kind).toBe('not-found');
    expect(openFailed(13).message).toContain('/dev/kvm');
    expect(permissionMessage('/nowhere')).toContain('chgrp kvm');
  });

  it('looks at this very host', async () => {
    const info = await readHostInfo();
    expect(info.system.platform).toBe(process.platform);
    if (thisHost().devicePermissions() === undefined) expect(info.kvm.status).not.toBe('ready');
    if (info.kvm.status === 'ready') {
      expect(info.kvm.apiVersion).toBe(12);
      expect(info.kvm.modes).toHaveLength(7);
      expect(info.kvm.capabilities.find((entry) => entry.name === 'user-memory')?.present).toBe(true);
    } else expect(info.advice.length).toBeGreaterThan(0);
  });
});
