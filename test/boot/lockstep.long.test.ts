// Lock-step of interpreter and JIT over whole boots of Debian's kernels to a shell prompt and work in it, and over the
// collected guests that paint desktops. A difference is reported with its exact instruction.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nullLogger } from '../../core/base/logger.ts';
import type { Machine } from '../../core/machine/machine.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { type VmConfigInput, vmConfigSchema } from '../../core/protocol/vm-config.ts';
import { NO_SHARED, debianKernel, shared } from '../support/guests.ts';
import { busybox, busyboxInitrd } from '../support/initrd.ts';
import { Lockstep, describeDivergence } from '../support/lockstep.ts';
import { temporaryFolder } from '../support/nestbox.ts';

const NO_PACKAGES = "skipped: Debian's kernel and busybox packages cannot be downloaded here";
/** Compiled at once, so that a difference repeats. */
const THRESHOLD = 32;
/** Far more than a boot takes; the guest switches itself off before. */
const UNTIL = 20_000_000_000;
const WORK = 'dd if=/dev/zero bs=64k count=64 2>/dev/null | sha256sum; md5sum /bin/busybox; ls -lR /sys/devices | sha256sum; (for i in 1 2 3 4 5 6 7 8; do cat /proc/self/maps; done) | md5sum; dmesg | grep -c .; poweroff -f';

async function lockstep(config: Omit<VmConfigInput, 'name'>, until: number): Promise<{ exit: string | undefined; serial: string }> {
  const make = (jit: boolean): Promise<Machine> => createPcMachine(vmConfigSchema.parse({ name: 'lockstep', engine: 'software', clock: 'instructions', ...config, jit, jitThreshold: THRESHOLD }), nullLogger);
  const reference = await make(false);
  const subject = await make(true);
  let serial = '';
  reference.onSerialOutput((bytes) => (serial += Buffer.from(bytes).toString('latin1')));
  try {
    const { divergence, exit } = await new Lockstep({ reference, subject, until }).run();
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    return { exit, serial };
  } finally {
    await reference.dispose();
    await subject.dispose();
  }
}

describe('lock-step over whole boots', () => {
  for (const [flavour, architecture] of [['cloud-amd64', 'amd64'], ['686', 'i386']] as const) {
    const kernel = debianKernel(flavour);
    const program = busybox(architecture);
    const ready = kernel !== undefined && program !== undefined;
    (ready ? it : it.skip)(ready ? `Debian ${flavour}` : `Debian ${flavour} (${NO_PACKAGES})`, async () => {
      const initrd = join(temporaryFolder(), 'initrd.gz');
      writeFileSync(initrd, busyboxInitrd(program ?? new Uint8Array(), `exec >/dev/ttyS0 2>&1\n${WORK}`));
      const { exit, serial } = await lockstep({ memoryMib: 128, directBoot: { kernel: kernel ?? '', initrd, commandLine: 'console=ttyS0 panic=-1' } }, UNTIL);
      expect(exit, serial.slice(-2000)).toBe('power-off');
      expect(serial).toMatch(/[0-9a-f]{64} {2}-/);
    });
  }

  for (const [file, memoryMib, until] of [['mikeos.img', 16, 300_000_000], ['kolibri-2020.img', 64, 1_500_000_000], ['floppinux-0.2.2.img', 64, 1_500_000_000]] as const) {
    const path = shared(`guests/${file}`);
    (path === undefined ? it.skip : it)(path === undefined ? `${file} (${NO_SHARED})` : file, async () => {
      await lockstep({ memoryMib, media: [{ kind: 'floppy', path: path ?? '', snapshot: true }] }, until);
    });
  }
});
