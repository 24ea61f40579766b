import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeVmHost } from '../support/fake-vm-host.ts';
import { MIB, newVm, openLibrary, stateReached } from '../support/library.ts';
import { temporaryFolder } from '../support/nestbox.ts';
import { NestboxError } from '../../core/base/errors.ts';
import { createDisk } from '../../core/block/disk-tools.ts';
import { type ChainLink, openChain } from '../../core/block/image-chain.ts';
import { Manager } from '../../core/manager/manager.ts';
import type { HostInfo } from '../../core/protocol/host-info.ts';
import type { HardwareConfig } from '../../core/protocol/library.ts';

const codes = (problems: readonly { code: string; field: string; severity: string }[]): string[] => problems.map(({ field, code, severity }) => `${field}:${code}:${severity}`);

describe('library', () => {
  it('makes, changes and deletes machines, and has them all after a restart', async () => {
    const library = await openLibrary();
    const { api } = library.manager;
    const made = await api.createVm(newVm('One', { drives: [{ kind: 'disk', source: 'new', sizeBytes: 64 * MIB }, { kind: 'cdrom', source: 'empty' }], tags: ['b', 'a'], groupPath: 'lab/net', notes: 'n' }));
    expect(made).toMatchObject({ name: 'One', state: 'off', tags: ['a', 'b'], groupPath: 'lab/net', notes: 'n', memoryMib: 64 });
    expect(made.drives.map((drive) => [drive.slot, drive.kind, drive.medium?.fileName])).toEqual([['ide0', 'disk', 'One.qcow2'], ['ide2', 'cdrom', undefined]]);
    const disk = join(library.root, 'disks', 'One.qcow2');
    expect(statSync(disk).mode & 0o077).toBe(0);
    const changed = await api.changeVm(made.id, { name: 'Two', hardware: { memoryMib: 96 }, tags: [] });
    expect(changed).toMatchObject({ name: 'Two', memoryMib: 96, tags: [] });

    const again = await library.reopen();
    expect(await again.manager.api.vm(made.id)).toMatchObject({ name: 'Two', memoryMib: 96, groupPath: 'lab/net' });
    await again.manager.api.deleteVm(made.id, { deleteDisks: false });
    expect(existsSync(disk)).toBe(true);
    const [medium] = await again.manager.api.listMedia();
    expect(medium).toMatchObject({ fileName: 'One.qcow2', usedBy: [], managed: true });
    const next = await again.manager.api.createVm(newVm('Three', { drives: [{ kind: 'disk', source: 'medium', mediumId: medium?.id ?? '' }] }));
    await again.manager.api.deleteVm(next.id, { deleteDisks: true });
    expect(existsSync(disk)).toBe(false);
    expect(await again.manager.api.listMedia()).toEqual([]);
  });

  it('shows a demo machine at the first start, once, ready to boot', async () => {
    const library = await openLibrary(undefined, { demo: true });
    const [demo] = await library.manager.api.listVms();
    expect(library.manager.appInfo().startNotices).toMatchObject([{ code: 'demo-created' }]);
    await library.manager.api.startVm(demo?.id ?? '');
    const medium = library.host.last.config?.media?.[0];
    expect(medium).toMatchObject({ kind: 'floppy', slot: 'floppy0', format: 'raw' });
    expect(readFileSync(medium?.path ?? '').length).toBe(1474560);
    await library.manager.api.powerOffVm(demo?.id ?? '');
    await library.manager.api.deleteVm(demo?.id ?? '', { deleteDisks: true });
    const again = await library.reopen();
    expect(await again.manager.api.listVms()).toEqual([]);
  });

  it('warns of several processors where the host cannot run them', async () => {
    const host = (kvm: object, auto: 'kvm' | 'software'): Promise<HostInfo> => Promise.resolve({ kvm: { status: 'ready', maxVcpus: 4, capabilities: [], ...kvm }, engine: { auto, reason: 'it lacks a mode' } } as unknown as HostInfo);
    const irqchip = { capabilities: [{ name: 'irqchip', present: true }, { name: 'irq-routing', present: true }] };
    const check = async (hostInfo: Promise<HostInfo>, hardware: HardwareConfig): Promise<unknown[]> => {
      const { manager } = await openLibrary(undefined, { hostInfo: () => hostInfo });
      return (await manager.api.checkNewVm(newVm('Several', { hardware }))).map(({ field, severity, text }) => [field, severity, text]);
    };
    const said = (reason: string): unknown[] => [['cpus', 'warning', `Several processors cannot run on this host now: ${reason}`]];
    expect(await check(host(irqchip, 'kvm'), { cpus: 4 })).toEqual([]);
    expect(await check(host(irqchip, 'kvm'), { cpus: 5 })).toEqual(said('KVM gives a machine 4 at most'));
    expect(await check(host(irqchip, 'software'), { cpus: 2 })).toEqual(said('it lacks a mode'));
    expect(await check(host(irqchip, 'software'), { cpus: 2, engine: 'kvm' })).toEqual([]);
    expect(await check(host({ status: 'no-device', detail: 'There is no /dev/kvm' }, 'software'), { cpus: 2, engine: 'kvm' })).toEqual(said('There is no /dev/kvm'));
    expect(await check(host({}, 'kvm'), { cpus: 2 })).toEqual(said('KVM has no interrupt controllers of its own'));
  });

  it('says field by field what is wrong with a form, and makes nothing', async () => {
    const { manager, root } = await openLibrary();
    const { api } = manager;
    await api.createVm(newVm('Taken'));
    const check = async (more: Parameters<typeof newVm>[1], name = 'Free'): Promise<string[]> => codes(await api.checkNewVm(newVm(name, more)));
    expect(await check({}, '')).toEqual(['name:name-empty:error']);
    expect(await check({}, 'x'.repeat(300))).toEqual(['name:name-too-long:error']);
    expect(await check({}, 'a/b')).toEqual(['name:name-characters:error']);
    expect(await check({}, 'a"b')).toEqual(['name:name-characters:error']);
    expect(await check({}, 'a\u202eb')).toEqual(['name:name-characters:error']);
    expect(await check({}, ' a')).toEqual(['name:name-space:error']);
    expect(await check({}, 'TAKEN')).toEqual(['name:name-taken:error']);
    expect(await check({}, "Bob's Debian 12 (测试)")).toEqual([]);
    expect(await check({ hardware: { memoryMib: 0 } })).toEqual(['memoryMib:memory-too-small:error']);
    expect(await check({ hardware: { memoryMib: 9_000_000 } })).toEqual(['memoryMib:memory-beyond-host:error']);
    expect(await check({ hardware: { cpus: 99 } })).toEqual(['cpus:cpus-range:error']);
    expect(await check({ hardware: { cpus: 2, engine: 'software' } })).toEqual(['cpus:cpus-software:error']);
    expect(await check({ hardware: { cpus: 2, clock: 'instructions' } })).toEqual(['cpus:cpus-software:error']);
    expect(await check({ drives: [{ kind: 'disk', source: 'new', sizeBytes: 100 }] })).toEqual(['drives.0.sizeBytes:drive-size:error']);
    expect(await check({ drives: [{ kind: 'disk', source: 'new', sizeBytes: 2 * MIB + 1 }] })).toEqual(['drives.0.sizeBytes:drive-size-multiple:error']);
    expect(await check({ drives: [{ kind: 'disk', source: 'new', sizeBytes: 15 * 2 ** 40 }] })).toEqual(['drives.0.sizeBytes:drive-space:warning']);
    expect(await check({ drives: Array.from({ length: 3 }, () => ({ kind: 'floppy', source: 'empty' }) as const) })).toEqual(['drives.2:too-many-floppies:error']);
    expect(await check({ drives: Array.from({ length: 5 }, () => ({ kind: 'cdrom', source: 'empty' }) as const) })).toEqual(['drives.4:too-many-ide:error']);
    expect(await check({ drives: [{ kind: 'cdrom', source: 'file', file: 'file-x' }] })).toEqual(['drives.0:file-gone:error']);
    expect(await check({ drives: [{ kind: 'cdrom', source: 'medium', mediumId: 'x' }] })).toEqual(['drives.0:medium-unknown:error']);
    expect(await check({ tags: [''], groupPath: 'a//b' })).toEqual(['groupPath:group-invalid:error', 'tags.0:tag-invalid:error']);
    await expect(api.createVm(newVm('a/b'))).rejects.toMatchObject({ kind: 'usage', context: { code: 'name-characters', field: 'name' } });
    expect(await api.listVms()).toHaveLength(1);
    expect(readdirSync(join(root, 'disks'))).toEqual([]);
  });

  it('refuses files that are no media, with a reason, and leaves them alone', async () => {
    const { manager } = await openLibrary();
    const folder = temporaryFolder();
    const file = (name: string, content: string | Uint8Array): string => {
      writeFileSync(join(folder, name), content);
      return manager.files.grant(join(folder, name));
    };
    const text = file('notes.txt', 'just some text\n'.repeat(20));
    const empty = file('empty.iso', '');
    for (const handle of [text, empty]) expect(await manager.api.inspectFile(handle)).toMatchObject({ kind: 'unusable' });
    const problems = await manager.api.checkNewVm(newVm('x', { drives: [{ kind: 'cdrom', source: 'file', file: empty }] }));
    expect(codes(problems)).toEqual(['drives.0:file-unusable:error']);
    expect(problems[0]?.text).toContain('is empty');
    rmSync(join(folder, 'empty.iso'));
    expect(codes(await manager.api.checkNewVm(newVm('x', { drives: [{ kind: 'cdrom', source: 'file', file: empty }] })))).toEqual(['drives.0:file-unusable:error']);
    expect(readFileSync(join(folder, 'notes.txt'), 'utf8')).toBe('just some text\n'.repeat(20));
  });

  it('finds moved media again and says which machine cannot start until then', async () => {
    const { manager, host } = await openLibrary();
    const folder = temporaryFolder();
    const path = join(folder, 'data.qcow2');
    await createDisk(path, { format: 'qcow2', sizeBytes: 8 * MIB });
    const other = join(folder, 'other.qcow2');
    await createDisk(other, { format: 'qcow2', sizeBytes: 8 * MIB });
    const { api, files } = manager;
    const vm = await api.createVm(newVm('vm', { drives: [{ kind: 'disk', source: 'file', file: files.grant(path) }, { kind: 'disk', source: 'file', file: files.grant(other) }] }));
    const moved = join(temporaryFolder(), 'elsewhere');
    mkdirSync(moved);
    renameSync(path, join(moved, 'data.qcow2'));
    await expect(api.startVm(vm.id)).rejects.toMatchObject({ kind: 'not-found', context: { code: 'medium-missing', fileName: 'data.qcow2', slot: 'ide0' } });
    expect((await api.vm(vm.id)).notice).toMatchObject({ code: 'medium-missing' });
    expect(await api.findMissingMedia()).toMatchObject([{ fileName: 'data.qcow2', missing: true }]);
    // Its neighbour moves too and is shown: the lost one is found beside it.
    renameSync(other, join(moved, 'other.qcow2'));
    const otherId = (await api.listMedia()).find((medium) => medium.fileName === 'other.qcow2')?.id ?? '';
    await api.relocateMedium(otherId, files.grant(join(moved, 'other.qcow2')));
    expect(await api.findMissingMedia()).toEqual([]);
    await api.startVm(vm.id);
    expect(host.last.config?.media?.map((medium) => medium.path)).toEqual([join(moved, 'data.qcow2'), join(moved, 'other.qcow2')]);
  });

  it('imports a disk image as a copy and keeps used media', async () => {
    const { manager, root } = await openLibrary();
    const path = join(temporaryFolder(), 'raw.img');
    const content = new Uint8Array(2 * MIB).fill(0x41, 4096, 70_000);
    writeFileSync(path, content);
    const progress: string[] = [];
    manager.events.on('taskProgress', (entry) => progress.push(`${entry.kind} ${entry.state}`));
    const medium = await manager.api.importDisk(manager.files.grant(path), { name: 'Raw/disk', taskId: 't1' });
    expect(medium).toMatchObject({ format: 'qcow2', managed: true, virtualBytes: 2 * MIB, folder: join(root, 'disks') });
    expect(progress[0]).toBe('import-disk running');
    expect(progress.at(-1)).toBe('import-disk done');
    const vm = await manager.api.createVm(newVm('user', { drives: [{ kind: 'disk', source: 'medium', mediumId: medium.id }] }));
    await expect(manager.api.removeMedium(medium.id, { deleteFile: true })).rejects.toMatchObject({ kind: 'busy', context: { code: 'medium-used', users: 'user' } });
    expect(codes(await manager.api.checkNewVm(newVm('second', { drives: [{ kind: 'disk', source: 'medium', mediumId: medium.id }] })))).toEqual(['drives.0:medium-in-use:warning']);
    await manager.api.deleteVm(vm.id, { deleteDisks: false });
    await manager.api.removeMedium(medium.id, { deleteFile: true });
    expect(existsSync(join(root, 'disks', medium.fileName))).toBe(false);
    expect(readFileSync(path).equals(Buffer.from(content))).toBe(true);
  });
});

