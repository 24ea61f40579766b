import { describe, expect, it } from 'vitest';
import { MemoryHostFiles } from '../host/files/memory-host-files.ts';
import { createOverlay } from './image-chain.ts';
import { openDisk } from './open-disk.ts';
import { createQcow2 } from './qcow2/create-qcow2.ts';

async function files(): Promise<MemoryHostFiles> {
  const made = new MemoryHostFiles();
  made.put('/d/raw.img', new Uint8Array(65536).fill(5));
  const file = await made.create('/d/base.qcow2');
  await createQcow2(file, { sizeBytes: 65536 });
  await file.close();
  await createOverlay('/d/top.qcow2', { backing: { path: '/d/base.qcow2', format: 'qcow2' }, sizeBytes: 65536 }, made);
  return made;
}

describe('openDisk', () => {
  it('takes the format as stated, whatever the content looks like', async () => {
    const made = await files();
    const raw = await openDisk({ path: '/d/base.qcow2', format: 'raw' }, { files: made, readOnly: true });
    const head = new Uint8Array(4);
    await raw.read(0, head);
    // The bytes are the disk: a guest may have put another format's header there.
    expect(String.fromCharCode(...head)).toBe('QFI\xfb');
    await raw.close();
    await expect(openDisk({ path: '/d/raw.img', format: 'qcow2' }, { files: made })).rejects.toMatchObject({ kind: 'bad-input' });
    expect(made.openHandles).toBe(0);
  });

  it('opens what is below only when it was named', async () => {
    const made = await files();
    await expect(openDisk({ path: '/d/top.qcow2', format: 'qcow2' }, { files: made })).rejects.toMatchObject({ kind: 'bad-input' });
    const disk = await openDisk({ path: '/d/top.qcow2', format: 'qcow2', backing: [{ path: '/d/base.qcow2', format: 'qcow2' }] }, { files: made });
    await disk.write(0, new Uint8Array(512).fill(9));
    await expect(openDisk({ path: '/d/top.qcow2', format: 'qcow2', backing: [{ path: '/d/base.qcow2', format: 'qcow2' }] }, { files: made })).rejects.toMatchObject({ kind: 'busy' });
    await disk.close();
    expect(made.openHandles).toBe(0);
  });

  it('writes to no format that is only read', async () => {
    const made = await files();
    await expect(openDisk({ path: '/d/raw.img', format: 'vhd' }, { files: made })).rejects.toMatchObject({ kind: 'unsupported' });
    await expect(openDisk({ path: '/d/raw.img', format: 'vhd' }, { files: made, readOnly: true })).rejects.toMatchObject({ kind: 'bad-input' });
    expect(made.openHandles).toBe(0);
  });
});
