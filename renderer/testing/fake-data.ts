// A library to develop against: a few machines of every state, or two hundred (`?vms=200`). Development builds only.

import type { DriveInfo, MediumInfo, VmDetail, VmPowerState } from '../../core/protocol/library.ts';
import type { SnapshotNode } from '../../core/protocol/snapshots.ts';

const GIB = 1024 ** 3;
const NOW = Date.now();
const HOUR = 3_600_000;

interface Seed {
  readonly name: string;
  readonly osId: string;
  readonly state: VmPowerState;
  readonly groupPath?: string;
  readonly tags?: readonly string[];
  readonly memoryMib?: number;
}

const SEEDS: readonly Seed[] = [
  { name: 'Nestbox demo', osId: 'nestbox-demo', state: 'off' },
  { name: 'Debian 12 build server', osId: 'debian', state: 'running', groupPath: 'Work/Build', tags: ['ci', 'linux'], memoryMib: 2048 },
  { name: 'FreeDOS', osId: 'freedos', state: 'paused', groupPath: 'Retro', tags: ['dos'], memoryMib: 32 },
  { name: 'Alpine gateway', osId: 'alpine', state: 'saved', groupPath: 'Work', tags: ['linux'], memoryMib: 256 },
  { name: 'Windows XP, accounting 2004', osId: 'windows-xp', state: 'off', groupPath: 'Retro', memoryMib: 512 },
  { name: 'OpenBSD firewall with a rather long name that does not fit', osId: 'openbsd', state: 'failed', groupPath: 'Work', tags: ['bsd'], memoryMib: 512 },
  { name: 'KolibriOS', osId: 'kolibrios', state: 'off', groupPath: 'Retro', memoryMib: 128 },
  { name: '测试机 Ubuntu 24.04', osId: 'ubuntu', state: 'off', groupPath: 'Work/测试', tags: ['linux', '测试'], memoryMib: 3072 },
];
const MANY: readonly VmPowerState[] = ['off', 'off', 'running', 'saved', 'off', 'paused'];

function medium(id: string, kind: MediumInfo['kind'], fileName: string, vmName: string, options: Partial<MediumInfo> = {}): MediumInfo {
  return {
    id, kind, fileName, folder: kind === 'disk' ? '/home/anna/Nestbox/disks' : '/home/anna/Downloads', format: kind === 'disk' ? 'qcow2' : 'raw',
    virtualBytes: kind === 'disk' ? 20 * GIB : 400_000_000, allocatedBytes: kind === 'disk' ? 3.4 * GIB : 400_000_000, missing: false, managed: kind === 'disk', usedBy: [vmName], ...options,
  };
}

export function fakeVms(count: number): VmDetail[] {
  return Array.from({ length: Math.max(count, 0) }, (_, index) => {
    const seed = SEEDS[index] ?? { ...(SEEDS[index % SEEDS.length] as Seed), name: `${SEEDS[index % SEEDS.length]?.osId ?? 'vm'} node ${index}`, state: MANY[index % MANY.length] ?? 'off', groupPath: `Farm/Rack ${index % 7}` };
    const id = `vm-${index}`;
    const live = seed.state === 'running' || seed.state === 'paused';
    const drives: DriveInfo[] = [
      { slot: 'floppy0', kind: 'floppy', readOnly: false, ...(seed.osId === 'freedos' ? { medium: medium(`${id}-f`, 'floppy', 'freedos-1.4MB.img', seed.name, { virtualBytes: 1_474_560, allocatedBytes: 1_474_560 }) } : {}) },
      { slot: 'ide0', kind: 'disk', readOnly: false, medium: medium(`${id}-d`, 'disk', `${seed.name}.qcow2`, seed.name) },
      { slot: 'ide2', kind: 'cdrom', readOnly: true, ...(index % 2 === 1 ? { medium: medium(`${id}-c`, 'cdrom', `${seed.osId}-netinst.iso`, seed.name, seed.state === 'failed' ? { missing: true, allocatedBytes: undefined } : {}) } : {}) },
    ];
    return {
      id, name: seed.name, state: seed.state, groupPath: seed.groupPath ?? '', tags: seed.tags ?? [], osId: seed.osId, memoryMib: seed.memoryMib ?? 256, cpus: 1,
      ...(live ? { engine: 'software' as const, pid: 4211 + index, startedMs: NOW - (index + 1) * 0.37 * HOUR } : {}),
      thumbnailVersion: live || seed.state === 'saved' ? 1 : 0, createdMs: NOW - (index + 2) * 26 * HOUR, changedMs: NOW - index * HOUR,
      ...(seed.state === 'failed' ? { notice: { code: 'medium-missing', text: 'The file openbsd-netinst.iso in drive ide2 is missing', params: { fileName: 'openbsd-netinst.iso', slot: 'ide2', folder: '/home/anna/Downloads' } } } : {}),
      notes: index === 1 ? 'Builds the nightly packages.\nDo not switch off between 02:00 and 04:00.' : '',
      hardware: { memoryMib: seed.memoryMib ?? 256, cpus: 1, mode: seed.osId.startsWith('windows') ? ('full' as const) : ('paravirt' as const), bootOrder: ['cdrom', 'disk', 'floppy'] },
      drives, hasSavedState: seed.state === 'saved', snapshotCount: index === 1 ? 5 : 0, allocatedBytes: 4.1 * GIB,
    } satisfies VmDetail;
  });
}

export function fakeSnapshots(vmId: string): SnapshotNode[] {
  if (vmId !== 'vm-1') return [];
  const node = (id: string, parentId: string | undefined, name: string, hours: number, kind: SnapshotNode['kind'], current = false): SnapshotNode => ({
    id, vmId, ...(parentId === undefined ? {} : { parentId }), name, notes: id === 's2' ? 'Before the kernel update. Everything works here.' : '', kind, createdMs: NOW - hours * HOUR, ownBytes: 120_000_000 * (hours % 5) + 4_000_000, hasThumbnail: false, current,
  });
  return [node('s1', undefined, 'Freshly installed', 90, 'offline'), node('s2', 's1', 'Before kernel update', 50, 'live'), node('s3', 's2', 'Kernel 6.12', 26, 'live'), node('s4', 's3', 'Toolchain switched to clang', 2, 'live', true), node('s5', 's2', 'Try with the old kernel', 20, 'live')];
}