describe('clones', () => {
  /** What a disk of the library holds, through its chain. */
  async function content(manager: Manager, id: string): Promise<string> {
    const medium = (await manager.api.vm(id)).drives[0]?.medium;
    const links: ChainLink[] = [];
    for (let at = medium?.id; at !== undefined; ) {
      const row = manager.media.row(at);
      links.push({ path: row.path, format: row.format });
      at = row.backingId ?? undefined;
    }
    const disk = await openChain(links, { readOnly: true });
    const bytes = new Uint8Array(16);
    await disk.read(MIB, bytes);
    await disk.close();
    return Buffer.from(bytes).toString('latin1').replaceAll('\0', '');
  }

  async function write(manager: Manager, id: string, text: string): Promise<void> {
    const medium = (await manager.api.vm(id)).drives[0]?.medium;
    const row = manager.media.row(medium?.id ?? '');
    const links: ChainLink[] = [{ path: row.path, format: row.format }];
    for (let below = row.backingId; below !== null; below = manager.media.row(below).backingId) links.push({ path: manager.media.row(below).path, format: manager.media.row(below).format });
    const disk = await openChain(links);
    const sector = new Uint8Array(512);
    sector.set(Buffer.from(text));
    await disk.write(MIB, sector);
    await disk.flush();
    await disk.close();
  }

  it.each([{ linked: false }, { linked: true }])('go their own way from the present content (linked: $linked)', async ({ linked }) => {
    const { manager, root, host } = await openLibrary();
    const { api } = manager;
    const { id } = await api.createVm(newVm('first', { drives: [{ kind: 'disk', source: 'new', sizeBytes: 8 * MIB }, { kind: 'cdrom', source: 'empty' }], tags: ['t'] }));
    await write(manager, id, 'common');
    const copy = await api.cloneVm(id, { name: 'second', linked });
    expect(copy).toMatchObject({ name: 'second', state: 'off', tags: ['t'], memoryMib: 64 });
    expect([await content(manager, id), await content(manager, copy.id)]).toEqual(['common', 'common']);
    await write(manager, id, 'mine');
    await write(manager, copy.id, 'yours');
    expect([await content(manager, id), await content(manager, copy.id)]).toEqual(['mine', 'yours']);
    await api.startVm(copy.id);
    expect(host.last.config?.media?.[0]?.backing?.length ?? 0).toBe(linked ? 1 : 0);
    await api.powerOffVm(copy.id);
    // Deleting one with its disks leaves the other whole; the last one takes the common base with it.
    await api.deleteVm(id, { deleteDisks: true });
    expect(await content(manager, copy.id)).toBe('yours');
    await api.deleteVm(copy.id, { deleteDisks: true });
    expect(readdirSync(join(root, 'disks'))).toEqual([]);
  });

  it('leave nothing when they fail or are cancelled', async () => {
    const { manager, root } = await openLibrary();
    const { api } = manager;
    const { id } = await api.createVm(newVm('first', { drives: [{ kind: 'disk', source: 'new', sizeBytes: 8 * MIB }] }));
    const before = readdirSync(join(root, 'disks'));
    await expect(api.cloneVm(id, { name: 'FIRST', linked: false })).rejects.toMatchObject({ context: { code: 'name-taken' } });
    manager.events.on('taskProgress', (progress) => {
      if (progress.taskId === 'c' && progress.state === 'running') manager.tasks.cancel('c');
    });
    await expect(api.cloneVm(id, { name: 'second', linked: false, taskId: 'c' })).rejects.toMatchObject({ kind: 'cancelled' });
    await api.startVm(id);
    await expect(api.cloneVm(id, { name: 'second', linked: true })).rejects.toMatchObject({ context: { code: 'vm-not-off' } });
    expect(readdirSync(join(root, 'disks'))).toEqual(before);
    expect(await api.listVms()).toHaveLength(1);
  });
});

