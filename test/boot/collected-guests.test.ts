// Every collected guest with a text screen boots to what its manifest line says, by the built-in BIOS and by SeaBIOS. The
// guests that draw are in guest-pictures.test.ts.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIRMWARES } from '../support/firmwares.ts';
import { NO_SHARED, ownCopy, shared } from '../support/guests.ts';
import { nestbox, temporaryFolder } from '../support/nestbox.ts';

type Step = Record<string, unknown>;

/** Long enough for a busy machine; a guest that works never comes near it. */
const LIMIT = 240;

function guest(name: string): string {
  const path = shared(`guests/${name}`);
  if (path === undefined) throw new Error(`${name} is missing`);
  return ownCopy(path);
}

/** Runs `nestbox run` through a script of steps. */
async function expectSteps(args: readonly string[], steps: readonly Step[]): Promise<void> {
  const script = join(temporaryFolder(), 'script.json');
  writeFileSync(script, JSON.stringify(steps.map((step) => ('wait' in step ? { timeout: LIMIT, ...step } : step))));
  const result = await nestbox(['run', ...args, '--script', script, '--timeout', String(LIMIT)]);
  expect(result, result.stderr).toMatchObject({ code: 0 });
}

const down = (times: number): Step[] => new Array<Step>(times).fill({ key: 'down' });
/** HDT's menus: PCI, memory, processor, VESA and ACPI are found. */
const HARDWARE: readonly Step[] = [
  { wait: 'PCI Devices\\( 5\\)[\\s\\S]*< Exit' },
  ...[...down(1), { key: 'ret' }, { wait: '64 MB detected' }, { key: 'left' }],
  ...[...down(1), { key: 'ret' }, { wait: 'Nestbox Virtual CPU[\\s\\S]*x86_64    : Yes' }, { key: 'left' }],
  ...[...down(4), { key: 'ret' }, { wait: 'Modes \\(\\d\\d\\)' }, { key: 'left' }],
  ...[...down(1), { key: 'ret' }, { wait: 'Tables  >' }, { key: 'ret' }, { wait: 'FACP|FADT' }],
];

const available = shared('guests/MANIFEST.md') !== undefined;

describe.skipIf(!available)(available ? 'collected guests' : `collected guests (${NO_SHARED})`, () => {
  for (const firmware of FIRMWARES) {
    describe.skipIf(firmware.missing)(firmware.name, () => {
      const machine = (memoryMib: number): string[] => ['--firmware', firmware.path, '--memory', String(Math.max(memoryMib, firmware.leastMemoryMib))];

      it.each(['freedos-160K.img', 'freedos-720K.img', 'freedos-1200K.img', 'freedos-1.4MB.img'])('%s boots to its prompt and answers dir', async (image) => {
        await expectSteps([...machine(16), '--floppy', guest(image)], [{ wait: 'A:\\\\>' }, { type: 'dir\n' }, { wait: 'bytes free' }]);
      });

      it('mikeos.img shows its box and a command line', async () => {
        await expectSteps([...machine(1), '--floppy', guest('mikeos.img')], [
          { wait: 'Thanks for trying out MikeOS!' },
          { key: 'right' },
          { key: 'ret' },
          { wait: '^> ?$' },
          { type: 'VER\n' },
          { wait: 'MikeOS 4\\.5' },
        ]);
      });

      it('mikeos.iso boots from CD by floppy emulation', async () => {
        await expectSteps([...machine(1), '--cdrom', guest('mikeos.iso')], [{ wait: 'Thanks for trying out MikeOS!' }]);
      });

      it('bootos-all-360k.img lists its programs', async () => {
        await expectSteps([...machine(1), '--floppy', guest('bootos-all-360k.img')], [{ wait: 'bootOS[\\s\\S]*\\$' }, { type: 'dir\n' }, { wait: 'fbird[\\s\\S]*rogue' }]);
      });

      it('bootbasic.img runs a program', async () => {
        await expectSteps([...machine(1), '--floppy', guest('bootbasic.img')], [{ wait: '^>' }, { type: '10 print 6*7\n' }, { type: 'run\n' }, { wait: '^42' }]);
      });

      it('sectorlisp.img evaluates an expression', async () => {
        // It shows nothing before it is asked: the echo of the first character tells that it runs.
        await expectSteps([...machine(1), '--floppy', guest('sectorlisp.img')], [{ wait: firmware.bootsFloppy }, { type: '(' }, { wait: '^\\(' }, { type: 'CAR (QUOTE (A B)))\n' }, { wait: '^A$' }]);
      });

      it('isolinux-hdt.iso shows its menu; a RAM floppy starts, the hardware tool lists what there is', async () => {
        const menu = [{ wait: 'Automatic boot in' }, { key: 'down' }] as const;
        await expectSteps([...machine(64), '--cdrom', guest('isolinux-hdt.iso')], [...menu, { key: 'ret' }, { wait: 'A:\\\\>' }]);
        await expectSteps([...machine(64), '--cdrom', guest('isolinux-hdt.iso')], [...menu, { key: 'up' }, { key: 'ret' }, ...HARDWARE]);
      });

      it('floppinux-0.2.2.img boots a 32-bit Linux to its menu', async () => {
        await expectSteps([...machine(64), '--floppy', guest('floppinux-0.2.2.img')], [{ wait: 'COMMAND.PROMPT' }]);
      });
    });
  }

  it('slitaz-bzImage64 boots directly', async () => {
    await expectSteps(['--kernel', guest('slitaz-bzImage64'), '--append', 'console=ttyS0 earlyprintk=ttyS0', '--memory', '256'], [{ wait: 'Linux version' }]);
  });
});
