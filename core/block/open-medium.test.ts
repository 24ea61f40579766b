import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NestboxError } from '../base/errors.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import { createQcow2 } from './qcow2/create-qcow2.ts';
import { openMedium, type OpenMediumOptions } from './open-medium.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestbox-media-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** The error's one line; the file must stay as it was. */
async function refusal(path: string, options: OpenMediumOptions): Promise<string> {
  const digest = (): string | undefined =>
    existsSync(path) && spawnSync('test', ['-f', path]).status === 0
      ? createHash('sha1').update(readFileSync(path)).digest('hex')
      : undefined;
  const before = digest();
  try {
    const medium = await openMedium(path, options);
    await medium.device.close();
  } catch (error) {
    expect(error).toBeInstanceOf(NestboxError);
    expect((error as NestboxError).kind).toBe('bad-input');
    const text = (error as NestboxError).message;
    expect(text).toContain(path);
    expect(text).not.toContain('\n');
    expect(digest()).toBe(before);
    return text;
  }
  throw new Error('was not refused');
}

const bootSector = (): Uint8Array => {
  const sector = new Uint8Array(512);
  sector.set([0xeb, 0x3c, 0x90]);
  sector.set([0x55, 0xaa], 510);
  return sector;
};

describe('openMedium refuses', () => {
  it('what is no regular file', async () => {
    expect(await refusal(join(folder, 'none.img'), { kind: 'disk' })).toContain('no such file');
    expect(await refusal(join(folder), { kind: 'cdrom' })).toContain('is a folder');
    expect(await refusal('/dev/null', { kind: 'disk' })).toContain('is a device');
    const pipe = join(folder, 'pipe');
    spawnSync('mkfifo', [pipe]);
    expect(await refusal(pipe, { kind: 'floppy' })).toContain('not a regular file');
    expect(await refusal(put('sub', 'x') + '/disk.img', { kind: 'disk' })).toContain('not a folder');
  });

  it('an empty file', async () => {
    expect(await refusal(put('empty.img', ''), { kind: 'disk', format: 'raw' })).toContain('is empty');
  });

  it('a file that may not be read or written', async () => {
    const path = put('secret.img', new Uint8Array(4096));
    const files = {
      ...nodeHostFiles,
      status: (name: string) => nodeHostFiles.status(name),
      open: async (name: string, options: { readOnly: boolean }) => {
        if (!options.readOnly || name.includes('secret'))
          throw new NestboxError('permission', `${name}: permission denied`);
        return nodeHostFiles.open(name, options);
      },
    };
    expect(await refusal(path, { kind: 'disk', readOnly: true, files })).toContain('permission denied');
    const text = await refusal(put('readonly.img', new Uint8Array(4096)), { kind: 'disk', files });
    expect(text).toContain('readonly');
    const floppy = await openMedium(put('notch.img', bootSector()), { kind: 'floppy', files });
    expect(floppy.device.readOnly).toBe(true);
    expect(floppy.notes.join()).toContain('write-protected');
    await floppy.device.close();
  });

  it.each([
    ['picture.iso', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13), 'a PNG picture'],
    ['notes.img', 'just some text\n'.repeat(100), 'a text file'],
    ['disk.qcow2', Uint8Array.of(0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3), 'a qcow2 disk image'],
    ['image.gz', Uint8Array.of(0x1f, 0x8b, 8, 0, 0), 'a gzip archive'],
    ['kernel', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1), 'an ELF program'],
  ])('%s by its content', async (name, content, what) => {
    const path = put(name, content);
    for (const kind of ['disk', 'cdrom', 'floppy'] as const) expect(await refusal(path, { kind })).toContain(what);
  });

  it('raw content as qcow2, and takes anything as raw when told so', async () => {
    expect(await refusal(put('raw.img', new Uint8Array(4096)), { kind: 'disk', format: 'qcow2' })).toContain(
      'is not a qcow2',
    );
    const medium = await openMedium(put('head.img', Uint8Array.of(0x51, 0x46, 0x49, 0xfb)), {
      kind: 'disk',
      format: 'raw',
    });
    expect(medium.device.sizeBytes).toBe(512);
    await medium.device.close();
  });

  it('a floppy image that is too large', async () => {
    expect(await refusal(put('big.img', new Uint8Array(2949121)), { kind: 'floppy' })).toContain(
      'more than a floppy disk holds',
    );
  });

  it('truncated file systems and partition tables', async () => {
    const floppy = new Uint8Array(1474560);
    floppy.set(bootSector());
    floppy.set([0x00, 0x02, 1, 1, 0, 2, 224, 0, 0x40, 0x0b, 0xf0, 9, 0, 18, 0, 2, 0], 11);
    floppy.set([0xf0, 0xff, 0xff], 512);
    expect(await refusal(put('cut.img', floppy.subarray(0, 700000)), { kind: 'floppy' })).toContain('truncated');
    const whole = await openMedium(put('whole.img', floppy), { kind: 'floppy' });
    expect(whole.notes).toEqual([]);
    await whole.device.close();

    const iso = new Uint8Array(2 << 20);
    iso.set([1, 0x43, 0x44, 0x30, 0x30, 0x31, 1], 32768);
    new DataView(iso.buffer).setUint32(32768 + 80, 1024, true);
    new DataView(iso.buffer).setUint16(32768 + 128, 2048, true);
    expect(await refusal(put('cut.iso', iso.subarray(0, 1 << 20)), { kind: 'cdrom' })).toContain('truncated');

    const disk = new Uint8Array(1 << 20);
    disk.set(bootSector());
    disk.set([0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0x10, 0, 0], 446);
    const path = put('cut-disk.img', disk);
    expect(await refusal(path, { kind: 'disk' })).toContain('truncated');
    const forced = await openMedium(path, { kind: 'disk', format: 'raw', readOnly: true });
    await forced.device.close();
  });

  it('raw-sector CD images', async () => {
    const bin = new Uint8Array(2352 * 20);
    bin.fill(0xff, 1, 11);
    expect(await refusal(put('game.bin', bin), { kind: 'cdrom' })).toContain('2,352-byte');
  });

  it('an image that another machine writes to', async () => {
    const path = put('shared.img', new Uint8Array(8192));
    const first = await openMedium(path, { kind: 'disk' });
    await expect(openMedium(path, { kind: 'disk' })).rejects.toMatchObject({ kind: 'busy' });
    await expect(openMedium(path, { kind: 'disk', snapshot: true })).rejects.toMatchObject({ kind: 'busy' });
    await first.device.close();
    const second = await openMedium(path, { kind: 'disk', snapshot: true });
    const third = await openMedium(path, { kind: 'disk', snapshot: true });
    await second.device.close();
    await third.device.close();
  });
});