describe('power', () => {
  it('goes through the states, refuses what does not fit them, and keeps why it stopped', async () => {
    const { manager, host } = await openLibrary();
    const { api } = manager;
    const { id } = await api.createVm(newVm('vm', { drives: [{ kind: 'cdrom', source: 'empty' }] }));
    const states: string[] = [];
    manager.events.on('vmChanged', (vm) => {
      if (states.at(-1) !== vm.state) states.push(vm.state);
    });
    await expect(api.pauseVm(id)).rejects.toMatchObject({ context: { code: 'vm-not-running' } });
    await api.startVm(id);
    await expect(api.startVm(id)).rejects.toMatchObject({ kind: 'busy', context: { code: 'vm-not-off' } });
    await expect(api.deleteVm(id, { deleteDisks: false })).rejects.toMatchObject({ context: { code: 'vm-not-off' } });
    await expect(api.changeVm(id, { hardware: { memoryMib: 32 } })).rejects.toMatchObject({ context: { code: 'vm-changed-hardware' } });
    expect(await api.changeVm(id, { notes: 'while it runs' })).toMatchObject({ notes: 'while it runs' });
    await api.pauseVm(id);
    await stateReached(manager, id, 'paused');
    await api.resumeVm(id);
    await stateReached(manager, id, 'running');
    host.last.acpi = false;
    expect(await api.shutDownVm(id)).toBe(false);
    host.last.acpi = true;
    expect(await api.shutDownVm(id)).toBe(true);
    await stateReached(manager, id, 'off');
    expect(states).toEqual(['starting', 'running', 'paused', 'running', 'stopping', 'off']);
    expect(await api.vm(id)).toMatchObject({ state: 'off', lastExit: { reason: 'power-off' } });
    expect((await api.vm(id)).notice).toBeUndefined();
  });

  it('tells of a process that died and of a guest that failed, and starts both again', async () => {
    const library = await openLibrary();
    const { manager, host } = library;
    const { api } = manager;
    const { id } = await api.createVm(newVm('vm'));
    await api.startVm(id);
    host.last.die('SIGSEGV', 'stack of the crash');
    const dead = await stateReached(manager, id, 'failed');
    expect(dead.notice).toMatchObject({ code: 'vm-process-died', params: { how: 'SIGSEGV' } });
    const { lines } = await api.logs(id, { from: 0, limit: 100 });
    expect(lines.map((line) => line.message)).toContain('stack of the crash');
    await api.startVm(id);
    expect((await api.vm(id)).notice).toBeUndefined();
    host.last.exit({ reason: 'fault', message: 'triple fault', report: 'EAX=1' });
    const faulted = await stateReached(manager, id, 'failed');
    expect(faulted).toMatchObject({ notice: { code: 'guest-fault' }, lastExit: { report: 'EAX=1' } });
    const again = await library.reopen();
    expect(await again.manager.api.vm(id)).toMatchObject({ state: 'failed', notice: { code: 'guest-fault' } });
    await again.manager.api.startVm(id);
    expect((await again.manager.api.vm(id)).state).toBe('running');
  });

  it('rejects a start that fails and is ready for the next one', async () => {
    const { manager, host } = await openLibrary();
    const { id } = await manager.api.createVm(newVm('vm'));
    host.nextStartError = new NestboxError('busy', 'disk.img: in use by another virtual machine or program');
    await expect(manager.api.startVm(id)).rejects.toMatchObject({ kind: 'busy', message: /in use/ });
    expect((await manager.api.vm(id)).notice?.text).toContain('in use');
    await manager.api.startVm(id);
    expect((await manager.api.vm(id)).state).toBe('running');
  });

  it('changes removable media while it runs and keeps them', async () => {
    const { manager, host } = await openLibrary();
    const { id } = await manager.api.createVm(newVm('vm', { drives: [{ kind: 'floppy', source: 'empty' }, { kind: 'disk', source: 'new', sizeBytes: MIB }] }));
    const path = join(temporaryFolder(), 'boot.img');
    writeFileSync(path, new Uint8Array(1474560));
    await manager.api.startVm(id);
    await manager.api.insertMedium(id, 'floppy0', { file: manager.files.grant(path) });
    await expect(manager.api.ejectMedium(id, 'ide0')).rejects.toMatchObject({ context: { code: 'slot-fixed' } });
    await expect(manager.api.ejectMedium(id, 'ide1')).rejects.toMatchObject({ context: { code: 'slot-unknown' } });
    expect(host.last.calls).toEqual(['start', `insert floppy 0 ${path}`]);
    await manager.api.powerOffVm(id);
    await manager.api.startVm(id);
    expect(host.last.config?.media?.find((medium) => medium.kind === 'floppy')).toMatchObject({ path, slot: 'floppy0' });
    await manager.api.ejectMedium(id, 'floppy0');
    expect(host.last.calls).toContain('eject floppy 0');
    expect((await manager.api.vm(id)).drives[0]?.medium).toBeUndefined();
  });

  it('keeps logs within bounds when a guest causes messages without end', async () => {
    const { manager, host, root } = await openLibrary();
    const { id } = await manager.api.createVm(newVm('vm'));
    await manager.api.startVm(id);
    for (let i = 0; i < 5000; i++) host.last.log('info', `noise ${i} ${'x'.repeat(200)}`);
    await manager.api.powerOffVm(id);
    manager.logs.flush();
    const { lines } = await manager.api.logs(id, { from: 0, limit: 100_000 });
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.length).toBeLessThan(1500);
    const bytes = readdirSync(join(root, 'vms', id)).reduce((sum, name) => sum + statSync(join(root, 'vms', id, name)).size, 0);
    expect(bytes).toBeLessThan(3 * MIB);
  });
});

