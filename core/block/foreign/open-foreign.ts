// Opens images of other products for reading, by their format's name.

import type { HostFile, HostFiles } from '../../host/files/host-file.ts';
import type { ForeignDisk } from './block-map-disk.ts';
import { openVdi } from './vdi.ts';
import { openVhd } from './vhd.ts';
import { openVhdx } from './vhdx.ts';
import { openVmdk } from './vmdk.ts';

export const FOREIGN_FORMATS = ['vmdk', 'vdi', 'vhd', 'vhdx'] as const;
export type ForeignFormat = (typeof FOREIGN_FORMATS)[number];

export function isForeignFormat(name: string): name is ForeignFormat {
  return (FOREIGN_FORMATS as readonly string[]).includes(name);
}

/** @param file owned by the disk on success. @throws NestboxError `bad-input`, `unsupported` with what is wrong */
export async function openForeign(file: HostFile, format: ForeignFormat, files: HostFiles): Promise<ForeignDisk> {
  switch (format) {
    case 'vmdk':
      return openVmdk(file, files);
    case 'vdi':
      return openVdi(file);
    case 'vhd':
      return openVhd(file);
    case 'vhdx':
      return openVhdx(file);
  }
}
