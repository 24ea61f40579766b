// Snapshots deleted under a running machine whose guest writes all the time: their space comes back at once, and nothing
// that the guest wrote is lost.

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type ChainLink, openChain } from '../../core/block/image-chain.ts';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import { writerFloppy, WriterModel } from '../disk/writer-guest.ts';
import { hasQemuImg, qemuCheck } from '../disk/qemu-img.ts';
import { MIB, newVm, openLibrary } from '../support/library.ts';
import { temporaryFolder } from '../support/nestbox.ts';

const SECTORS = 8192;

it('merges disk layers under the guest, into the disk itself and into the layer that is written to', { timeout: 300_000 }, async () => {
  const { manager, root } = await openLibrary(join(temporaryFolder(), 'library'), { host: new NodeVmHost() });
  const { api } = manager;
  const floppy = join(temporaryFolder(), 'writer.img');
  writeFileSync(floppy, writerFloppy(0, SECTORS));
  const vm = await api.createVm(
    newVm('writer', {
      hardware: { memoryMib: 16, engine: 'software' },
      drives: [{ kind: 'floppy', source: 'file', file: manager.files.grant(floppy), readOnly: true }, { kind: 'disk', source: 'new', sizeBytes: 4 * MIB }],
    }),
  );
  const disks = (): string[] => readdirSync(join(root, 'disks')).sort();
  const written = async (): Promise<number> => (await manager.power.requireRunning(vm.id).call('stats')).diskWrites;
  const goesOn = async (): Promise<void> => {
    const before = await written();
    while ((await written()) < before + 200) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const [own] = disks();
  await api.startVm(vm.id);
  await goesOn();

  // The only snapshot: the disk that was there before takes over from the layer.
  const only = await api.takeSnapshot(vm.id, { name: 'only' });
  await goesOn();
  expect(disks()).toHaveLength(2);
  await api.deleteSnapshot(only.id);
  expect(disks()).toEqual([own]);
  await goesOn();

  // The last of two: the layer of the guest takes over from the one below.
  await api.takeSnapshot(vm.id, { name: 'first' });
  await goesOn();
  const second = await api.takeSnapshot(vm.id, { name: 'second' });
  await goesOn();
  expect(disks()).toHaveLength(3);
  await api.deleteSnapshot(second.id);
  expect(disks()).toHaveLength(2);
  await goesOn();

  // Every write that the drive had answered is there, none in part.
  const last = (await written()) - 1;
  await api.powerOffVm(vm.id);
  const links: ChainLink[] = [];
  for (let at = (await api.vm(vm.id)).drives[1]?.medium?.id; at !== undefined; at = manager.media.row(at).backingId ?? undefined) {
    const { path, format } = manager.media.row(at);
    links.push({ path, format });
  }
  expect(links).toHaveLength(2);
  const disk = await openChain(links, { readOnly: true });
  const bytes = new Uint8Array(disk.sizeBytes);
  await disk.read(0, bytes);
  await disk.close();
  const model = new WriterModel(SECTORS);
  model.acknowledge(0, last);
  expect(model.verify(bytes)).toBeGreaterThanOrEqual(last);
  if (hasQemuImg) for (const name of disks()) expect(qemuCheck(join(root, 'disks', name)).corruptions ?? 0).toBe(0);
});