describe('openMedium opens', () => {
  it('odd sizes with a note', async () => {
    const disk = await openMedium(put('odd.img', new Uint8Array(1000)), { kind: 'disk' });
    expect(disk.device.sizeBytes).toBe(1024);
    expect(disk.notes.join()).toContain('not a multiple of 512');
    await disk.device.close();
    const cd = await openMedium(put('odd.iso', new Uint8Array(3000)), { kind: 'cdrom' });
    expect(cd.device.sizeBytes).toBe(4096);
    expect(cd.device.readOnly).toBe(true);
    expect(cd.notes.length).toBe(2);
    await cd.device.close();
    expect(readFileSync(join(folder, 'odd.img')).length).toBe(1000);
  });

  it('a bare boot sector as a 1.44M floppy', async () => {
    const medium = await openMedium(put('boot.img', bootSector()), { kind: 'floppy', snapshot: true });
    expect(medium.device.sizeBytes).toBe(1474560);
    const sector = new Uint8Array(512).fill(1);
    await medium.device.read(1474048, sector);
    expect(sector).toEqual(new Uint8Array(512));
    await medium.device.write(1474048, new Uint8Array(512).fill(9));
    await medium.device.read(1474048, sector);
    expect(sector[0]).toBe(9);
    await medium.device.close();
    expect(readFileSync(join(folder, 'boot.img'))).toEqual(Buffer.from(bootSector()));
  });

  it('qcow2 images by their stated format, unasked only when nothing is written', async () => {
    const path = join(folder, 'stated.qcow2');
    const file = await nodeHostFiles.create(path);
    await createQcow2(file, { sizeBytes: 1 << 20 });
    await file.close();
    expect(await refusal(path, { kind: 'disk' })).toContain('say format=qcow2');
    expect(await refusal(path, { kind: 'floppy', format: 'qcow2' })).toContain('not a floppy disk image');
    const data = new Uint8Array(512).fill(6);
    const writer = await openMedium(path, { kind: 'disk', format: 'qcow2' });
    expect([writer.format, writer.device.sizeBytes, writer.device.readOnly]).toEqual(['qcow2', 1 << 20, false]);
    await writer.device.write(4096, data);
    await expect(openMedium(path, { kind: 'disk', snapshot: true })).rejects.toMatchObject({ kind: 'busy' });
    await writer.device.close();
    const before = readFileSync(path);
    for (const options of [{ readOnly: true }, { snapshot: true }]) {
      const medium = await openMedium(path, { kind: 'disk', ...options });
      expect(medium.format).toBe('qcow2');
      if (options.snapshot) await medium.device.write(0, data);
      else await expect(medium.device.write(0, data)).rejects.toMatchObject({ kind: 'permission' });
      const target = new Uint8Array(512);
      await medium.device.read(4096, target);
      expect(target).toEqual(data);
      await medium.device.close();
      expect(Buffer.compare(readFileSync(path), before)).toBe(0);
    }
  });

  it('no backing file on the word of an image', async () => {
    const path = join(folder, 'thief.qcow2');
    const file = await nodeHostFiles.create(path);
    await createQcow2(file, { sizeBytes: 1 << 20, backing: { name: '/etc/passwd', format: 'raw' } });
    await file.close();
    for (const options of [{ format: 'qcow2' }, { readOnly: true }, { snapshot: true }] as const) {
      expect(await refusal(path, { kind: 'disk', ...options })).toContain('backing file');
    }
  });

  const guests = new URL('../../../shared/guests/', import.meta.url).pathname;
  it.skipIf(!existsSync(guests))('every test guest (skipped where they are not)', async () => {
    for (const name of readdirSync(guests)) {
      if (!name.endsWith('.img') && !name.endsWith('.iso')) continue;
      const kind = name.endsWith('.iso') ? 'cdrom' : 'floppy';
      const medium = await openMedium(join(guests, name), {
        kind,
        snapshot: kind === 'floppy',
        readOnly: kind === 'cdrom',
      });
      if (!/512|boot|tracer|lisp|tetros/.test(name)) expect([name, medium.notes]).toEqual([name, []]);
      await medium.device.close();
    }
  });
});
