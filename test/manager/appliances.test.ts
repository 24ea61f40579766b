// Machines that come in one file: OVA appliances made with qemu-img and tar, and .nestbox files of our own; and disks of
// other products. qemu-img says whether the copies hold what the originals held.

import { execFileSync, spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseOvf, unitBytes } from '../../core/inspect/ovf.ts';
import { parseXml } from '../../core/inspect/xml.ts';
import type { MediumInspection } from '../../core/protocol/library.ts';
import { hasCommand } from '../support/guests.ts';
import { MIB, newVm, openLibrary, type TestLibrary } from '../support/library.ts';
import { temporaryFolder } from '../support/nestbox.ts';
import { makeOva, ovf } from '../support/ova.ts';

const reason = hasCommand('qemu-img') ? '' : ' (skipped: no qemu-img)';

/** A disk with something at its start, in its middle and at its end. */
function someDisk(folder: string): string {
  const path = join(folder, 'original.raw');
  const bytes = new Uint8Array(8 * MIB);
  for (const at of [0, 3 * MIB + 512, 8 * MIB - 4096]) randomFillSync(bytes, at, 4096);
  writeFileSync(path, bytes);
  return path;
}

function same(a: string, formatA: string, b: string, formatB: string): boolean {
  return spawnSync('qemu-img', ['compare', '-f', formatA, '-F', formatB, a, b]).status === 0;
}

const look = (library: TestLibrary, path: string): Promise<MediumInspection> => library.manager.api.inspectFile(library.manager.files.grant(path));

function firstDisk(library: TestLibrary): string {
  return join(library.root, 'disks', readdirSync(join(library.root, 'disks')).sort()[0] ?? '');
}

describe.skipIf(reason !== '')(`appliances${reason}`, () => {
  it('become a machine with their name, memory, system and disks', async () => {
    const folder = temporaryFolder();
    const raw = someDisk(folder);
    const library = await openLibrary();
    const found = await look(library, makeOva(folder, raw));
    expect(found).toMatchObject({ kind: 'appliance', formatName: 'OVA', bootable: true, os: { id: 'debian' }, notices: [] });
    const { proposal } = found;
    if (proposal === undefined) throw new Error('no proposal');
    expect(proposal).toMatchObject({ name: 'Appliance & more', hardware: { memoryMib: 384, cpus: 1 }, notes: 'Log in as "user".' });
    expect(proposal.drives.map((drive) => `${drive.kind} ${drive.source}`)).toEqual(['disk import', 'cdrom empty']);
    const told: number[] = [];
    library.manager.events.on('taskProgress', (task) => told.push(task.fraction ?? -1));
    const vm = await library.manager.api.createVm(proposal, { taskId: 'take-it' });
    expect(vm.drives[0]?.medium).toMatchObject({ format: 'qcow2', managed: true, virtualBytes: 8 * MIB });
    expect(same(raw, 'raw', firstDisk(library), 'qcow2')).toBe(true);
    expect(told.at(-1)).toBe(1);
  });

  it('are refused with a reason, and leave nothing, when they are damaged', async () => {
    const folder = temporaryFolder();
    const raw = someDisk(folder);
    const library = await openLibrary();
    const { proposal } = await look(library, makeOva(folder, raw, { wrongDigest: true }));
    if (proposal === undefined) throw new Error('no proposal');
    await expect(library.manager.api.createVm(proposal)).rejects.toThrow(/box-disk001.vmdk in it is damaged/);
    expect(readdirSync(join(library.root, 'disks'))).toEqual([]);
    const notices = async (path: string): Promise<string> => (await look(library, path)).notices.map((notice) => notice.text).join();
    expect(await notices(makeOva(folder, raw, { withoutDisk: true }))).toMatch(/disk box-disk001.vmdk is missing/);
    expect(await notices(makeOva(folder, raw, { description: '<!DOCTYPE x [<!ENTITY a "b">]><Envelope>&a;</Envelope>' }))).toMatch(/XML is damaged/);
    expect(await notices(makeOva(folder, raw, { description: '<Envelope></Envelope>' }))).toMatch(/No virtual machine/);
    const cut = makeOva(folder, raw);
    truncateSync(cut, 20_000);
    expect(await notices(cut)).toMatch(/cut off/);
  });

  it('may not reach for other files of the host', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'secret.raw'), 'secret'.repeat(1000));
    const disk = 'box-disk001.vmdk';
    writeFileSync(join(folder, disk), '# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 8 FLAT "secret.raw" 0\n');
    writeFileSync(join(folder, 'box.ovf'), ovf({}, disk, 4096));
    const path = join(folder, 'box.ova');
    execFileSync('tar', ['--format=gnu', '-C', folder, '-cf', path, 'box.ovf', disk]);
    const library = await openLibrary();
    const { proposal } = await look(library, path);
    if (proposal === undefined) throw new Error('no proposal');
    await expect(library.manager.api.createVm(proposal)).rejects.toThrow(/refers to another file/);
    expect(readdirSync(join(library.root, 'disks'))).toEqual([]);
  });

  it.each(['vmdk', 'vdi', 'vpc', 'vhdx'])('disks of other products (%s) are copied when they are imported or made a machine of', async (format) => {
    const folder = temporaryFolder();
    const raw = someDisk(folder);
    const path = join(folder, `disk.${format}`);
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', format, ...(format === 'vpc' ? ['-o', 'force_size=on'] : []), raw, path]);
    const library = await openLibrary();
    const imported = await library.manager.api.importDisk(library.manager.files.grant(path), { name: 'taken in' });
    expect(imported).toMatchObject({ format: 'qcow2', fileName: 'taken in.qcow2' });
    expect(same(raw, 'raw', join(library.root, 'disks', 'taken in.qcow2'), 'qcow2')).toBe(true);
    const { proposal } = await look(library, path);
    if (proposal === undefined) throw new Error('no proposal');
    expect(proposal.drives[0]).toMatchObject({ source: 'import' });
    const vm = await library.manager.api.createVm(proposal);
    expect(vm.drives[0]?.medium).toMatchObject({ format: 'qcow2', managed: true });
  });
});

