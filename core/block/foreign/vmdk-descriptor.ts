// The text that describes a VMDK disk: kind, parent, and the extents that it consists of (VMware, Virtual Disk Format 5.0).
// Extents are files in the folder of the descriptor and nowhere else: a descriptor is a file that somebody sent.

import type { NestboxError } from '../../base/errors.ts';
import { badForeign, unsupportedForeign } from './block-map-disk.ts';

export const MAX_DESCRIPTOR_BYTES = 2 ** 20;
const MAX_EXTENTS = 64;
const MAX_SECTORS = (64 * 2 ** 40) / 512;

export interface VmdkExtent {
  readonly sectors: number;
  readonly kind: 'flat' | 'sparse' | 'zero';
  /** A plain name in the descriptor's folder; undefined for `zero`. */
  readonly name: string | undefined;
  /** Where a flat extent starts in its file. */
  readonly startSector: number;
}

export interface VmdkDescriptor {
  readonly createType: string;
  readonly extents: readonly VmdkExtent[];
}

const EXTENT_LINE = /^(RW|RDONLY|NOACCESS)\s+(\d{1,15})\s+([A-Z0-9]+)(?:\s+"([^"]*)"(?:\s+(\d{1,15}))?)?\s*$/;
const SETTING_LINE = /^\s*([A-Za-z0-9_.]+)\s*=\s*"?([^"]*)"?\s*$/;
const SUPPORTED_TYPES = [
  'monolithicSparse',
  'monolithicFlat',
  'twoGbMaxExtentSparse',
  'twoGbMaxExtentFlat',
  'streamOptimized',
];

/** @throws NestboxError `bad-input`, `unsupported` naming the line or setting */
export function parseDescriptor(path: string, bytes: Uint8Array): VmdkDescriptor {
  const end = bytes.indexOf(0);
  const text = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  const bad = (what: string): NestboxError => badForeign(path, 'VMDK', what);
  if (!/^# ?Disk Descriptor ?File/i.test(text)) throw bad('the descriptor is missing');
  let createType: string | undefined;
  const extents: VmdkExtent[] = [];
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    if (/^(RW|RDONLY|NOACCESS)\s/.test(line)) {
      if (extents.length >= MAX_EXTENTS) throw bad(`has more than ${MAX_EXTENTS} extents`);
      extents.push(parseExtent(path, line));
      continue;
    }
    const setting = SETTING_LINE.exec(line);
    if (setting === null) throw bad(`the descriptor has the unknown line ${JSON.stringify(line.slice(0, 80))}`);
    const [, name = '', value = ''] = setting;
    if (name === 'createType') createType = value;
    if (name === 'parentCID' && value.toLowerCase() !== 'ffffffff')
      throw unsupportedForeign(path, 'VMDK', 'is a differencing image; merge it with its parent first');
    if (name === 'parentFileNameHint') throw unsupportedForeign(path, 'VMDK', 'names a parent image');
  }
  if (createType === undefined || !SUPPORTED_TYPES.includes(createType))
    throw unsupportedForeign(path, 'VMDK', `the kind ${JSON.stringify(createType ?? '')} is not supported`);
  if (extents.length === 0) throw bad('the descriptor has no extents');
  let total = 0;
  for (const { sectors } of extents) total += sectors;
  if (total > MAX_SECTORS) throw bad('size is larger than 64 TiB');
  return { createType, extents };
}

function parseExtent(path: string, line: string): VmdkExtent {
  const match = EXTENT_LINE.exec(line);
  const shown = JSON.stringify(line.slice(0, 80));
  if (match === null) throw badForeign(path, 'VMDK', `the extent line ${shown} cannot be understood`);
  const [, access, count = '0', type = '', name, start = '0'] = match;
  if (access === 'NOACCESS') throw unsupportedForeign(path, 'VMDK', `the extent ${shown} cannot be accessed`);
  const sectors = Number(count);
  const startSector = Number(start);
  if (sectors === 0 || sectors > MAX_SECTORS || startSector > MAX_SECTORS)
    throw badForeign(path, 'VMDK', `the extent line ${shown} has an impossible size`);
  if (type === 'ZERO') return { sectors, kind: 'zero', name: undefined, startSector: 0 };
  if (type !== 'FLAT' && type !== 'SPARSE')
    throw unsupportedForeign(path, 'VMDK', `extents of the kind ${type} are not supported`);
  if (name === undefined || name === '' || name === '.' || name === '..' || /[/\\:\0]/.test(name))
    throw badForeign(path, 'VMDK', `the extent ${JSON.stringify(name ?? '')} is not a file in the same folder`);
  return { sectors, kind: type === 'FLAT' ? 'flat' : 'sparse', name, startSector };
}
