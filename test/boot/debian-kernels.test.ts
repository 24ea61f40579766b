// Stock Debian 12 kernels with a busybox initrd made here: shell on the serial port and on the VGA console, typing works,
// `poweroff` ends the run with exit code 0; and the power button shuts down a guest that handles it.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { debianKernel } from '../support/guests.ts';
import { busybox, busyboxInitrd } from '../support/initrd.ts';
import { type CommandResult, nestbox, temporaryFolder } from '../support/nestbox.ts';

const NO_PACKAGES = "skipped: Debian's kernel and busybox packages cannot be downloaded here";
const MINUTES = 60_000;

const SERIAL_INIT = 'exec setsid cttyhack sh </dev/ttyS0 >/dev/ttyS0 2>&1';
const SCREEN_INIT = 'echo SCREEN READY >/dev/tty1; exec setsid sh -c "exec sh </dev/tty1 >/dev/tty1 2>&1"';

interface Guest {
  readonly flavour: 'cloud-amd64' | '686';
  readonly architecture: 'amd64' | 'i386';
  readonly machine: string;
}

const GUESTS: readonly Guest[] = [
  { flavour: 'cloud-amd64', architecture: 'amd64', machine: 'x86_64' },
  { flavour: '686', architecture: 'i386', machine: 'i686' },
];

function run(kernel: string, initrd: Uint8Array, append: string, steps: readonly object[], extra: readonly string[] = []): Promise<CommandResult> {
  const folder = temporaryFolder();
  const initrdPath = join(folder, 'initrd.gz');
  const script = join(folder, 'script.json');
  writeFileSync(initrdPath, initrd);
  writeFileSync(script, JSON.stringify(steps));
  return nestbox(['run', '--kernel', kernel, '--initrd', initrdPath, '--append', append, '--memory', '256', '--script', script, '--timeout', '400', ...extra], 8 * MINUTES);
}

for (const guest of GUESTS) {
  const kernel = debianKernel(guest.flavour);
  const program = busybox(guest.architecture);
  const ready = kernel !== undefined && program !== undefined;
  (ready ? describe : describe.skip)(ready ? `Debian ${guest.flavour}` : `Debian ${guest.flavour} (${NO_PACKAGES})`, () => {
    let serialInitrd = new Uint8Array();
    let screenInitrd = new Uint8Array();
    beforeAll(() => {
      serialInitrd = Uint8Array.from(busyboxInitrd(program ?? new Uint8Array(), SERIAL_INIT));
      screenInitrd = Uint8Array.from(busyboxInitrd(program ?? new Uint8Array(), SCREEN_INIT));
    });

    it('gives a shell on the serial port; poweroff ends the run', async () => {
      const result = await run(kernel ?? '', serialInitrd, 'console=ttyS0 panic=-1', [
        { wait: '/ # ', timeout: 300 },
        { serial: 'uname -m; echo $((6*7))\n' },
        { wait: `${guest.machine}\\s+42`, timeout: 60 },
        { serial: 'poweroff -f\n' },
        { sleep: 120 },
      ]);
      expect(result, result.stderr).toMatchObject({ code: 0 });
    }, 9 * MINUTES);

    it('gives a shell on the VGA console, by keyboard', async () => {
      const result = await run(kernel ?? '', screenInitrd, 'console=tty1 panic=-1', [
        { wait: 'SCREEN READY[\\s\\S]*#', timeout: 300 },
        { type: 'uname -m; echo $((6*7))\n' },
        { wait: `${guest.machine}\\s+42`, timeout: 60 },
        { type: 'poweroff -f\n' },
        { sleep: 120 },
      ]);
      expect(result, result.stderr).toMatchObject({ code: 0 });
    }, 9 * MINUTES);
  });
}

const cloud = debianKernel('cloud-amd64');
const tools = busybox('amd64');
const both = cloud !== undefined && tools !== undefined;
(both ? describe : describe.skip)(both ? 'power button' : `power button (${NO_PACKAGES})`, () => {
  it('shuts down a guest that listens to ACPI', async () => {
    const init = `acpid -f -c /etc/acpi 2>/dev/null &\nwhile [ ! -e /dev/input/event0 ] && [ ! -e /proc/acpi/event ]; do sleep 1; done\n`;
    const listen = `mkdir -p /etc/acpi/PWRF; printf '#!/bin/sh\\npoweroff -f\\n' > /etc/acpi/PWRF/00000080; chmod +x /etc/acpi/PWRF/00000080; echo LISTENING >/dev/ttyS0\n${init}wait`;
    const result = await run(cloud ?? '', busyboxInitrd(tools ?? new Uint8Array(), listen), 'console=ttyS0 panic=-1', [
      { wait: 'LISTENING', timeout: 300 },
      { sleep: 5 },
      { powerButton: true },
      { sleep: 120 },
    ]);
    expect(result, result.stderr).toMatchObject({ code: 0 });
  }, 9 * MINUTES);
});
