// VMDK, VDI, VHD and VHDX images as qemu-img writes them, with every option that it offers: they read the same with ours,
// and converted to qcow2 they are the same to qemu-img.

import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { convertDisk, diskInfo } from '../../core/block/disk-tools.ts';
import { asDisk, openImage } from '../../core/block/disk-files.ts';
import type { ForeignFormat } from '../../core/block/foreign/open-foreign.ts';
import { nodeHostFiles } from '../../core/host/files/node-host-files.ts';
import { islands } from './contents.ts';
import { hasQemuImg, qemuCheck, qemuImgOk } from './qemu-img.ts';

/** Not a multiple of any block, and more than one grain table. */
const SIZE = 34 * 2 ** 20 + 512;
let folder = '';
let content = new Uint8Array(0);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestbox-foreign-'));
  content = new Uint8Array(SIZE);
  content.set(islands(2 ** 20, 3));
  content.set(islands(2 ** 20 + 512, 4), SIZE - 2 ** 20 - 512);
  writeFileSync(join(folder, 'content.raw'), content);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Entry {
  readonly format: ForeignFormat;
  readonly qemu: string;
  readonly options: string;
}

function entries(): Entry[] {
  const list: Entry[] = [];
  const add = (format: ForeignFormat, qemu: string, ...options: string[]): void => {
    for (const option of options) list.push({ format, qemu, options: option });
  };
  for (const subformat of [
    'monolithicSparse',
    'monolithicFlat',
    'twoGbMaxExtentSparse',
    'twoGbMaxExtentFlat',
    'streamOptimized',
  ]) {
    add('vmdk', 'vmdk', `subformat=${subformat}`);
    for (const adapter of ['ide', 'buslogic', 'lsilogic', 'legacyESX'])
      add('vmdk', 'vmdk', `subformat=${subformat},adapter_type=${adapter}`);
    add('vmdk', 'vmdk', `subformat=${subformat},compat6=on`, `subformat=${subformat},hwversion=10`);
    add('vmdk', 'vmdk', `subformat=${subformat},toolsversion=123`);
  }
  add('vmdk', 'vmdk', 'zeroed_grain=on', 'subformat=twoGbMaxExtentSparse,zeroed_grain=on');
  add('vdi', 'vdi', 'static=off', 'static=on');
  for (const subformat of ['dynamic', 'fixed'])
    for (const force of ['on', 'off']) add('vhd', 'vpc', `subformat=${subformat},force_size=${force}`);
  for (const block of ['1M', '2M', '8M', '64M', '256M'])
    for (const zero of ['on', 'off'])
      for (const subformat of ['dynamic', 'fixed'])
        if (subformat === 'dynamic' || block === '1M')
          add('vhdx', 'vhdx', `subformat=${subformat},block_size=${block},block_state_zero=${zero}`);
  add('vhdx', 'vhdx', 'log_size=1M', 'log_size=4M');
  return list;
}

describe.skipIf(!hasQemuImg)('images of other products that qemu-img writes', () => {
  it.each(entries())('read and convert well: $format $options', async ({ format, qemu, options }) => {
    const image = join(folder, `image.${format}`);
    qemuImgOk('convert', '-f', 'raw', '-O', qemu, '-o', options, join(folder, 'content.raw'), image);
    const info = JSON.parse(qemuImgOk('info', '-f', qemu, '--output=json', image)) as Record<string, number>;
    // Recognised and stated are the same.
    expect(await diskInfo(image)).toMatchObject({ format, virtualBytes: info['virtual-size'] });
    expect(await diskInfo(image, format)).toMatchObject({ format });
    const { file } = await openImage(nodeHostFiles, image, format, true);
    const disk = await asDisk(nodeHostFiles, file, format, false);
    const bytes = new Uint8Array(disk.sizeBytes);
    await disk.read(0, bytes);
    await disk.close();
    expect(Buffer.compare(bytes.subarray(0, SIZE), content)).toBe(0);
    expect(bytes.subarray(SIZE).every((byte) => byte === 0)).toBe(true);
    const target = join(folder, 'target.qcow2');
    await convertDisk(image, target, { to: 'qcow2', replace: true });
    qemuImgOk('compare', '-f', qemu, '-F', 'qcow2', image, target);
    expect(qemuCheck(target).leaks ?? 0).toBe(0);
    for (const name of [
      image,
      target,
      join(folder, 'image-flat.vmdk'),
      join(folder, 'image-f001.vmdk'),
      join(folder, 'image-s001.vmdk'),
    ])
      rmSync(name, { force: true });
  });

  it('leave files alone that a descriptor names outside its folder', async () => {
    const image = join(folder, 'thief.vmdk');
    qemuImgOk('create', '-f', 'vmdk', '-o', 'subformat=monolithicFlat', image, '1M');
    const text = readFileSync(image, 'latin1');
    for (const name of ['/etc/hostname', '../x', 'a/b', '..', '\\\\host\\x', 'C:x']) {
      writeFileSync(image, text.replace('thief-flat.vmdk', name), 'latin1');
      await expect(diskInfo(image)).rejects.toThrow('not a file in the same folder');
    }
    writeFileSync(image, text.replace('parentCID=ffffffff', 'parentCID=12345678'), 'latin1');
    await expect(diskInfo(image)).rejects.toThrow('differencing');
    writeFileSync(image, text.replace('monolithicFlat', 'fullDevice'), 'latin1');
    await expect(diskInfo(image)).rejects.toThrow('fullDevice');
    writeFileSync(image, `${text}\n${'RW 1 ZERO\n'.repeat(100)}`, 'latin1');
    await expect(diskInfo(image)).rejects.toThrow('more than 64 extents');
  });

  it('are refused when they have a parent or an unreplayed log', async () => {
    const vhdx = join(folder, 'log.vhdx');
    qemuImgOk('create', '-f', 'vhdx', vhdx, '4M');
    const bytes = readFileSync(vhdx);
    const { crc32c } = await import('../../core/block/foreign/crc32c.ts');
    for (const at of [65_536, 131_072]) {
      bytes.fill(7, at + 48, at + 64);
      bytes.fill(0, at + 4, at + 8);
      bytes.writeUInt32LE(crc32c(bytes.subarray(at, at + 4096)), at + 4);
    }
    writeFileSync(vhdx, bytes);
    await expect(diskInfo(vhdx)).rejects.toThrow('log that must be replayed');
    const vdi = join(folder, 'parent.vdi');
    qemuImgOk('create', '-f', 'vdi', vdi, '4M');
    const header = readFileSync(vdi);
    header.writeUInt32LE(4, 76);
    writeFileSync(vdi, header);
    await expect(diskInfo(vdi)).rejects.toThrow('differencing');
  });

  it('are never written to', async () => {
    const vdi = join(folder, 'kept.vdi');
    qemuImgOk('create', '-f', 'vdi', vdi, '4M');
    copyFileSync(vdi, `${vdi}.copy`);
    await expect(openImage(nodeHostFiles, vdi, 'vdi', false)).rejects.toThrow('can only be read');
    const { file } = await openImage(nodeHostFiles, vdi, 'vdi', true);
    const disk = await asDisk(nodeHostFiles, file, 'vdi', false);
    await expect(disk.write(0, new Uint8Array(512))).rejects.toMatchObject({ kind: 'permission' });
    await disk.close();
    expect(Buffer.compare(readFileSync(vdi), readFileSync(`${vdi}.copy`))).toBe(0);
  });
});