describe.skipIf(reason !== '')(`exported machines${reason}`, () => {
  it('hold settings and disks, are plain tar archives, and come back as they were', async () => {
    const folder = temporaryFolder();
    const raw = someDisk(folder);
    const library = await openLibrary();
    const { api, files } = library.manager;
    const disk = await api.importDisk(files.grant(raw), { name: 'original' });
    const vm = await api.createVm(newVm('Gift', { osId: 'freedos', hardware: { memoryMib: 48, mode: 'full', bootOrder: ['disk', 'floppy', 'cdrom'] }, notes: 'For you', tags: ['a', 'b'], drives: [{ kind: 'disk', source: 'medium', mediumId: disk.id }, { kind: 'cdrom', source: 'empty' }] }));
    const path = join(folder, 'gift.nestbox');
    await library.manager.exportVm(vm.id, path);
    expect(execFileSync('tar', ['tf', path], { encoding: 'utf8' }).trim().split('\n')).toEqual(['machine.json', 'disk1.qcow2']);
    execFileSync('tar', ['-C', folder, '-xf', path, 'disk1.qcow2']);
    expect(same(raw, 'raw', join(folder, 'disk1.qcow2'), 'qcow2')).toBe(true);
    expect(execFileSync('qemu-img', ['check', join(folder, 'disk1.qcow2')], { encoding: 'utf8' })).toMatch(/No errors/);
    expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]);

    const found = await look(library, path);
    expect(found).toMatchObject({ kind: 'appliance', formatName: 'Nestbox', os: { id: 'freedos' }, notices: [] });
    if (found.proposal === undefined) throw new Error('no proposal');
    const back = await api.createVm({ ...found.proposal, name: 'Gift again' });
    const before = await api.vm(vm.id);
    // Both may run in one network: the second one has a hardware address of its own.
    const { macAddress, ...rest } = before.hardware;
    expect(back).toMatchObject({ notes: 'For you', tags: ['a', 'b'], osId: 'freedos', hardware: rest });
    expect(back.hardware.macAddress).toMatch(/^52:4e:42(:[0-9a-f]{2}){3}$/);
    expect(back.hardware.macAddress).not.toBe(macAddress);
    expect(back.drives.map(({ slot, kind }) => ({ slot, kind }))).toEqual(before.drives.map(({ slot, kind }) => ({ slot, kind })));
    expect(same(raw, 'raw', join(library.root, 'disks', back.drives[0]?.medium?.fileName ?? ''), 'qcow2')).toBe(true);
  });

  it('of a newer Nestbox or with a damaged description are refused, and an export that fails leaves the old file', async () => {
    const folder = temporaryFolder();
    const library = await openLibrary();
    const write = (description: unknown): string => {
      writeFileSync(join(folder, 'machine.json'), JSON.stringify(description));
      execFileSync('tar', ['-C', folder, '-cf', join(folder, 'x.nestbox'), 'machine.json']);
      return join(folder, 'x.nestbox');
    };
    const why = async (description: unknown): Promise<string> => (await look(library, write(description))).notices.map((notice) => notice.text).join();
    expect(await why({ nestbox: 2 })).toMatch(/newer Nestbox/);
    expect(await why({ nestbox: 1, name: 'x' })).toMatch(/machine.json in it is damaged/);
    expect(await why({ nestbox: 1, name: 'x', osId: 'unknown', hardware: { memoryMib: 1 }, drives: [{ kind: 'disk', member: '../../etc/passwd' }] })).toMatch(/passwd is missing/);
    const vm = await library.manager.api.createVm(newVm('busy'));
    const target = join(folder, 'kept.nestbox');
    writeFileSync(target, 'old');
    await library.manager.api.startVm(vm.id);
    await expect(library.manager.exportVm(vm.id, target)).rejects.toMatchObject({ kind: 'busy' });
    expect(readFileSync(target, 'utf8')).toBe('old');
    await library.manager.api.powerOffVm(vm.id);
    await expect(library.manager.exportVm(vm.id, join(folder, 'no such folder', 'x.nestbox'))).rejects.toMatchObject({ kind: 'not-found' });
    expect(existsSync(join(folder, 'no such folder'))).toBe(false);
  });
});

