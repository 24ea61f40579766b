// Starts a Linux bzImage (boot protocol 2.06 and later) without a boot loader: kernel, initrd, command line and zero page
// go to memory, the CPU enters at the 32-bit or 64-bit entry. `realModeEntry` starts the 16-bit setup code instead, which
// asks the BIOS for memory map and video mode and works with protocol 2.02 too. With `unpackers` the kernel proper is taken
// out of the image and started in place, which saves the guest the work of its own decompressor (and its relocation to a
// random address).

import type { DmaMemory } from '../../bus/dma.ts';
import { utf8 } from '../byte-writer.ts';
import { type ElfFile, parseElf, placeElfInside, toPhysical } from './elf.ts';
import {
  entryGdt,
  type EntryState,
  IDENTITY_TABLE_BYTES,
  identityPageTables,
  longEntry,
  protectedEntry,
  realEntry,
} from './entry-state.ts';
import { LoadArea, loadError, sizeText } from './load-area.ts';
import {
  CAN_USE_HEAP,
  type LinuxHeader,
  LOADED_HIGH,
  parseLinuxHeader,
  SETUP_HEADER_OFFSET,
  XLF_KERNEL_64,
} from './linux-header.ts';
import type { MemoryMapEntry } from './memory-map.ts';
import { extractVmlinux, type Unpackers } from './vmlinux.ts';

export interface LinuxBootOptions {
  readonly memory: DmaMemory;
  readonly memoryMap: readonly MemoryMapEntry[];
  readonly initrd?: Uint8Array | undefined;
  readonly commandLine?: string | undefined;
  /** File names for messages. */
  readonly kernelName?: string | undefined;
  readonly initrdName?: string | undefined;
  /** Address of the ACPI root pointer, for kernels that take it (2.14); others search for it. */
  readonly rsdpAddress?: number | undefined;
  /** Where to enter; `auto` takes the 64-bit entry where the kernel has one and `longMode` is there. */
  readonly entry?: 'auto' | '16-bit' | '32-bit' | '64-bit' | undefined;
  /** Whether the virtual CPU has long mode. */
  readonly longMode?: boolean | undefined;
  /** Start the unpacked kernel itself where its format is one of these. */
  readonly unpackers?: Unpackers | undefined;
}

const LOAD_ADDRESS = 0x10_0000;
const GDT_ADDRESS = 0x1000;
const ZERO_PAGE_ADDRESS = 0x2000;
const PAGE_TABLES_ADDRESS = 0x3000;
const STACK_TOP = 0x1_0000;
const SETUP_SEGMENT = 0x1000;
const COMMAND_LINE_ADDRESS = 0x2_0000;
const COMMAND_LINE_ROOM = 0x1_0000;
const ZERO_PAGE_BYTES = 4096;
const MAX_E820_ENTRIES = 128;
const ENTRY64_OFFSET = 0x200;
const LOADER_UNKNOWN = 0xff;
const HEAP_END = 0xe000;

