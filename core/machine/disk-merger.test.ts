import { describe, expect, it } from 'vitest';
import { createDisk } from '../block/disk-tools.ts';
import { type ChainLink, createOverlay, openChain } from '../block/image-chain.ts';
import { LiveDisk } from '../block/live-disk.ts';
import { MemoryHostFiles } from '../host/files/memory-host-files.ts';
import { DiskMerger } from './disk-merger.ts';

const SIZE = 512 * 2 ** 20;
const LINKS: readonly ChainLink[] = [{ path: '/d/top', format: 'qcow2' }, { path: '/d/base', format: 'qcow2' }];

async function chain(): Promise<{ merger: DiskMerger; disk: LiveDisk }> {
  const files = new MemoryHostFiles();
  const [top, base] = LINKS as [ChainLink, ChainLink];
  await createDisk(base.path, { format: 'qcow2', sizeBytes: SIZE }, files);
  await createOverlay(top.path, { backing: base, sizeBytes: SIZE }, files);
  const disk = new LiveDisk(await openChain(LINKS, { files }));
  return { merger: new DiskMerger((slot) => (slot === 'ide0' ? disk : undefined), files), disk };
}

describe('merging images of a running machine', () => {
  it.each(['pull', 'commit'] as const)('says each percent once: %s', async (way) => {
    const { merger, disk } = await chain();
    for (let at = 0; at < SIZE; at += 4 * 2 ** 20) await disk.write(at, new Uint8Array(512).fill(1));
    const told: number[] = [];
    await merger.merge({ id: 'x', slot: 'ide0', links: LINKS, way }, (fraction) => told.push(fraction));
    expect(told).toEqual([...new Set(told)].sort((a, b) => a - b));
    expect(told.length).toBeGreaterThan(50);
    expect([told[0], told.at(-1)]).toEqual([0, 1]);
    // Only a commit has something to be finished.
    await merger.finish('ide0');
    expect(disk.current).toHaveProperty('path', way === 'pull' ? '/d/top' : '/d/base');
    await disk.close();
  });

  it('does one at a time, and none of a drive that is not there', async () => {
    const { merger, disk } = await chain();
    const spec = { id: 'x', slot: 'ide0', links: LINKS, way: 'commit' } as const;
    const first = merger.merge(spec, () => undefined);
    await expect(merger.merge(spec, () => undefined)).rejects.toMatchObject({ kind: 'busy' });
    await first;
    // Both images get every write until it is finished.
    await expect(merger.merge(spec, () => undefined)).rejects.toMatchObject({ kind: 'busy' });
    await merger.finish('ide0');
    await expect(merger.merge({ ...spec, slot: 'ide1' }, () => undefined)).rejects.toMatchObject({ kind: 'usage' });
    const again = merger.merge(spec, () => undefined);
    await expect(again).rejects.toMatchObject({ kind: 'usage' });
    await disk.close();
  });
});
