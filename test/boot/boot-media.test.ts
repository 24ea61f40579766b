// Boot media of real distributions: GRUB's rescue CD, an ISOLINUX CD made here that loads a stock Debian kernel, Debian's
// netboot installer, each by the built-in BIOS and by SeaBIOS; SeaBIOS with DOS; OVMF to its shell or boot manager.

import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIRMWARES } from '../support/firmwares.ts';
import { debianKernel, debianPackage, hasCommand, ownCopy, shared } from '../support/guests.ts';
import { busybox, busyboxInitrd } from '../support/initrd.ts';
import { type CommandResult, nestbox, temporaryFolder } from '../support/nestbox.ts';

const MINUTES = 60_000;
const OVMF = ['/usr/share/ovmf/OVMF.fd', '/usr/share/OVMF/OVMF.fd'].find((path) => existsSync(path));

function run(args: readonly string[], steps: readonly object[]): Promise<CommandResult> {
  const script = join(temporaryFolder(), 'script.json');
  writeFileSync(script, JSON.stringify(steps));
  return nestbox(['run', ...args, '--script', script, '--timeout', '500'], 9 * MINUTES);
}

/** An ISO with ISOLINUX that starts a kernel with an initrd. */
function isolinuxCd(folder: string, kernel: string, initrd: Uint8Array, append: string, isolinux: string, modules: string): string {
  const tree = join(folder, 'tree', 'isolinux');
  mkdirSync(tree, { recursive: true });
  copyFileSync(join(isolinux, 'usr/lib/ISOLINUX/isolinux.bin'), join(tree, 'isolinux.bin'));
  copyFileSync(join(modules, 'usr/lib/syslinux/modules/bios/ldlinux.c32'), join(tree, 'ldlinux.c32'));
  copyFileSync(kernel, join(tree, 'vmlinuz'));
  writeFileSync(join(tree, 'initrd.gz'), initrd);
  writeFileSync(join(tree, 'isolinux.cfg'), `default linux\nlabel linux\n kernel vmlinuz\n append initrd=initrd.gz ${append}\n`);
  const iso = join(folder, 'cd.iso');
  execFileSync(
    'xorriso',
    ['-as', 'mkisofs', '-o', iso, '-b', 'isolinux/isolinux.bin', '-c', 'isolinux/boot.cat', '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table', join(folder, 'tree')],
    { stdio: 'ignore' },
  );
  return iso;
}

const grub = debianPackage('grub-rescue-pc');
const grubCd = grub === undefined ? undefined : join(grub, 'usr/lib/grub-rescue/grub-rescue-cdrom.iso');
const netboot = debianPackage('debian-installer-12-netboot-amd64');
const netbootFolder = netboot === undefined ? undefined : join(netboot, 'usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64');
const isolinux = debianPackage('isolinux');
const modules = debianPackage('syslinux-common');
const kernel = debianKernel('cloud-amd64');
const program = busybox('amd64');

for (const firmware of FIRMWARES) {
  describe.skipIf(firmware.missing)(firmware.name, () => {
    it.skipIf(grubCd === undefined)("GRUB's rescue CD reaches its prompt (skipped without the grub-rescue-pc package)", async () => {
      const result = await run(['--firmware', firmware.path, '--cdrom', grubCd ?? '', '--memory', '128'], [{ wait: 'GNU GRUB', timeout: 240 }, { type: 'c' }, { wait: '^grub>', timeout: 60 }]);
      expect(result, result.stderr).toMatchObject({ code: 0 });
    });

    const canMakeCd = kernel !== undefined && program !== undefined && isolinux !== undefined && modules !== undefined && hasCommand('xorriso');
    it.skipIf(!canMakeCd)('an ISOLINUX CD loads a stock Debian kernel (skipped without Debian packages or xorriso)', async () => {
      const initrd = busyboxInitrd(program ?? new Uint8Array(), 'echo HELLO FROM CD >/dev/ttyS0; poweroff -f');
      const iso = isolinuxCd(temporaryFolder(), kernel ?? '', initrd, 'console=ttyS0 panic=-1', isolinux ?? '', modules ?? '');
      const result = await run(['--firmware', firmware.path, '--cdrom', iso, '--memory', '256'], [{ wait: 'HELLO FROM CD', timeout: 400 }, { sleep: 60 }]);
      expect(result, result.stderr).toMatchObject({ code: 0 });
    }, 10 * MINUTES);

    const installer = netbootFolder !== undefined && existsSync(join(netbootFolder, 'linux')) && isolinux !== undefined && modules !== undefined && hasCommand('xorriso');
    it.skipIf(!installer)("Debian's netboot installer shows its first dialog (skipped without Debian packages or xorriso)", async () => {
      const from = netbootFolder ?? '';
      const iso = isolinuxCd(temporaryFolder(), join(from, 'linux'), readFileSync(join(from, 'initrd.gz')), 'vga=normal fb=false console=ttyS0', isolinux ?? '', modules ?? '');
      const result = await run(['--firmware', firmware.path, '--cdrom', iso, '--memory', '1024'], [{ wait: 'Select a language', timeout: 480 }]);
      expect(result, result.stderr).toMatchObject({ code: 0 });
    }, 10 * MINUTES);

    const dos = shared('guests/freedos-1.4MB.img');
    it.skipIf(dos === undefined)('FreeDOS answers dir (skipped without the collected guests)', async () => {
      const result = await run(['--firmware', firmware.path, '--floppy', ownCopy(dos ?? ''), '--memory', '16'], [{ wait: 'A:\\\\>', timeout: 120 }, { type: 'dir\n' }, { wait: 'bytes free', timeout: 60 }]);
      expect(result, result.stderr).toMatchObject({ code: 0 });
    });
  });
}

describe('UEFI', () => {
  it.skipIf(OVMF === undefined)('OVMF reaches its shell or boot manager (skipped without the ovmf package)', async () => {
    const result = await run(['--firmware', OVMF ?? '', '--memory', '256'], [{ wait: 'Shell>|UEFI Interactive Shell|Boot Manager|startup\\.nsh', timeout: 480 }]);
    expect(result, result.stderr).toMatchObject({ code: 0 });
  }, 10 * MINUTES);

  it.skipIf(OVMF === undefined || kernel === undefined || program === undefined)('OVMF starts a kernel given with the machine (skipped without the ovmf package or Debian packages)', async () => {
    const initrd = join(temporaryFolder(), 'initrd.gz');
    writeFileSync(initrd, busyboxInitrd(program ?? new Uint8Array(), 'test -d /sys/firmware/efi && echo UEFI AND INITRD; exec sh'));
    const result = await run(['--firmware', OVMF ?? '', '--kernel', kernel ?? '', '--initrd', initrd, '--append', 'console=ttyS0', '--memory', '256'], [{ wait: '^UEFI AND INITRD', timeout: 480 }]);
    expect(result, result.stderr).toMatchObject({ code: 0 });
  }, 10 * MINUTES);
});
