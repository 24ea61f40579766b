// `nestbox disk` as a user runs it, compared with qemu-img.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasQemuImg, qemuCheck, qemuImgOk, qemuInfo } from './qemu-img.ts';

const MAIN = fileURLToPath(new URL('../../core/cli/main.ts', import.meta.url));
let folder = '';
let data = new Uint8Array(0);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestbox-disk-'));
  data = new Uint8Array(2 ** 20).map((_, at) => (at < 300_000 ? at % 251 : 0));
  writeFileSync(join(folder, 'data.raw'), data);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function disk(...args: string[]): { code: number | null; out: string; err: string } {
  const result = spawnSync(process.execPath, [MAIN, 'disk', ...args], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 50_000,
  });
  return { code: result.status, out: result.stdout, err: result.stderr };
}

/** `nestbox disk info` and `qemu-img info` say the same of a qcow2 image. */
function expectSameInfo(name: string): void {
  if (!hasQemuImg) return;
  const ours = JSON.parse(disk('info', name, '--format', 'qcow2', '--json').out) as unknown;
  expect(ours).toEqual({ ...qemuInfo(join(folder, name)), path: name });
}

describe('nestbox disk', () => {
  it('creates, shows, resizes and checks', () => {
    expect(disk('create', 'a.qcow2', '1G', '--cluster-size', '4K')).toEqual({ code: 0, out: '', err: '' });
    expect(disk('create', 'a.qcow2', '1G')).toMatchObject({
      code: 2,
      err: 'nestbox: a.qcow2: the file exists already\n',
    });
    expect(disk('resize', 'a.qcow2', '2G', '--format', 'qcow2').code).toBe(0);
    expect(disk('resize', 'a.qcow2', '1G', '--format', 'qcow2')).toMatchObject({ code: 2 });
    const info = JSON.parse(disk('info', 'a.qcow2', '--json').out) as Record<string, unknown>;
    expect(info).toMatchObject({
      format: 'qcow2',
      virtualBytes: 2 ** 31,
      qcow2: { version: 3, clusterBytes: 4096, refcountBits: 16 },
    });
    expect(disk('check', 'a.qcow2')).toMatchObject({ code: 0, err: expect.stringMatching(/\b100 %\n$/) as string });
    if (hasQemuImg) {
      expectSameInfo('a.qcow2');
      expect(qemuCheck(join(folder, 'a.qcow2')).corruptions ?? 0).toBe(0);
    }
  });

  it('converts there and back, compressed and not, and compacts', () => {
    for (const [index, more] of [[], ['-c'], ['-c', '--compression-type', 'zstd'], ['--compat', '2', '-c']].entries()) {
      const image = `c${index}.qcow2`;
      const made = disk('convert', 'data.raw', image, '--from', 'raw', '--to', 'qcow2', ...more);
      expect([made.code, made.out]).toEqual([0, '']);
      expect(made.err).toMatch(/100 %/);
      if (hasQemuImg) qemuImgOk('compare', '-f', 'raw', '-F', 'qcow2', join(folder, 'data.raw'), join(folder, image));
      expectSameInfo(image);
      expect(disk('compact', image, '--format', 'qcow2').code).toBe(0);
      expectSameInfo(image);
      expect(disk('check', image).code).toBe(0);
      expect(disk('convert', image, 'back.raw', '--to', 'raw', '--force').code).toBe(0);
      expect(Buffer.compare(readFileSync(join(folder, 'back.raw')), data)).toBe(0);
    }
    expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('makes linked clones and follows backing files only in the same folder and when told to', () => {
    expect(disk('create', 'clone.qcow2', '--backing', 'data.raw', '--backing-format', 'raw').code).toBe(0);
    expect(disk('convert', 'clone.qcow2', 'x.raw', '--to', 'raw')).toMatchObject({ code: 2 });
    expect(disk('convert', 'clone.qcow2', 'x.raw', '--to', 'raw', '--follow-backing').code).toBe(0);
    expect(Buffer.compare(readFileSync(join(folder, 'x.raw')), data)).toBe(0);
    const thief = disk('create', 'thief.qcow2', '1M', '--backing', '/etc/hostname', '--backing-format', 'raw');
    expect([thief.code, /same folder/.test(thief.err)]).toEqual([2, true]);
  });

  it.each(['raw', 'qcow2'])('commits an overlay to its %s backing file', (format) => {
    const base = `base-${format}.img`;
    expect(disk('convert', 'data.raw', base, '--from', 'raw', '--to', format).code).toBe(0);
    const made = disk('create', `over-${format}.qcow2`, '2M', '--backing', base, '--backing-format', format);
    expect(made).toMatchObject({ code: 0 });
    const path = join(folder, `over-${format}.qcow2`);
    if (!hasQemuImg) return;
    const io = spawnSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 9 1000k 200k', '-c', 'write -z 0 128k', path]);
    expect(io.status).toBe(0);
    qemuImgOk('convert', '-f', 'qcow2', '-O', 'raw', path, join(folder, 'wanted.raw'));
    expect(disk('commit', `over-${format}.qcow2`)).toMatchObject({ code: 0, out: '' });
    qemuImgOk('compare', '-f', 'raw', '-F', format, join(folder, 'wanted.raw'), join(folder, base));
    qemuImgOk('compare', '-f', 'raw', '-F', 'qcow2', join(folder, 'wanted.raw'), path);
    expect(qemuCheck(path)['allocated-clusters'] ?? 0).toBe(0);
    expect(disk('commit', base)).toMatchObject({ code: 2 });
  });

  it('finds damage, repairs it and says so with its exit code', () => {
    const path = join(folder, 'broken.qcow2');
    expect(disk('convert', 'data.raw', 'broken.qcow2', '--from', 'raw', '--to', 'qcow2').code).toBe(0);
    const bytes = readFileSync(path);
    bytes.fill(0, 2 * 65_536 + 4, 2 * 65_536 + 12);
    writeFileSync(path, bytes);
    const found = disk('check', 'broken.qcow2', '--json');
    expect(found.code).toBe(1);
    const report = JSON.parse(found.out) as { corruptions: number };
    expect(report.corruptions).toBeGreaterThan(0);
    if (hasQemuImg) expect(qemuCheck(path).corruptions).toBe(report.corruptions);
    expect(disk('check', 'broken.qcow2', '--repair', 'all')).toMatchObject({ code: 0, err: expect.stringMatching(/\b100 %\n$/) as string });
    if (hasQemuImg) {
      expect(qemuCheck(path)).toMatchObject({ 'check-errors': 0 });
      expect(qemuCheck(path).leaks ?? 0).toBe(0);
      qemuImgOk('compare', '-f', 'raw', '-F', 'qcow2', join(folder, 'data.raw'), path);
    }
  });

  it('keeps snapshots inside an image', () => {
    expect(disk('convert', 'data.raw', 'snap.qcow2', '--from', 'raw', '--to', 'qcow2').code).toBe(0);
    expect(disk('snapshot', 'create', 'snap.qcow2', 'first one')).toMatchObject({ code: 0, out: '', err: '' });
    expect(disk('snapshot', 'create', 'snap.qcow2', 'first one')).toMatchObject({ code: 2 });
    const list = JSON.parse(disk('snapshot', 'list', 'snap.qcow2', '--json').out) as { id: string; name: string }[];
    expect(list).toMatchObject([{ id: '1', name: 'first one' }]);
    expectSameInfo('snap.qcow2');
    if (hasQemuImg) {
      spawnSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 9 0 200k', join(folder, 'snap.qcow2')]);
      expect(disk('snapshot', 'apply', 'snap.qcow2', '1').code).toBe(0);
      qemuImgOk('compare', '-f', 'raw', '-F', 'qcow2', join(folder, 'data.raw'), join(folder, 'snap.qcow2'));
    }
    expect(disk('snapshot', 'delete', 'snap.qcow2', 'first one').code).toBe(0);
    expect(disk('snapshot', 'delete', 'snap.qcow2', 'first one')).toMatchObject({ code: 2 });
    expect(disk('check', 'snap.qcow2').code).toBe(0);
  });

  it('clones, linked and in full', () => {
    expect(disk('clone', 'data.raw', 'linked.qcow2', '--format', 'raw')).toMatchObject({ code: 0 });
    expect(disk('clone', 'linked.qcow2', 'full.qcow2', '--format', 'qcow2', '--full').code).toBe(0);
    expectSameInfo('linked.qcow2');
    expectSameInfo('full.qcow2');
    const info = JSON.parse(disk('info', 'full.qcow2', '--json').out) as { qcow2: Record<string, unknown> };
    expect(info.qcow2.backingName).toBeUndefined();
    if (hasQemuImg)
      qemuImgOk('compare', '-f', 'raw', '-F', 'qcow2', join(folder, 'data.raw'), join(folder, 'full.qcow2'));
  });

  /** Presses Ctrl-C at the first sign of progress. */
  async function interrupted(...args: string[]): Promise<readonly [unknown, string]> {
    const child = spawn(process.execPath, [MAIN, 'disk', ...args], { cwd: folder });
    let err = '';
    let asked = false;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
      if (asked) return;
      asked = true;
      child.kill('SIGINT');
    });
    return [await new Promise((resolve) => child.once('close', resolve)), err];
  }

  it('stops at Ctrl-C and leaves nothing behind', async () => {
    const big = new Uint8Array(48 * 2 ** 20);
    for (let at = 0; at < big.length; at += 65_536) crypto.getRandomValues(big.subarray(at, at + 65_536));
    writeFileSync(join(folder, 'big.raw'), big);
    expect(await interrupted('convert', 'big.raw', 'half.qcow2', '--from', 'raw', '--to', 'qcow2', '-c')).toEqual([1, expect.stringContaining('nestbox: Cancelled')]);
    expect(readdirSync(folder).filter((name) => name.startsWith('half'))).toEqual([]);
    rmSync(join(folder, 'big.raw'));
  });

  it.each([
    [['info', 'none.qcow2'], 'no such file'],
    [['create', 'b.qcow2', 'much'], 'expected bytes'],
    [['create', 'b.qcow2', '1G', '--cluster-size', '1000'], 'power of two'],
    [['create', 'b.qcow2', '1G', '--refcount-bits', '3'], 'Refcount width'],
    [['resize', 'data.raw', '2M', '--format', 'qcow2'], 'is not a qcow2'],
    [['check', 'data.raw'], 'is not a qcow2'],
    [['convert', 'data.raw', 'y', '--to', 'vmdk'], 'expected raw or qcow2'],
  ])('refuses %j in one line', (args, text) => {
    const result = disk(...args);
    expect([result.code, result.out]).toEqual([2, '']);
    expect(result.err).toContain(text);
    expect(result.err.trim().split('\n')).toHaveLength(1);
  });
});
