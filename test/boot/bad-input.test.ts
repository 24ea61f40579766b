// Bad input: one clear line, exit code 2, no stack trace, the file untouched. Guests that fail: a report and exit code 1.

import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodePng } from '../../core/display/png.ts';
import { floppyWith } from '../support/boot-sector.ts';
import { type CommandResult, nestbox, temporaryFolder } from '../support/nestbox.ts';

function expectRefusal(result: CommandResult, message: RegExp): void {
  expect(result.code, result.stderr).toBe(2);
  const lines = result.stderr.trim().split('\n');
  expect(lines, result.stderr).toHaveLength(1);
  expect(lines[0]).toMatch(message);
  expect(result.stderr).not.toMatch(/\bat .*:\d+:\d+|node:internal/);
  expect(result.stdout).toBe('');
}

const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('bad media', () => {
  it.each(['--floppy', '--cdrom', '--disk'])('%s: missing, empty, directory', async (option) => {
    const folder = temporaryFolder();
    expectRefusal(await nestbox(['run', option, join(folder, 'nothing.img')]), /nothing\.img.*(does not exist|not found|no such)/i);
    writeFileSync(join(folder, 'empty.img'), '');
    expectRefusal(await nestbox(['run', option, join(folder, 'empty.img')]), /empty\.img.*empty/);
    mkdirSync(join(folder, 'dir.img'));
    expectRefusal(await nestbox(['run', option, join(folder, 'dir.img')]), /dir\.img.*(directory|folder)/);
  });

  it('refuses files of the wrong type and leaves them as they are', async () => {
    const folder = temporaryFolder();
    const png = join(folder, 'picture.iso');
    writeFileSync(png, encodePng({ width: 100, height: 100, pixels: new Uint8Array(40_000).fill(200) }));
    const before = hashOf(png);
    expectRefusal(await nestbox(['run', '--cdrom', png]), /picture\.iso.*PNG/);
    expect(hashOf(png)).toBe(before);
    const text = join(folder, 'notes.img');
    writeFileSync(text, 'just some notes\n'.repeat(300));
    expectRefusal(await nestbox(['run', '--disk', text]), /notes\.img/);
  });

  it.skipIf(process.getuid?.() === 0)('refuses a file it may not read (skipped: root may read everything)', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'secret.img');
    writeFileSync(path, new Uint8Array(1_474_560));
    chmodSync(path, 0);
    expectRefusal(await nestbox(['run', '--floppy', path]), /secret\.img.*permission/);
  });

  it('tells an image that changes size while it is in use', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'shrinks.img');
    writeFileSync(path, floppyWith('mov dx, 0x3f8\nmov al, "R"\nout dx, al\nagain: mov ax, 0x0201\nmov bx, 0x8000\nmov cx, 0x0101\nmov dx, 0x0100\nint 0x13\njmp again\n'));
    const serial = join(folder, 'serial.txt');
    const running = nestbox(['run', '--floppy', path, '--memory', '4', '--timeout', '60', '--serial', `file:${serial}`]);
    // The guest tells when it runs, and so when the image is open.
    while (!existsSync(serial) || statSync(serial).size === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    truncateSync(path, 4096);
    const result = await running;
    expectRefusal(result, /shrinks\.img.*changed size/);
  }, 90_000);
});

describe('bad kernels', () => {
  it('refuses what is no kernel', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'vmlinuz');
    writeFileSync(path, new Uint8Array(100_000).fill(7));
    expectRefusal(await nestbox(['run', '--kernel', path]), /vmlinuz.*is not a kernel/);
    expectRefusal(await nestbox(['run', '--kernel', join(folder, 'gone')]), /gone.*does not exist/);
    expectRefusal(await nestbox(['run', '--kernel', folder]), /directory/);
  });

  it('refuses firmware that is none', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'bios.bin');
    writeFileSync(path, new Uint8Array(1000));
    expectRefusal(await nestbox(['run', '--firmware', path]), /bios\.bin.*1000 bytes/);
    expectRefusal(await nestbox(['run', '--firmware', join(folder, 'none.bin')]), /none\.bin.*does not exist/);
  });
});

describe('bad options', () => {
  it.each([
    [['--memory', '0'], /--memory 0/],
    [['--memory=-1'], /--memory -1/],
    [['--memory', '9999999'], /--memory 9999999: this host has/],
    [['--bogus'], /unknown option '--bogus'/],
    [['--mode', 'paravirt'], /--mode paravirt: .*not landed/],
    [['--expect', '('], /--expect/],
    [['--serial', 'tcp:1'], /--serial tcp:1/],
    [['extra'], /too many arguments|extra/],
  ] as [string[], RegExp][])('%j', async (options, message) => {
    expectRefusal(await nestbox(['run', ...options]), message);
  });

  it('refuses a broken script before anything starts', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'script.json');
    writeFileSync(path, '[{"wait":"x"},{"walk":1}]');
    expectRefusal(await nestbox(['run', '--script', path]), /script\.json, step 2/);
    expectRefusal(await nestbox(['run', '--script', join(folder, 'none.json')]), /none\.json cannot be read/);
  });

  it('refuses an unknown command', async () => {
    expectRefusal(await nestbox(['fly']), /unknown command 'fly'/);
  });
});

describe('guests that fail', () => {
  const boot = async (source: string, ...extra: string[]): Promise<CommandResult> => {
    const path = join(temporaryFolder(), 'boot.img');
    writeFileSync(path, floppyWith(source));
    return nestbox(['run', '--floppy', path, '--memory', '4', '--timeout', '20', ...extra]);
  };

  it('reports a triple fault with registers and the last exceptions', async () => {
    const result = await boot('cli\nlidt [table]\nmov eax, cr0\nor al, 1\nmov cr0, eax\nmov eax, 0x12345678\nud2\nalign 4\ntable: dw 7\ndd 0x9000\n');
    expect(result.code, result.stderr).toBe(1);
    expect(result.stderr).toMatch(/triple fault at CS:RIP 0000:0*7c/);
    expect(result.stderr).toMatch(/12345678/);
    expect(result.stderr).toMatch(/#6 /);
  });

  it('survives a guest that writes to ROM and to nowhere', async () => {
    const result = await boot(
      'mov ax, 0xf000\nmov ds, ax\nmov word [0xfff0], 0x1234\nmov al, [0xfff0]\nmov bx, 0xb800\nmov es, bx\ncmp al, 0x34\nmov byte [es:0], "R"\nmov byte [es:2], "O"\nmov byte [es:4], "M"\nje bad\nmov byte [es:6], "!"\nbad: hlt\njmp bad\n',
      '--expect',
      'ROM!',
    );
    expect(result.code, result.stderr).toBe(0);
  });

  it('ends a run at its time limit with code 124', async () => {
    const path = join(temporaryFolder(), 'boot.img');
    writeFileSync(path, floppyWith('jmp $\n'));
    const result = await nestbox(['run', '--floppy', path, '--memory', '4', '--timeout', '2']);
    expect(result.code).toBe(124);
    expect(result.stderr).toMatch(/time limit of 2 s/);
  });
});
