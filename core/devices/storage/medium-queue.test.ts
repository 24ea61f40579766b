import { expect, it } from 'vitest';
import { MediumQueue } from './medium-queue.ts';
import { TestDisk } from './storage-testing.ts';

it('keeps the order of operations, also after a failure', async () => {
  const disk = new TestDisk(1024);
  const queue = new MediumQueue(disk);
  const release = disk.hold();
  const first = queue.run((device) => device.write(0, new Uint8Array(512).fill(1)), () => false);
  const failing = queue.run(() => Promise.reject(new Error('host')), () => false);
  const second = queue.run((device) => device.write(0, new Uint8Array(512).fill(2)), () => false);
  release();
  await expect(failing).rejects.toThrow('host');
  await Promise.all([first, second]);
  expect(disk.data[0]).toBe(2);
});

it('does not start what was abandoned while it waited', async () => {
  const disk = new TestDisk(1024);
  const queue = new MediumQueue(disk);
  const release = disk.hold();
  let abandoned = false;
  const first = queue.run((device) => device.write(0, new Uint8Array(512).fill(1)), () => false);
  const second = queue.run((device) => device.write(512, new Uint8Array(512).fill(2)), () => abandoned);
  abandoned = true;
  release();
  await first;
  await expect(second).rejects.toMatchObject({ kind: 'cancelled' });
  await queue.idle();
  expect(disk.operations).toHaveLength(1);
});
