// Every collected guest image boots to what its manifest line says: text on the screen, or the same picture as QEMU shows.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NO_SHARED, shared } from '../support/guests.ts';
import { colours, readPng, resize, similarity } from '../support/images.ts';
import { type CommandResult, nestbox, temporaryFolder } from '../support/nestbox.ts';
import { NO_QEMU, hasQemu, qemuScreen } from '../support/qemu.ts';

type Step = Record<string, unknown>;

const available = shared('guests/MANIFEST.md') !== undefined;
const suite = available ? describe : describe.skip;

function guest(name: string): string {
  const path = shared(`guests/${name}`);
  if (path === undefined) throw new Error(`${name} is missing`);
  return path;
}

/** Runs `nestbox run` with a script of steps; --disk/--floppy writes are not at stake: floppies are opened as copies. */
async function runScript(args: readonly string[], steps: readonly Step[], folder = temporaryFolder()): Promise<CommandResult> {
  const script = join(folder, 'script.json');
  writeFileSync(script, JSON.stringify(steps));
  return nestbox(['run', ...args, '--script', script, '--screenshot', join(folder, 'end.png')]);
}

function expectSuccess(result: CommandResult): void {
  expect(result, result.stderr).toMatchObject({ code: 0 });
}

suite(available ? 'collected guests' : `collected guests (${NO_SHARED})`, () => {
  it.each(['freedos-160K.img', 'freedos-720K.img', 'freedos-1200K.img', 'freedos-1.4MB.img'])('%s boots to its prompt and answers dir', async (image) => {
    const folder = temporaryFolder();
    const text = join(folder, 'screen.txt');
    expectSuccess(
      await runScript(['--floppy', guest(image), '--memory', '16', '--timeout', '100'], [
        { wait: 'A:\\\\>', timeout: 90 },
        { type: 'dir\n' },
        { wait: 'bytes free', timeout: 30 },
        { screenText: text },
      ], folder),
    );
  });

  it('mikeos.img shows its box and a command line', async () => {
    expectSuccess(
      await runScript(['--floppy', guest('mikeos.img'), '--memory', '4', '--timeout', '100'], [
        { wait: 'Thanks for trying out MikeOS!', timeout: 60 },
        { key: 'right' },
        { key: 'ret' },
        { wait: '^> ?$', timeout: 30 },
        { type: 'VER\n' },
        { wait: 'MikeOS 4\\.5', timeout: 30 },
      ]),
    );
  });

  it('mikeos.iso boots from CD by floppy emulation', async () => {
    expectSuccess(await runScript(['--cdrom', guest('mikeos.iso'), '--memory', '4', '--timeout', '100'], [{ wait: 'Thanks for trying out MikeOS!', timeout: 60 }]));
  });

  it('bootos-all-360k.img lists its programs', async () => {
    expectSuccess(
      await runScript(['--floppy', guest('bootos-all-360k.img'), '--memory', '1', '--timeout', '100'], [
        { wait: 'bootOS[\\s\\S]*\\$', timeout: 60 },
        { type: 'dir\n' },
        { wait: 'fbird[\\s\\S]*rogue', timeout: 30 },
      ]),
    );
  });

  it('bootbasic.img runs a program', async () => {
    expectSuccess(
      await runScript(['--floppy', guest('bootbasic.img'), '--memory', '1', '--timeout', '100'], [
        { wait: '>', timeout: 60 },
        { type: '10 print 6*7\n' },
        { type: 'run\n' },
        { wait: '42', timeout: 30 },
      ]),
    );
  });

  it('sectorlisp.img evaluates an expression', async () => {
    const steps: Step[] = [{ sleep: 2 }];
    for (const character of '(CAR (QUOTE (A B)))') steps.push({ type: character }, { sleep: 0.1 });
    expectSuccess(await runScript(['--floppy', guest('sectorlisp.img'), '--memory', '1', '--timeout', '100'], [...steps, { type: '\n' }, { wait: '^A$', timeout: 30 }]));
  });

  it('isolinux-hdt.iso shows its menu; the hardware tool and a RAM floppy start', async () => {
    expectSuccess(
      await runScript(['--cdrom', guest('isolinux-hdt.iso'), '--memory', '64', '--timeout', '240'], [
        { wait: 'Automatic boot in', timeout: 90 },
        { key: 'down' },
        { key: 'ret' },
        { wait: 'A:\\\\>', timeout: 120 },
      ]),
    );
  });

  it('floppinux-0.2.2.img boots a 32-bit Linux to its menu', async () => {
    expectSuccess(await runScript(['--floppy', guest('floppinux-0.2.2.img'), '--memory', '64', '--timeout', '240'], [{ wait: 'COMMAND.PROMPT', timeout: 220 }]));
  });

  it('slitaz-bzImage64 boots directly', async () => {
    expectSuccess(await runScript(['--kernel', guest('slitaz-bzImage64'), '--append', 'console=ttyS0 earlyprintk=ttyS0', '--memory', '256', '--timeout', '240'], [{ wait: 'Linux version', timeout: 200 }]));
  });
});

