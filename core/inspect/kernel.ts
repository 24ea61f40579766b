// Recognises kernels that boot directly: Linux bzImage (boot protocol, Documentation/arch/x86/boot), Multiboot 1 and PVH ELF;
// and initial RAM disks by their archive or compression magic.

import { findMultibootHeader } from '../firmware/loaders/multiboot.ts';
import { isLinuxImage, XLF_KERNEL_64 } from '../firmware/loaders/linux-header.ts';
import { type ByteSource, FieldReader, latin1 } from './byte-source.ts';

export interface KernelFile {
  readonly formatName: string;
  readonly version: string;
  readonly architecture: 'x86' | 'x86_64' | 'other';
}

const HEAD_BYTES = 64 * 1024;
const ELF_MACHINE_386 = 3;
const ELF_MACHINE_X86_64 = 62;

/** The kernel in a file, or undefined. */
export async function recogniseKernel(source: ByteSource): Promise<KernelFile | undefined> {
  const head = await source.read(0, HEAD_BYTES);
  if (isLinuxImage(head)) return linux(head);
  const fields = new FieldReader(head);
  if (fields.u32(0) !== 0x464c457f) return undefined;
  const machine = fields.u16(18);
  const architecture = machine === ELF_MACHINE_X86_64 ? 'x86_64' : machine === ELF_MACHINE_386 ? 'x86' : 'other';
  if (findMultibootHeader(head.subarray(0, 8192)) !== undefined)
    return { formatName: 'Multiboot ELF', version: '', architecture };
  return latin1(head).includes('Xen\0') ? { formatName: 'PVH ELF', version: '', architecture } : undefined;
}

function linux(head: Uint8Array): KernelFile {
  const fields = new FieldReader(head);
  // Only the head is here, so the header is read field by field: the loader checks sizes when it starts the kernel.
  const protocol = fields.u16(0x206);
  const at = fields.u16(0x20e) + 0x200;
  const text = fields.u16(0x20e) === 0 ? '' : (latin1(head.subarray(at, at + 200)).split('\0')[0] ?? '');
  const has64 = protocol >= 0x020c && (fields.u16(0x236) & XLF_KERNEL_64) !== 0;
  return { formatName: 'Linux bzImage', version: text, architecture: has64 ? 'x86_64' : 'x86' };
}

const INITRD_MAGICS: readonly (readonly [string, readonly number[]])[] = [
  ['cpio', [0x30, 0x37, 0x30, 0x37, 0x30, 0x31]],
  ['cpio', [0x30, 0x37, 0x30, 0x37, 0x30, 0x32]],
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['lz4', [0x02, 0x21, 0x4c, 0x18]],
];

/** Name of the packing when the file can be an initial RAM disk; compressed files of other kinds look the same. */
export function recogniseInitrd(head: Uint8Array): string | undefined {
  return INITRD_MAGICS.find(([, magic]) => magic.every((byte, index) => head[index] === byte))?.[0];
}
