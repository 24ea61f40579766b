// Why KVM cannot be had, in words that say what to do: every way in which opening it fails.

import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { KvmDevice, groupName, openFailed, openKvm, permissionMessage } from './kvm-device.ts';
import { KVM } from './ioctl.ts';
import { ERRNO, type Libc } from './libc.ts';

const folder = mkdtempSync(join(tmpdir(), 'nestbox-kvm-'));
afterAll(() => rmSync(folder, { recursive: true }));
const hasLibc = process.platform === 'linux' && process.arch === 'x64';

/** A C library whose only device answers as told. */
function libcThat(answers: (request: number) => number): Libc {
  const unused = (): never => {
    throw new Error('not reached');
  };
  return { ioctl: (_descriptor, request) => answers(request), open: unused, close: () => undefined, syscall: unused, mmap: unused, munmap: unused, copy: unused, addressOf: unused };
}

function createFailsWith(errno: number): { kind: string; message: string } {
  const device = new KvmDevice(libcThat((request) => (request === KVM.CREATE_VM ? -errno : 0)), 3);
  try {
    device.createVm();
  } catch (error) {
    return error as { kind: string; message: string };
  }
  throw new Error('a machine was made');
}

describe('opening KVM', () => {
  it.skipIf(!hasLibc)('tells a device that is not there from one that is no KVM', async () => {
    await expect(openKvm(join(folder, 'none'))).rejects.toMatchObject({ kind: 'not-found', message: expect.stringContaining('kvm module is not loaded') as string });
    await expect(openKvm('/dev/null')).rejects.toMatchObject({ kind: 'unsupported', message: '/dev/null is not a KVM device' });
  });

  it('says which group may open it, or that none may', () => {
    const path = join(folder, 'kvm');
    writeFileSync(path, '');
    chmodSync(path, 0o660);
    const group = groupName(statSync(path).gid);
    // Nobody is sent to the group of the superuser.
    const expected = group === undefined || group === 'root' ? `sudo chgrp kvm ${path}` : `sudo usermod -aG ${group} $USER`;
    expect(permissionMessage(path)).toContain(expected);
    chmodSync(path, 0o600);
    expect(permissionMessage(path)).toContain(`sudo chgrp kvm ${path} && sudo chmod 660 ${path}`);
    expect(openFailed(ERRNO.EACCES, path)).toMatchObject({ kind: 'permission' });
  });

  it('names virtualization that another hypervisor holds, and a kernel without memory', () => {
    expect(createFailsWith(ERRNO.EBUSY)).toMatchObject({ kind: 'busy', message: expect.stringContaining('stop its machines first') as string });
    expect(openFailed(ERRNO.EBUSY)).toMatchObject({ kind: 'busy', message: expect.stringContaining('in use by another hypervisor') as string });
    expect(createFailsWith(ERRNO.ENOMEM)).toMatchObject({ kind: 'no-space' });
    expect(createFailsWith(ERRNO.EINVAL)).toMatchObject({ kind: 'io', message: expect.stringContaining('error 22') as string });
  });

  it('tries again when a signal comes in between', () => {
    let tries = 0;
    const device = new KvmDevice(libcThat((request) => (request === KVM.CREATE_VM && ++tries < 3 ? -ERRNO.EINTR : 7)), 3);
    expect([device.createVm(), tries]).toEqual([7, 3]);
  });
});
