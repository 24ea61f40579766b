// Kernels that are started directly, on the KVM engine: what this host's KVM lacks goes to the interpreter. Slow where KVM
// interprets kernel code.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hostProbe, whyNoKvm } from '../conformance/rig.ts';
import { debianKernel, shared } from '../support/guests.ts';
import { busybox, busyboxInitrd } from '../support/initrd.ts';
import { startKvm } from '../support/kvm-guest.ts';
import { temporaryFolder } from '../support/nestbox.ts';

const reason = await whyNoKvm();
const FLAVOURS = [{ flavour: 'cloud-amd64', architecture: 'amd64' }, { flavour: '686', architecture: 'i386' }] as const;

describe(reason === undefined ? 'kernels on KVM' : `kernels on KVM (skipped: ${reason})`, () => {
  const slitaz = shared('guests/slitaz-bzImage64');
  it.skipIf(reason !== undefined || slitaz === undefined)('slitaz-bzImage64 starts directly', async () => {
    await using guest = await startKvm({ memoryMib: 256, directBoot: { kernel: slitaz ?? '', commandLine: 'console=ttyS0 earlyprintk=ttyS0' } });
    await guest.until((serial) => serial.includes('Linux version'));
  });

  for (const { flavour, architecture } of FLAVOURS) {
    const kernel = debianKernel(flavour);
    const shell = busybox(architecture);
    it.skipIf(reason !== undefined || kernel === undefined || shell === undefined)(`Debian ${flavour} runs its programs and powers off`, async () => {
      const initrd = join(temporaryFolder(), 'initrd.gz');
      writeFileSync(initrd, busyboxInitrd(shell ?? new Uint8Array(), 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; echo counted $i; poweroff -f'));
      await using guest = await startKvm({ memoryMib: 256, directBoot: { kernel: kernel ?? '', initrd, commandLine: 'console=ttyS0 panic=-1' } });
      await guest.until((_serial, off) => off);
      expect(guest.serial()).toContain('counted 2000');
      // 64-bit programs run on the processor on every KVM that runs them at all.
      if (flavour === 'cloud-amd64' && hostProbe().modes['long-user'].support === 'native') expect(guest.exits().kvmRuns).toBeGreaterThan(10);
    });
  }
});
