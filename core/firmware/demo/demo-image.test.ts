import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildDemoImage } from './demo-image.ts';

const image = buildDemoImage();
const text = (from: number, length: number): string => String.fromCharCode(...image.subarray(from, from + length));

describe('demo image', () => {
  it('is a bootable 1.44M floppy with a file system', () => {
    const view = new DataView(image.buffer);
    expect(image.length).toBe(1474560);
    expect([image[510], image[511]]).toEqual([0x55, 0xaa]);
    expect([view.getUint16(11, true), view.getUint16(14, true), view.getUint16(19, true)]).toEqual([512, 64, 2880]);
    const table = 64 * 512;
    expect([...image.subarray(table, table + 3)]).toEqual([0xf0, 0xff, 0xff]);
    const root = (64 + 18) * 512;
    expect(text(root + 32, 11)).toBe('README  TXT');
    expect(text(root + 14 * 512, 9)).toBe('This disk');
    expect(new Set(image.subarray(512, 1024)).size).toBeGreaterThan(20);
  });

  it('is the same every time', () => {
    expect(Buffer.compare(image, buildDemoImage())).toBe(0);
  });

  const missing = spawnSync('mdir', ['--version']).status === 0 ? '' : ' (skipped: mtools is not installed)';
  it.skipIf(missing !== '')(`reads with mtools${missing}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'nestbox-demo-'));
    try {
      writeFileSync(join(folder, 'a.img'), image);
      const result = spawnSync('mdir', ['-i', join(folder, 'a.img'), '-b'], { encoding: 'utf8' });
      expect(result.stdout).toContain('README.TXT');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

const noQemu = spawnSync('qemu-system-x86_64', ['--version']).status === 0 ? '' : ' (skipped: QEMU is not installed)';
describe.skipIf(noQemu !== '')(`on QEMU with SeaBIOS${noQemu}`, () => {
  /** Boots the image, answers `reply` when it is ready, and gives all serial output when QEMU ends or `until` appears. */
  async function boot(extra: string[], until: string, reply = ''): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'nestbox-demo-'));
    const path = join(folder, 'demo.img');
    writeFileSync(path, image);
    const child = spawn('qemu-system-x86_64', [
      ...['-accel', 'tcg', '-display', 'none', '-serial', 'stdio', '-no-reboot', '-boot', 'menu=off'],
      ...extra.map((part) => part.replace('IMAGE', path)),
    ]);
    let output = '';
    try {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 40_000);
        const done = (): void => {
          clearTimeout(timer);
          resolve();
        };
        child.stdout.on('data', (data: Buffer) => {
          const wasReady = output.includes('READY');
          output += data.toString('latin1');
          if (!wasReady && output.includes('READY') && reply !== '') child.stdin.write(reply);
          if (until !== '' && output.includes(until)) done();
        });
        child.on('close', done);
      });
    } finally {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
    return output;
  }

  it('passes all checks and powers off by ACPI', async () => {
    const output = await boot(['-m', '24', '-drive', 'if=floppy,format=raw,file=IMAGE'], '', 's');
    const lines = output.split('\r\n');
    expect(lines).toContain('NESTBOX DEMO READY');
    expect(
      lines.filter((line) => line.startsWith('check: ')).map((line) => /^check: (\w+).*: passed$/.exec(line)?.[1]),
    ).toEqual(['modes', 'exceptions', 'arithmetic', 'timers', 'memory', 'speed']);
    expect(lines).toContain('disk: Floppy 00h 1,440 KB 80/2/18 boot');
    expect(output).toContain('check: modes real, protected, long: passed');
    expect(output).toContain('check: memory 22 MB');
    expect(lines).toContain('NESTBOX DEMO OFF');
    expect(output).not.toContain('no ACPI power off');
  }, 60_000);

  it('boots from a hard disk on a processor without long mode', async () => {
    const output = await boot(['-m', '8', '-cpu', 'pentium', '-drive', 'if=ide,format=raw,file=IMAGE'], 'READY');
    expect(output).toContain('check: modes real, protected (no long mode): passed');
    expect(output).toContain('NESTBOX DEMO READY');
    expect(output).toMatch(/disk: Disk {3}80h 1,440 KB .* boot/);
  }, 60_000);
});