describe('descriptions of appliances', () => {
  it('have sizes in several spellings', () => {
    expect(['byte * 2^20', 'MegaBytes', 'MB', 'byte', 'byte*2^30', 'GigaBytes', 'KB', '', undefined, 'furlongs'].map((unit) => unitBytes(unit, 7))).toEqual([2 ** 20, 2 ** 20, 2 ** 20, 1, 2 ** 30, 2 ** 30, 1024, 7, 7, 7]);
  });

  it('tell firmware, and collections are noticed', () => {
    const found = parseOvf(ovf({ more: '<vbox:Firmware type="EFI"/>' }, 'd.vmdk', 1));
    expect(found).toMatchObject({ uefi: true, cdDrives: 1, otherSystems: 0, disks: [{ member: 'd.vmdk', compressed: false }] });
    expect(parseOvf('<Envelope><VirtualSystemCollection><VirtualSystem id="a"/><VirtualSystem id="b"/></VirtualSystemCollection></Envelope>')).toMatchObject({ name: 'a', otherSystems: 1, memoryMib: 0 });
  });

  it('are XML, and what is not is refused', () => {
    expect(parseXml('<a x="1 &lt; 2"><!-- no --><b:c>t&#x41;<![CDATA[<&>]]></b:c></a>')).toMatchObject({ name: 'a', children: [{ name: 'c', text: 'tA<&>' }] });
    for (const text of ['', '<a>', '</a>', '<a></b>', '<a/><b/>', 'text', '<!DOCTYPE a><a/>', '<a b=c/>', '<a>'.repeat(100) + '</a>'.repeat(100)]) expect(() => parseXml(text), text).toThrow(/XML is damaged/);
  });
});
