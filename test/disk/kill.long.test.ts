// kill -9 for real: 200 kills of a VM process under a writing guest, at moments that differ. After each the image is whole,
// every flush that the guest was told of is there, and no sector is half written.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VmSession } from '../../core/cli/vm-session.ts';
import { checkDisk, createDisk } from '../../core/block/disk-tools.ts';
import { type ChainLink, createOverlay, openChain } from '../../core/block/image-chain.ts';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import { temporaryFolder } from '../support/nestbox.ts';
import { randomStream } from './contents.ts';
import { hasQemuImg, qemuCheck } from './qemu-img.ts';
import { lastFlush, writerFloppy, WriterModel } from './writer-guest.ts';

const KILLS = Number(process.env.NESTBOX_KILLS ?? 200);
const SECTORS = 16_384;
/** One image in so many is shown to qemu-img too. */
const QEMU_STRIDE = 10;

interface Setting {
  readonly name: string;
  readonly links: (folder: string) => Promise<ChainLink[]>;
}

const SETTINGS: readonly Setting[] = [
  {
    name: 'qcow2',
    links: async (folder) => {
      const link: ChainLink = { path: join(folder, 'disk.qcow2'), format: 'qcow2' };
      await createDisk(link.path, { format: 'qcow2', sizeBytes: SECTORS * 512, clusterBytes: 4096 });
      return [link];
    },
  },
  {
    name: 'an overlay on qcow2',
    links: async (folder) => {
      const base: ChainLink = { path: join(folder, 'base.qcow2'), format: 'qcow2' };
      const top: ChainLink = { path: join(folder, 'top.qcow2'), format: 'qcow2' };
      await createDisk(base.path, { format: 'qcow2', sizeBytes: SECTORS * 512 });
      await createOverlay(top.path, { backing: base, sizeBytes: SECTORS * 512 });
      return [top, base];
    },
  },
];

describe('kill -9 under a writing guest', () => {
  it.each(SETTINGS)('loses nothing that was flushed: $name', async ({ links: make }) => {
    const folder = temporaryFolder();
    const links = await make(folder);
    const [top, ...backing] = links as [ChainLink, ...ChainLink[]];
    const floppy = join(folder, 'writer.img');
    const host = new NodeVmHost();
    const random = randomStream(20_260_303);
    const model = new WriterModel(SECTORS);
    let start = 0;
    for (let kill = 1; kill <= KILLS / SETTINGS.length; kill++) {
      writeFileSync(floppy, writerFloppy(start, SECTORS));
      const child = await host.launch('nestbox-test');
      const session = await VmSession.launch({ launch: async () => child }, 'nestbox-test', () => undefined);
      await session.start({
        name: 'writer',
        memoryMib: 16,
        media: [
          { kind: 'floppy', path: floppy, readOnly: true },
          { kind: 'disk', path: top.path, format: 'qcow2', backing: backing.map((link) => ({ ...link })) },
        ],
      });
      // Some flushes after it began, and then at any moment.
      const wanted = 1 + random(24);
      await new Promise<void>((resolve, reject) => {
        session.onSerial(() => {
          if ((session.serialText.match(/\n/g) ?? []).length >= wanted) resolve();
        });
        void session.exited.then((exit) => reject(new Error(`the VM ended: ${exit.message ?? exit.reason}`)));
      });
      await new Promise((resolve) => setTimeout(resolve, random(40)));
      child.kill();
      await child.ended;
      const flushed = lastFlush(session.serialText);
      expect(flushed).toBeGreaterThan(start);
      model.acknowledge(start, flushed);
      const report = await checkDisk(top.path);
      expect(report.messages.filter((message) => message.startsWith('damage'))).toEqual([]);
      if (hasQemuImg && kill % QEMU_STRIDE === 0) expect(qemuCheck(top.path).corruptions ?? 0).toBe(0);
      const disk = await openChain(links, { readOnly: true });
      const bytes = new Uint8Array(disk.sizeBytes);
      await disk.read(0, bytes);
      await disk.close();
      // Numbers go on above everything on the disk, so later writes are never taken for earlier ones.
      start = Math.max(flushed, model.verify(bytes));
    }
  });
});