/** @throws NestboxError kind `bad-input` naming what is wrong with kernel, initrd or command line */
export function loadLinux(image: Uint8Array, options: LinuxBootOptions): EntryState {
  const name = options.kernelName ?? 'kernel';
  const header = parseLinuxHeader(image, name);
  if ((header.loadFlags & LOADED_HIGH) === 0)
    throw loadError(`${name}: is a zImage, an old format that loads below 1 MiB; only bzImage kernels start directly`);
  const has64 = (header.xloadFlags & XLF_KERNEL_64) !== 0 && options.longMode !== false;
  const wanted = options.entry ?? 'auto';
  const entry = wanted === 'auto' ? (has64 ? '64-bit' : '32-bit') : wanted;
  if (entry === '64-bit' && !has64) throw loadError(`${name}: has no 64-bit entry`);
  const oldest = entry === '16-bit' ? 0x0202 : 0x0206;
  if (header.version < oldest) {
    const text = `${header.version >> 8}.${(header.version & 0xff).toString().padStart(2, '0')}`;
    throw loadError(`${name}: speaks Linux boot protocol ${text}; direct boot needs 2.06 or later`);
  }
  const area = new LoadArea(options.memory, options.memoryMap);
  const unpacked = entry === '16-bit' ? undefined : placeUnpacked(area, image, header, name, entry, options.unpackers);
  if (unpacked === undefined) placeKernel(area, image, header, name);
  const commandLineBytes = placeCommandLine(area, header, options, name);
  const initrd = placeInitrd(area, header, options);
  const fields = { initrd, commandLineBytes };
  if (entry === '16-bit') return enterRealMode(area, image, header, fields);
  area.place(ZERO_PAGE_ADDRESS, zeroPage(image, header, options, fields), 'the zero page');
  area.place(GDT_ADDRESS, entryGdt(entry === '64-bit' ? 'long64' : 'protected32'), 'the descriptor table');
  const registers = { rsi: ZERO_PAGE_ADDRESS, rsp: STACK_TOP };
  if (entry === '32-bit') return protectedEntry(unpacked ?? LOAD_ADDRESS, GDT_ADDRESS, registers);
  area.reserve(PAGE_TABLES_ADDRESS, IDENTITY_TABLE_BYTES, 'the page tables');
  area.fill(PAGE_TABLES_ADDRESS, identityPageTables(PAGE_TABLES_ADDRESS));
  return longEntry(unpacked ?? LOAD_ADDRESS + ENTRY64_OFFSET, GDT_ADDRESS, PAGE_TABLES_ADDRESS, registers);
}

function placeKernel(area: LoadArea, image: Uint8Array, header: LinuxHeader, name: string): void {
  const payload = image.subarray(header.setupBytes);
  area.place(LOAD_ADDRESS, payload, `${name}: the kernel`);
  // The kernel unpacks itself to its preferred address; the initrd must keep away from there.
  if (header.initBytes === 0) return;
  const run = runAddress(header);
  const loadedEnd = LOAD_ADDRESS + payload.length;
  const start = Math.max(run, loadedEnd);
  const end = run + header.initBytes;
  if (end > start) area.reserve(start, end - start, `${name}: the unpacked kernel`);
}

/** Where the kernel runs once it is unpacked. */
function runAddress(header: LinuxHeader): number {
  if (!header.relocatable) return header.preferredAddress;
  return Math.max(Math.ceil(LOAD_ADDRESS / header.alignment) * header.alignment, header.preferredAddress);
}

/**
 * Places the unpacked kernel at its link address and returns its entry; undefined when it cannot be had or is not laid out
 * as expected, and the image starts as it is.
 */
function placeUnpacked(
  area: LoadArea,
  image: Uint8Array,
  header: LinuxHeader,
  name: string,
  entry: '32-bit' | '64-bit',
  unpackers: Unpackers | undefined,
): number | undefined {
  if (unpackers === undefined || header.initBytes === 0) return undefined;
  const kernel = extractVmlinux(image, name, unpackers);
  if (kernel === undefined) return undefined;
  let elf: ElfFile;
  try {
    elf = parseElf(kernel, name);
  } catch {
    return undefined;
  }
  const run = runAddress(header);
  const start = toPhysical(elf, elf.entry);
  if (elf.bits !== (entry === '64-bit' ? 64 : 32) || start < run || start >= run + header.initBytes) return undefined;
  return placeElfInside(area, kernel, elf, run, header.initBytes, `${name}: the unpacked kernel`) ? start : undefined;
}

function placeCommandLine(area: LoadArea, header: LinuxHeader, options: LinuxBootOptions, name: string): number {
  const text = utf8(options.commandLine ?? '');
  const limit = Math.min(header.commandLineMax, COMMAND_LINE_ROOM - 1);
  if (text.length > limit) throw loadError(`The kernel command line has ${text.length} bytes; ${name} takes ${limit}`);
  if (text.includes(0)) throw loadError('The kernel command line holds a NUL character');
  const terminated = new Uint8Array(text.length + 1);
  terminated.set(text);
  area.place(COMMAND_LINE_ADDRESS, terminated, 'the command line');
  return text.length;
}

interface Placed {
  readonly address: number;
  readonly length: number;
}