describe('opening a library', () => {
  it('lets one manager in at a time', async () => {
    const library = await openLibrary();
    await expect(Manager.open({ root: library.root, host: new FakeVmHost(), version: '', shell: 'browser' })).rejects.toMatchObject({ kind: 'busy', context: { code: 'library-in-use', pid: String(process.pid) } });
    await library.reopen();
  });

  it('refuses a damaged registry and one of a newer version, and changes neither', async () => {
    const library = await openLibrary();
    await library.manager.api.createVm(newVm('kept'));
    await library.manager.close();
    const path = join(library.root, 'registry.db');
    const good = readFileSync(path);
    const damaged = Buffer.from(good);
    damaged.fill(0xff, 4096, 4096 * 6);
    writeFileSync(path, damaged);
    await expect(openLibrary(library.root)).rejects.toMatchObject({ kind: 'bad-input', message: /damaged/ });
    expect(readFileSync(path).equals(damaged)).toBe(true);
    const newer = Buffer.from(good);
    // user_version is at byte 60 of an SQLite file, big endian.
    newer.writeUInt32BE(10_000, 60);
    writeFileSync(path, newer);
    await expect(openLibrary(library.root)).rejects.toMatchObject({ kind: 'unsupported', message: /newer Nestbox/ });
    expect(readFileSync(path).equals(newer)).toBe(true);
    writeFileSync(path, good);
    const again = await openLibrary(library.root);
    expect(await again.manager.api.listVms()).toMatchObject([{ name: 'kept' }]);
  });

  it('tells which machines were running when the last manager ended without warning', async () => {
    const library = await openLibrary();
    const { id } = await library.manager.api.createVm(newVm('vm'));
    await library.manager.api.startVm(id);
    // A copy of the folder is what a manager that is killed leaves.
    const copy = join(temporaryFolder(), 'copy');
    const { cpSync } = await import('node:fs');
    cpSync(library.root, copy, { recursive: true, filter: (source) => basename(source) !== 'run' });
    const after = await openLibrary(copy);
    expect(await after.manager.api.vm(id)).toMatchObject({ state: 'off', notice: { code: 'manager-ended' } });
  });

  it('names the folder when it may not be written, and loses nothing', async () => {
    const library = await openLibrary();
    const disks = join(library.root, 'disks');
    // Root may write everywhere: another user does the work then.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) execFileSync('chown', ['-R', '65534:65534', dirname(library.root)]);
    chmodSync(disks, 0o500);
    if (isRoot) process.seteuid?.(65_534);
    try {
      await expect(library.manager.api.createVm(newVm('vm', { drives: [{ kind: 'disk', source: 'new', sizeBytes: MIB }] }))).rejects.toMatchObject({ kind: 'permission', message: expect.stringContaining(disks) as string });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    chmodSync(disks, 0o700);
    expect(await library.manager.api.listVms()).toEqual([]);
  });

  it('names the folder when it cannot be made', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expect(openLibrary(join(file, 'library'))).rejects.toMatchObject({ context: { code: 'library-folder' }, message: new RegExp(file) });
  });
});

describe('settings', () => {
  it('keeps what was chosen and tells everybody', async () => {
    const library = await openLibrary();
    const told: string[] = [];
    library.manager.events.on('settingsChanged', (settings) => told.push(settings.language));
    expect(await library.manager.api.changeSettings({ language: 'zh-CN' })).toMatchObject({ language: 'zh-CN', theme: 'auto' });
    expect(told).toEqual(['zh-CN']);
    const again = await library.reopen();
    expect(await again.manager.api.changeSettings({ theme: 'dark' })).toMatchObject({ language: 'zh-CN', theme: 'dark' });
  });
});