const pictures = available && hasQemu() ? describe : describe.skip;
pictures(available ? (hasQemu() ? 'pictures equal to QEMU' : `pictures equal to QEMU (${NO_QEMU})`) : `pictures equal to QEMU (${NO_SHARED})`, () => {
  it('raytracer.img draws the same picture with the x87', async () => {
    const folder = temporaryFolder();
    expectSuccess(await runScript(['--floppy', guest('raytracer.img'), '--memory', '1', '--timeout', '100'], [{ sleep: 15 }], folder));
    const ours = readPng(join(folder, 'end.png'));
    const theirs = await qemuScreen(['-m', '16', '-drive', `if=floppy,format=raw,file=${guest('raytracer.img')}`], 12, folder);
    // The camera drifts, so the two pictures are not of the same instant.
    expect(similarity(resize(ours, 320, 200), resize(theirs, 320, 200))).toBeGreaterThan(0.75);
    expect(colours(ours)).toBeGreaterThan(20);
  });

  it('floppybird.img shows its first scene', async () => {
    const folder = temporaryFolder();
    expectSuccess(await runScript(['--floppy', guest('floppybird.img'), '--memory', '1', '--timeout', '100'], [{ sleep: 6 }], folder));
    const ours = readPng(join(folder, 'end.png'));
    const theirs = await qemuScreen(['-m', '16', '-drive', `if=floppy,format=raw,file=${guest('floppybird.img')}`], 6, folder);
    expect(colours(ours)).toBeGreaterThan(8);
    // The bird and the ground move; the sky, the skyline and the score do not.
    expect(similarity(resize(ours, 320, 200), resize(theirs, 320, 200))).toBeGreaterThan(0.85);
  });

  it('tetros.img shows its pit and pieces', async () => {
    const folder = temporaryFolder();
    expectSuccess(await runScript(['--floppy', guest('tetros.img'), '--memory', '1', '--timeout', '100'], [{ sleep: 4 }], folder));
    const ours = readPng(join(folder, 'end.png'));
    const theirs = await qemuScreen(['-m', '16', '-drive', `if=floppy,format=raw,file=${guest('tetros.img')}`], 4, folder);
    expect(colours(ours)).toBeGreaterThan(2);
    expect(similarity(resize(ours, 360, 200), resize(theirs, 360, 200))).toBeGreaterThan(0.9);
  });

  it('kolibri-2020.img reaches its desktop', async () => {
    const folder = temporaryFolder();
    expectSuccess(await runScript(['--floppy', guest('kolibri-2020.img'), '--memory', '64', '--timeout', '200'], [{ sleep: 60 }], folder));
    const ours = readPng(join(folder, 'end.png'));
    const theirs = await qemuScreen(['-m', '64', '-drive', `if=floppy,format=raw,file=${guest('kolibri-2020.img')}`], 45, folder);
    expect(colours(ours)).toBeGreaterThan(100);
    expect([ours.width, ours.height]).toEqual([theirs.width, theirs.height]);
    expect(similarity(ours, theirs, 16)).toBeGreaterThan(0.7);
  });
});
