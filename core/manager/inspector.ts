// Looks inside a file that a user has chosen: core/inspect with this host's limits.

import { availableParallelism, totalmem } from 'node:os';
import { basename } from 'node:path';
import { isNestboxError } from '../base/errors.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import { inspectFile } from '../inspect/inspect-file.ts';
import type { FileHandle, MediumInspection } from '../protocol/library.ts';
import type { FileHandles } from './file-handles.ts';
import { uefiFirmwarePath } from './firmwares.ts';
import { notice } from './notices.ts';

/** More need a KVM that not every host has. */
const PROPOSED_CPUS = 1;

/** A file that cannot be opened or read is an answer too: `unusable`, with the reason. */
export async function inspectPath(path: string, handle: FileHandle, files: FileHandles): Promise<MediumInspection> {
  const fileName = basename(path);
  const uefi = uefiFirmwarePath();
  try {
    const file = await nodeHostFiles.open(path, { readOnly: true });
    try {
      return await inspectFile({ handle, fileName, file, limits: { memoryMib: Math.floor(totalmem() / 1048576), cpus: availableParallelism(), vmCpusMax: PROPOSED_CPUS, ...(uefi === undefined ? {} : { uefiFirmware: files.grant(uefi) }) } });
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!isNestboxError(error)) throw error;
    const os = { id: 'unknown', name: 'Unknown' };
    return { file: handle, fileName, sizeBytes: 0, kind: 'unusable', formatName: '', bootable: false, bootWays: [], os, evidence: [], notices: [notice('file-unusable', { message: error.message })] };
  }
}
