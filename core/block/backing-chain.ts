// Opens the disks below an image that the user named, for tools that were told to follow its chain. The names in the
// images are followed only inside the folder of the image that names them, to regular files of a stated format.

import { basename, dirname, isAbsolute, join } from 'node:path';
import { NestboxError } from '../base/errors.ts';
import type { HostFile, HostFiles } from '../host/files/host-file.ts';
import type { BlockDevice } from './block-device.ts';
import { roundUp } from './block-range.ts';
import { MAX_CHAIN_DEPTH } from './qcow2/layout.ts';
import { type BackingResolver, openQcow2 } from './qcow2/open-qcow2.ts';
import { RawDisk } from './raw-disk.ts';

/** The path of a backing file, or a refusal. */
export function backingPath(imagePath: string, name: string): string {
  const folder = dirname(imagePath);
  const plain = isAbsolute(name) && dirname(name) === folder ? basename(name) : name;
  if (plain === '' || plain === '.' || plain === '..' || /[/\\:\0]/.test(plain)) {
    throw new NestboxError(
      'bad-input',
      `${imagePath}: names the backing file ${JSON.stringify(name)}, which is not in the same folder`,
      { op: 'open backing file', context: { path: imagePath } },
    );
  }
  return join(folder, plain);
}

/** @param top the image that the chain starts from: it may not appear again */
export function folderBackingResolver(files: HostFiles, top: HostFile): BackingResolver {
  const seen = new Set<string>();
  const visit = (file: HostFile): void => {
    const { device, inode } = file.identity();
    if (seen.has(`${device}:${inode}`) || seen.size >= MAX_CHAIN_DEPTH) {
      throw new NestboxError('bad-input', `${file.path}: the chain of backing files is endless`, {
        op: 'open backing file',
        context: { path: file.path },
      });
    }
    seen.add(`${device}:${inode}`);
  };
  visit(top);
  const resolve: BackingResolver = async ({ name, format, imagePath }): Promise<BlockDevice> => {
    const path = backingPath(imagePath, name);
    if (format !== 'raw' && format !== 'qcow2') {
      throw new NestboxError(
        'bad-input',
        `${imagePath}: does not say which format its backing file has (raw or qcow2)`,
        {
          op: 'open backing file',
          context: { path: imagePath },
        },
      );
    }
    const file = await files.open(path, { readOnly: true });
    try {
      visit(file);
      await file.lock('shared');
      if (format === 'raw') return new RawDisk(file, roundUp(file.identity().sizeBytes, 512));
      return await openQcow2(file, { readOnly: true, resolveBacking: resolve });
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  };
  return resolve;
}