function placeInitrd(area: LoadArea, header: LinuxHeader, options: LinuxBootOptions): Placed | undefined {
  const initrd = options.initrd;
  if (initrd === undefined) return undefined;
  const name = options.initrdName ?? 'initrd';
  if (initrd.length === 0) throw loadError(`${name}: is empty`);
  const address = area.findBelow(Math.min(header.initrdMax + 1, 0xffff_f000), initrd.length, 4096);
  if (address === undefined || address < LOAD_ADDRESS) {
    throw loadError(
      `${name}: ${sizeText(initrd.length)} do not fit into the machine's memory beside the kernel; give it more memory`,
    );
  }
  area.place(address, initrd, name);
  return { address, length: initrd.length };
}

interface BootFields {
  readonly initrd: Placed | undefined;
  readonly commandLineBytes: number;
}

/** struct boot_params: screen data, the image's own setup header with the loader's fields filled in, the memory map. */
function zeroPage(image: Uint8Array, header: LinuxHeader, options: LinuxBootOptions, fields: BootFields): Uint8Array {
  const page = new Uint8Array(ZERO_PAGE_BYTES);
  const view = new DataView(page.buffer);
  // screen_info: the colour text mode 3 that firmware leaves behind, cursor at the top.
  const aboveOneMib = options.memoryMap.find((entry) => entry.type === 1 && entry.base === LOAD_ADDRESS)?.length ?? 0;
  view.setUint16(0x02, Math.min(aboveOneMib >>> 10, 0xffff), true);
  page[0x06] = 3;
  page[0x07] = 80;
  page[0x0e] = 25;
  page[0x0f] = 1;
  view.setUint16(0x10, 16, true);
  if (options.rsdpAddress !== undefined && header.version >= 0x020e)
    view.setBigUint64(0x70, BigInt(options.rsdpAddress), true);
  view.setUint32(0x1e0, Math.min(Math.floor(aboveOneMib / 1024), 0xffff_ffff), true);

  page.set(image.subarray(SETUP_HEADER_OFFSET, Math.min(header.headerEnd, 0x290)), SETUP_HEADER_OFFSET);
  fillLoaderFields(page, fields);
  view.setUint32(0x228, COMMAND_LINE_ADDRESS, true);

  const map = options.memoryMap.slice(0, MAX_E820_ENTRIES);
  page[0x1e8] = map.length;
  map.forEach((entry, index) => {
    const at = 0x2d0 + index * 20;
    view.setBigUint64(at, BigInt(entry.base), true);
    view.setBigUint64(at + 8, BigInt(entry.length), true);
    view.setUint32(at + 16, entry.type, true);
  });
  return page;
}

/** The header fields that a boot loader writes, at their offsets from the start of the setup part. */
function fillLoaderFields(setup: Uint8Array, fields: BootFields): void {
  const view = new DataView(setup.buffer, setup.byteOffset, setup.byteLength);
  setup[0x210] = LOADER_UNKNOWN;
  view.setUint16(0x1fa, 0xffff, true); // vid_mode "normal"
  view.setUint32(0x218, fields.initrd?.address ?? 0, true);
  view.setUint32(0x21c, fields.initrd?.length ?? 0, true);
}

/** The 16-bit entry: the setup part at 0x10000, its heap behind it, the command line above. */
function enterRealMode(area: LoadArea, image: Uint8Array, header: LinuxHeader, fields: BootFields): EntryState {
  const setup = image.slice(0, header.setupBytes);
  if (setup.length > HEAP_END - 0x1000) throw loadError('The kernel has more setup code than fits below its heap');
  const view = new DataView(setup.buffer);
  fillLoaderFields(setup, fields);
  setup[0x211] = (setup[0x211] ?? 0) | CAN_USE_HEAP;
  view.setUint16(0x224, HEAP_END - 0x200, true);
  view.setUint32(0x228, COMMAND_LINE_ADDRESS, true);
  area.reserve(SETUP_SEGMENT * 16, COMMAND_LINE_ADDRESS - SETUP_SEGMENT * 16, 'the setup code');
  area.fill(SETUP_SEGMENT * 16, setup);
  return realEntry(SETUP_SEGMENT + 0x20, 0, SETUP_SEGMENT, HEAP_END);
}
