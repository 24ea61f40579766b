// Stock Debian 12 kernels, started directly by each firmware, with a busybox initrd made here: shell on the serial port and on the VGA console, typing works,
// `poweroff` ends the run with exit code 0; and the power button shuts down a guest that handles it.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIRMWARES } from '../support/firmwares.ts';
import { debianKernel, debianModule } from '../support/guests.ts';
import { busybox, busyboxInitrd } from '../support/initrd.ts';
import { type CommandResult, nestbox, temporaryFolder } from '../support/nestbox.ts';

const NO_PACKAGES = "skipped: Debian's kernel and busybox packages cannot be downloaded here";
const MINUTES = 60_000;

const INIT = 'setsid sh -c "exec sh </dev/tty1 >/dev/tty1 2>&1" & exec setsid cttyhack sh </dev/ttyS0 >/dev/ttyS0 2>&1';
/** Never shown: the run goes on until the guest ends it, or fails when the time is over. */
const UNTIL_OFF = { wait: 'the guest never says this', timeout: 200 };

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
  for (const firmware of FIRMWARES) {
    const name = `Debian ${guest.flavour} by ${firmware.name}`;
    describe.skipIf(!ready || firmware.missing)(ready ? name : `${name} (${NO_PACKAGES})`, () => {
      it('gives a shell on the serial port and on the VGA console; poweroff ends the run', async () => {
        const steps = [
          { wait: '/ # ', timeout: 300 },
          { serial: 'uname -m; echo $((6*7))\n' },
          { wait: `${guest.machine}\\s+42`, timeout: 60 },
          { type: 'clear; uname -m; echo SCREEN $((6*7))\n' },
          { wait: `${guest.machine}\\s+SCREEN 42`, timeout: 60 },
          { type: 'poweroff -f\n' },
          UNTIL_OFF,
        ];
        const initrd = busyboxInitrd(program ?? new Uint8Array(), INIT);
        const result = await run(kernel ?? '', initrd, 'console=tty1 console=ttyS0 panic=-1', steps, ['--firmware', firmware.path]);
        expect(result, result.stderr).toMatchObject({ code: 0 });
      }, 9 * MINUTES);
    });
  }
}

const cloud = debianKernel('cloud-amd64');
const tools = busybox('amd64');
describe.skipIf(cloud === undefined || tools === undefined)(cloud !== undefined && tools !== undefined ? 'the KVM personality' : `the KVM personality (${NO_PACKAGES})`, () => {
  it('is found by a stock kernel, which takes its clock and needs no calibration', async () => {
    // The date comes from the clock page, seconds from the counter: both within the minute that a boot may take.
    const before = Math.floor(Date.now() / 1000);
    const result = await run(cloud ?? '', busyboxInitrd(tools ?? new Uint8Array(), 'dmesg | grep -i -e "hypervisor" -e "clock" -e "calibrat"; echo NOW $(date +%s); poweroff -f'), 'console=ttyS0 panic=-1', [UNTIL_OFF], [
      '--engine', 'software', '--personality', 'kvm', '--serial', 'stdio',
    ]);
    expect(result, result.stderr).toMatchObject({ code: 0 });
    expect(result.stdout).toContain('Hypervisor detected: KVM');
    expect(result.stdout).toContain('clocksource: Switched to clocksource kvm-clock');
    expect(result.stdout).toMatch(/kvm-clock: using sched offset of \d+ cycles/);
    expect(result.stdout).toContain('tsc: Detected 1000.000 MHz processor');
    expect(result.stdout).not.toMatch(/calibration using|Fast TSC calibration/);
    const now = Number(/NOW (\d+)/.exec(result.stdout)?.[1]);
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000));
  }, 9 * MINUTES);
});
const drivers = ['drivers/acpi/button.ko', 'drivers/input/evdev.ko'].map((name) => debianModule('cloud-amd64', name));
const ready = cloud !== undefined && tools !== undefined && !drivers.includes(undefined);
describe.skipIf(!ready)(ready ? 'power button' : `power button (${NO_PACKAGES})`, () => {
  it('shuts down a guest that listens to ACPI', async () => {
    const modules = drivers.map((path, index) => ({ name: `lib/${index}.ko`, mode: 0o100644, content: readFileSync(path ?? '') }));
    // busybox' acpid runs the file of this name for the power button; LISTENING comes when it has opened its devices.
    const init = [
      'insmod /lib/0.ko; insmod /lib/1.ko; mkdir -p /etc/acpi/PWRF',
      "printf '#!/bin/sh\\necho PRESSED >/dev/ttyS0\\npoweroff -f\\n' >/etc/acpi/PWRF/00000080; chmod +x /etc/acpi/PWRF/00000080",
      'acpid -d -c /etc/acpi &',
      'while ! ls -l /proc/$!/fd | grep -q /dev/input/event; do sleep 0.1; done; echo LISTENING; wait',
    ].join('\n');
    const result = await run(cloud ?? '', busyboxInitrd(tools ?? new Uint8Array(), init, modules), 'console=ttyS0 panic=-1', [
      { wait: '^LISTENING', timeout: 300 },
      { powerButton: true },
      { wait: '^PRESSED', timeout: 60 },
      UNTIL_OFF,
    ]);
    expect(result, result.stderr).toMatchObject({ code: 0 });
  }, 9 * MINUTES);
});
