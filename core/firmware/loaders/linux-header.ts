// The setup header of a Linux kernel image (Linux/x86 boot protocol 2.00 to 2.15, Documentation/x86/boot).

import { loadError, sizeText } from './load-area.ts';

export const SETUP_HEADER_OFFSET = 0x1f1;
const MAGIC_HDRS = 0x53726448;
const BOOT_FLAG = 0xaa55;

export const LOADED_HIGH = 0x01;
export const CAN_USE_HEAP = 0x80;
export const XLF_KERNEL_64 = 0x0001;

export interface LinuxHeader {
  readonly version: number;
  /** Real-mode part: boot sector and setup code. */
  readonly setupBytes: number;
  /** The rest of the file: the compressed kernel with its own loader. */
  readonly payloadBytes: number;
  /** File offset at which the header's fields end. */
  readonly headerEnd: number;
  readonly loadFlags: number;
  readonly code32Start: number;
  readonly initrdMax: number;
  readonly alignment: number;
  readonly relocatable: boolean;
  readonly xloadFlags: number;
  readonly commandLineMax: number;
  /** The compressed kernel proper, for those who unpack it: offset from the end of the setup part. */
  readonly packedOffset: number;
  readonly packedBytes: number;
  readonly preferredAddress: number;
  /** Memory that the kernel needs from its load address on before it reads the memory map. */
  readonly initBytes: number;
}

export function isLinuxImage(image: Uint8Array): boolean {
  if (image.length < 0x260) return false;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  return view.getUint32(0x202, true) === MAGIC_HDRS && view.getUint16(0x1fe, true) === BOOT_FLAG;
}

/** @throws NestboxError kind `bad-input` when the header is not to be trusted */
export function parseLinuxHeader(image: Uint8Array, name: string): LinuxHeader {
  if (!isLinuxImage(image)) throw loadError(`${name}: has no Linux boot header`);
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const version = view.getUint16(0x206, true);
  if (version < 0x0200) throw loadError(`${name}: unknown Linux boot protocol version 0x${version.toString(16)}`);
  const setupBytes = ((image[0x1f1] || 4) + 1) * 512;
  const headerEnd = 0x202 + (image[0x201] ?? 0);
  if (headerEnd < 0x220 || headerEnd > 0x290)
    throw loadError(`${name}: the Linux boot header has an impossible length`);
  if (setupBytes >= image.length) {
    throw loadError(
      `${name}: is truncated: the setup code alone has ${sizeText(setupBytes)}, the file ${sizeText(image.length)}`,
    );
  }
  const field32 = (offset: number, since: number, missing = 0): number =>
    version >= since ? view.getUint32(offset, true) : missing;
  const payloadBytes = image.length - setupBytes;
  // syssize counts 16-byte paragraphs; before 2.04 only its low half is right.
  const announced = (version >= 0x0204 ? view.getUint32(0x1f4, true) : view.getUint16(0x1f4, true)) * 16;
  if (announced > payloadBytes + 15) {
    throw loadError(
      `${name}: is truncated: its header says ${sizeText(setupBytes + announced)}, the file has ${sizeText(image.length)}`,
    );
  }
  const alignment = field32(0x230, 0x0205, 0x10_0000);
  const preferred = version >= 0x020a ? view.getBigUint64(0x258, true) : 0x10_0000n;
  if (preferred > 0xffff_ffffn) throw loadError(`${name}: wants to be loaded above 4 GiB`);
  return {
    version,
    setupBytes,
    payloadBytes,
    headerEnd,
    loadFlags: image[0x211] ?? 0,
    code32Start: view.getUint32(0x214, true),
    initrdMax: field32(0x22c, 0x0203, 0x37ff_ffff),
    alignment: alignment === 0 ? 0x10_0000 : alignment,
    relocatable: version >= 0x0205 && image[0x234] !== 0,
    xloadFlags: version >= 0x020c ? view.getUint16(0x236, true) : 0,
    commandLineMax: field32(0x238, 0x0206, 255),
    packedOffset: field32(0x248, 0x0208),
    packedBytes: field32(0x24c, 0x0208),
    preferredAddress: Number(preferred),
    initBytes: field32(0x260, 0x020a),
  };
}
