// Sizes of snapshots and machines: what they take on the host's disk, not what their files end at.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type ChainLink, openChain } from '../../core/block/image-chain.ts';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import { Manager } from '../../core/manager/manager.ts';
import { temporaryFolder } from '../support/nestbox.ts';

const MIB = 2 ** 20;

it('count what each disk layer takes, holes left out, and a machine counts every layer once', async () => {
  const root = join(temporaryFolder(), 'library');
  const manager = await Manager.open({ root, host: new NodeVmHost(), version: '0', shell: 'browser', demo: false });
  onTestFinished(() => manager.close());
  const { api } = manager;
  const vm = await api.createVm({
    name: 'Sizes',
    osId: 'unknown',
    hardware: { memoryMib: 32, engine: 'software' },
    drives: [{ kind: 'disk', source: 'new', sizeBytes: 64 * MIB }],
  });
  const withDisk = async (work: (disk: Awaited<ReturnType<typeof openChain>>) => Promise<void>): Promise<void> => {
    const links: ChainLink[] = [];
    for (let at = (await api.vm(vm.id)).drives[0]?.medium?.id; at !== undefined; at = manager.media.row(at).backingId ?? undefined) links.push(manager.media.row(at));
    const disk = await openChain(links.map(({ path, format }) => ({ path, format })));
    await work(disk);
    await disk.close();
  };
  const onDisk = (name: string): number => statSync(join(root, 'disks', name)).blocks * 512;
  const layers = (): string[] => readdirSync(join(root, 'disks')).filter((name) => name.startsWith('layer-'));

  await withDisk((disk) => disk.write(0, new Uint8Array(3 * MIB).fill(1)));
  const first = await api.takeSnapshot(vm.id, { name: 'first' });
  // The disk that was there before is nobody's snapshot.
  expect(first.ownBytes).toBe(0);
  await withDisk(async (disk) => {
    await disk.write(8 * MIB, new Uint8Array(16 * MIB).fill(2));
    // Given back, but not at the end of the file.
    await disk.discard?.(8 * MIB, 14 * MIB);
  });
  const [layer] = layers();
  const second = await api.takeSnapshot(vm.id, { name: 'second' });
  expect(second.ownBytes).toBe(onDisk(layer ?? ''));
  expect(second.ownBytes).toBeGreaterThanOrEqual(2 * MIB);
  expect(second.ownBytes).toBeLessThan(4 * MIB);
  expect(statSync(join(root, 'disks', layer ?? '')).size).toBeGreaterThan(16 * MIB);

  const sum = readdirSync(join(root, 'disks')).reduce((bytes, name) => bytes + onDisk(name), 0);
  expect(sum).toBeGreaterThan(5 * MIB);
  expect((await api.vm(vm.id)).allocatedBytes).toBe(sum);
});
