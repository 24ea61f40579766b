// A real full disk: a file system of a few megabytes, filled up under a writing guest. The machine pauses with a message,
// goes on by itself when there is space, and the guest never sees an error.

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openChain } from '../../core/block/image-chain.ts';
import { projectRoot, temporaryFolder } from '../support/nestbox.ts';
import { lastFlush, writerFloppy, WriterModel } from './writer-guest.ts';

const SECTORS = 8192;
const ENOUGH = 0x800;
/** A private file system without being root on the host. */
const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

describe.skipIf(!canMount)('a full disk of the host (skipped where user namespaces cannot mount)', () => {
  it('pauses the machine, which goes on when there is space', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'writer.img'), writerFloppy(0, SECTORS));
    const script = `
      set -e
      mkdir small
      mount -t tmpfs -o size=6m none small
      nestbox() { "$NODE" --disable-warning=ExperimentalWarning "$MAIN" "$@"; }
      nestbox disk create small/disk.qcow2 4M
      head -c 4500000 /dev/zero > small/filler
      touch err
      nestbox run --floppy writer.img --disk small/disk.qcow2,format=qcow2 --serial stdio \\
        --expect F${ENOUGH.toString(16).padStart(8, '0')} --timeout 280 > out 2> err &
      while kill -0 $! && ! grep -q 'goes on when there is space' err; do sleep 0.1; done
      df --output=avail small > left
      rm small/filler
      wait $!
      cp small/disk.qcow2 disk.qcow2
    `;
    const main = join(projectRoot, 'core/cli/main.ts');
    const child = spawn('unshare', ['-rm', 'sh', '-c', script], {
      cwd: folder,
      env: { ...process.env, NODE: process.execPath, MAIN: main },
    });
    let problems = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (problems += text));
    const code = await new Promise((resolve) => child.once('close', resolve));
    const err = readFileSync(join(folder, 'err'), 'utf8');
    expect([code, problems, err.includes('no space left')]).toEqual([0, '', true]);
    expect(err).toContain('the machine goes on');
    expect(Number(readFileSync(join(folder, 'left'), 'utf8').split('\n')[1])).toBeLessThan(64);
    const flushed = lastFlush(readFileSync(join(folder, 'out'), 'utf8'));
    expect(flushed).toBeGreaterThanOrEqual(ENOUGH);
    const model = new WriterModel(SECTORS);
    model.acknowledge(0, flushed);
    const disk = await openChain([{ path: join(folder, 'disk.qcow2'), format: 'qcow2' }], { readOnly: true });
    const bytes = new Uint8Array(disk.sizeBytes);
    await disk.read(0, bytes);
    await disk.close();
    expect(model.verify(bytes)).toBeGreaterThanOrEqual(flushed);
  });
});
