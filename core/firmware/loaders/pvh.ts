// Starts an ELF kernel by the PVH protocol (Xen's x86/HVM direct boot ABI, start info version 1): note "Xen" type 18 names
// a 32-bit entry, EBX points to the start info with memory map, command line, initrd and ACPI root pointer.

import type { DmaMemory } from '../../bus/dma.ts';
import { ByteWriter, utf8 } from '../byte-writer.ts';
import { type ElfFile, findNote, parseElf, placeElf } from './elf.ts';
import { entryGdt, type EntryState, GDT_BYTES, protectedEntry } from './entry-state.ts';
import { LoadArea, loadError, sizeText } from './load-area.ts';
import type { MemoryMapEntry } from './memory-map.ts';

export interface PvhBootOptions {
  readonly memory: DmaMemory;
  readonly memoryMap: readonly MemoryMapEntry[];
  readonly initrd?: Uint8Array | undefined;
  readonly commandLine?: string | undefined;
  readonly kernelName?: string | undefined;
  readonly initrdName?: string | undefined;
  readonly rsdpAddress?: number | undefined;
}

const NOTE_OWNER = 'Xen';
const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const START_INFO_MAGIC = 0x336ec578;
const START_INFO_VERSION = 1;
const START_INFO_BYTES = 56;
const MODULE_BYTES = 32;
const MAP_ENTRY_BYTES = 24;
const MAX_COMMAND_LINE_BYTES = 0xffff;

/** The PVH entry address, or undefined when the kernel has none. */
export function pvhEntry(image: Uint8Array, elf: ElfFile): number | undefined {
  const note = findNote(image, elf, NOTE_OWNER, XEN_ELFNOTE_PHYS32_ENTRY);
  if (note === undefined || note.length < 4) return undefined;
  const view = new DataView(note.buffer, note.byteOffset, note.byteLength);
  if (note.length >= 8 && view.getUint32(4, true) !== 0) return undefined;
  return view.getUint32(0, true);
}

/** @throws NestboxError kind `bad-input` */
export function loadPvh(image: Uint8Array, options: PvhBootOptions): EntryState {
  const name = options.kernelName ?? 'kernel';
  const elf = parseElf(image, name);
  const entry = pvhEntry(image, elf);
  if (entry === undefined) throw loadError(`${name}: has no PVH entry (ELF note "Xen" 18)`);
  const area = new LoadArea(options.memory, options.memoryMap);
  const loaded = placeElf(area, image, elf, name);
  if (entry < loaded.lowest || entry >= loaded.end)
    throw loadError(`${name}: its PVH entry 0x${entry.toString(16)} lies outside the kernel`);

  const initrd = placeInitrd(area, options, loaded.end);
  const commandLine = utf8(options.commandLine ?? '');
  if (commandLine.length > MAX_COMMAND_LINE_BYTES)
    throw loadError(`The kernel command line has ${commandLine.length} bytes; ${MAX_COMMAND_LINE_BYTES} are the most`);
  if (commandLine.includes(0)) throw loadError('The kernel command line holds a NUL character');

  const map = options.memoryMap;
  const mapOffset = START_INFO_BYTES + MODULE_BYTES;
  const commandLineOffset = mapOffset + map.length * MAP_ENTRY_BYTES;
  const gdtOffset = Math.ceil((commandLineOffset + commandLine.length + 1) / 8) * 8;
  const total = gdtOffset + GDT_BYTES;
  const base = area.findAbove(0x1000, total, 4096);
  if (base === undefined) throw loadError(`${name}: no room for the start information; give the machine more memory`);
  const block = new ByteWriter()
    .u32(START_INFO_MAGIC)
    .u32(START_INFO_VERSION)
    .u32(0)
    .u32(initrd === undefined ? 0 : 1)
    .u64(initrd === undefined ? 0 : base + START_INFO_BYTES)
    .u64(base + commandLineOffset)
    .u64(options.rsdpAddress ?? 0)
    .u64(base + mapOffset)
    .u32(map.length)
    .u32(0)
    .u64(initrd?.address ?? 0)
    .u64(initrd?.length ?? 0)
    .u64(0)
    .u64(0);
  for (const range of map) block.u64(range.base).u64(range.length).u32(range.type).u32(0);
  block.bytes(commandLine).u8(0).align(8).bytes(entryGdt('protected32'));
  area.place(base, block.toBytes(), 'the start information');
  return protectedEntry(entry, base + gdtOffset, { rbx: base });
}

function placeInitrd(
  area: LoadArea,
  options: PvhBootOptions,
  kernelEnd: number,
): { address: number; length: number } | undefined {
  const initrd = options.initrd;
  if (initrd === undefined) return undefined;
  const name = options.initrdName ?? 'initrd';
  if (initrd.length === 0) throw loadError(`${name}: is empty`);
  // Kernels map their own surroundings first, so the top of low RAM is the customary place.
  const address = area.findBelow(0x1_0000_0000, initrd.length, 4096);
  if (address === undefined || address < kernelEnd) {
    throw loadError(
      `${name}: ${sizeText(initrd.length)} do not fit into the machine's memory beside the kernel; give it more memory`,
    );
  }
  area.place(address, initrd, name);
  return { address, length: initrd.length };
}
