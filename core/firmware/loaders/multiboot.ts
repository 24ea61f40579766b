// Starts kernels that follow the Multiboot specification 0.6.96 (version 1): the header's own addresses or the ELF program
// headers say where the image goes; EAX holds the magic, EBX the information block. Gives memory sizes and map, command
// line, modules and the loader's name; graphics requests are answered with text mode, as the specification allows.

import type { DmaMemory } from '../../bus/dma.ts';
import { ByteWriter, utf8 } from '../byte-writer.ts';
import { isElf, parseElf, placeElf, toPhysical } from './elf.ts';
import { entryGdt, type EntryState, GDT_BYTES, protectedEntry } from './entry-state.ts';
import { LoadArea, loadError, sizeText } from './load-area.ts';
import { E820_USABLE, type MemoryMapEntry } from './memory-map.ts';

export interface MultibootModule {
  readonly content: Uint8Array;
  /** The module's string: by custom its name and arguments. */
  readonly text: string;
}

export interface MultibootOptions {
  readonly memory: DmaMemory;
  readonly memoryMap: readonly MemoryMapEntry[];
  readonly commandLine?: string | undefined;
  readonly modules?: readonly MultibootModule[] | undefined;
  readonly kernelName?: string | undefined;
}

const HEADER_MAGIC = 0x1badb002;
const BOOT_MAGIC = 0x2badb002;
const SEARCH_BYTES = 8192;

const FLAG_ALIGN_MODULES = 1 << 0;
const FLAG_MEMORY_INFO = 1 << 1;
const FLAG_VIDEO_MODE = 1 << 2;
const FLAG_ADDRESSES = 1 << 16;
/** Requirements (low half) that this loader meets. */
const KNOWN_REQUIREMENTS = FLAG_ALIGN_MODULES | FLAG_MEMORY_INFO | FLAG_VIDEO_MODE;

const INFO_MEMORY = 1 << 0;
const INFO_COMMAND_LINE = 1 << 2;
const INFO_MODULES = 1 << 3;
const INFO_MEMORY_MAP = 1 << 6;
const INFO_LOADER_NAME = 1 << 9;
const INFO_BYTES = 120;
const MAP_ENTRY_BYTES = 24;
const MODULE_ENTRY_BYTES = 16;
const MAX_MODULES = 256;
const MAX_TEXT_BYTES = 0xffff;
const LOADER_NAME = 'Nestbox';

export interface MultibootHeader {
  readonly fileOffset: number;
  readonly flags: number;
}

/** The header in the first 8 KiB, 4-byte aligned, checksum right; undefined when there is none. */
export function findMultibootHeader(image: Uint8Array): MultibootHeader | undefined {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const end = Math.min(image.length, SEARCH_BYTES) - 12;
  for (let offset = 0; offset <= end; offset += 4) {
    if (view.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(offset + 4, true);
    const checksum = view.getUint32(offset + 8, true);
    if (((HEADER_MAGIC + flags + checksum) & 0xffff_ffff) === 0) return { fileOffset: offset, flags };
  }
  return undefined;
}

/** @throws NestboxError kind `bad-input` */
export function loadMultiboot(image: Uint8Array, options: MultibootOptions): EntryState {
  const name = options.kernelName ?? 'kernel';
  const header = findMultibootHeader(image);
  if (header === undefined) throw loadError(`${name}: has no Multiboot header in its first 8 KiB`);
  const unknown = header.flags & 0xffff & ~KNOWN_REQUIREMENTS;
  if (unknown !== 0)
    throw loadError(
      `${name}: its Multiboot header requires features that are not known (flags 0x${unknown.toString(16)})`,
    );

  const area = new LoadArea(options.memory, options.memoryMap);
  const kernel =
    (header.flags & FLAG_ADDRESSES) !== 0 ? placeByAddresses(area, image, header, name) : placeByElf(area, image, name);

  const modules = placeModules(area, options, kernel.end);
  const information = placeInformation(area, options, modules, kernel.end);
  return protectedEntry(kernel.entry, information.gdt, { rax: BOOT_MAGIC, rbx: information.base });
}

interface PlacedKernel {
  readonly entry: number;
  readonly end: number;
}

function placeByElf(area: LoadArea, image: Uint8Array, name: string): PlacedKernel {
  if (!isElf(image)) throw loadError(`${name}: its Multiboot header gives no addresses and it is not an ELF file`);
  const elf = parseElf(image, name);
  const loaded = placeElf(area, image, elf, name);
  const entry = toPhysical(elf, elf.entry);
  if (entry < loaded.lowest || entry >= loaded.end)
    throw loadError(`${name}: its entry 0x${entry.toString(16)} lies outside the kernel`);
  return { entry, end: loaded.end };
}

/** The "a.out kludge": header_addr, load_addr, load_end_addr, bss_end_addr and entry_addr behind the checksum. */
function placeByAddresses(area: LoadArea, image: Uint8Array, header: MultibootHeader, name: string): PlacedKernel {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (header.fileOffset + 32 > image.length) throw loadError(`${name}: is truncated inside its Multiboot header`);
  const field = (index: number): number => view.getUint32(header.fileOffset + 12 + index * 4, true);
  const headerAddress = field(0);
  const loadAddress = field(1);
  const loadEnd = field(2);
  const bssEnd = field(3);
  const entry = field(4);
  const skipped = headerAddress - loadAddress;
  if (skipped < 0 || skipped > header.fileOffset)
    throw loadError(`${name}: the load address in its Multiboot header is wrong`);
  const fileStart = header.fileOffset - skipped;
  const fileBytes = loadEnd === 0 ? image.length - fileStart : loadEnd - loadAddress;
  if (fileBytes < 0)
    throw loadError(`${name}: the load end address in its Multiboot header lies before the load address`);
  if (fileStart + fileBytes > image.length) {
    throw loadError(
      `${name}: is truncated: its Multiboot header says ${sizeText(fileStart + fileBytes)}, the file has ${sizeText(image.length)}`,
    );
  }
  const end = Math.max(loadAddress + fileBytes, bssEnd);
  if (bssEnd !== 0 && bssEnd < loadAddress + fileBytes)
    throw loadError(`${name}: the bss end address in its Multiboot header lies inside the image`);
  area.reserve(loadAddress, end - loadAddress, `${name}: the kernel`);
  area.fill(loadAddress, image.subarray(fileStart, fileStart + fileBytes));
  area.zero(loadAddress + fileBytes, end - loadAddress - fileBytes);
  if (entry < loadAddress || entry >= end)
    throw loadError(`${name}: its entry 0x${entry.toString(16)} lies outside the kernel`);
  return { entry, end };
}

interface PlacedModule {
  readonly start: number;
  readonly end: number;
  readonly text: Uint8Array;
}

function textBytes(text: string, what: string): Uint8Array {
  const bytes = utf8(text);
  if (bytes.length > MAX_TEXT_BYTES)
    throw loadError(`${what} has ${bytes.length} bytes; ${MAX_TEXT_BYTES} are the most`);
  if (bytes.includes(0)) throw loadError(`${what} holds a NUL character`);
  return bytes;
}

function placeModules(area: LoadArea, options: MultibootOptions, kernelEnd: number): PlacedModule[] {
  const modules = options.modules ?? [];
  if (modules.length > MAX_MODULES) throw loadError(`${modules.length} Multiboot modules are more than ${MAX_MODULES}`);
  let from = kernelEnd;
  return modules.map((module, index) => {
    const what = `Multiboot module ${index + 1} (${module.text.slice(0, 80)})`;
    const length = module.content.length;
    const start = area.findAbove(from, length, 4096);
    if (start === undefined)
      throw loadError(`${what}: ${sizeText(length)} do not fit into the machine's memory; give it more memory`);
    area.place(start, module.content, what);
    from = start + length;
    return { start, end: start + length, text: textBytes(module.text, what) };
  });
}

function placeInformation(
  area: LoadArea,
  options: MultibootOptions,
  modules: readonly PlacedModule[],
  kernelEnd: number,
): { base: number; gdt: number } {
  const name = options.kernelName ?? 'kernel';
  const commandLine = textBytes(
    `${name}${options.commandLine === undefined || options.commandLine === '' ? '' : ` ${options.commandLine}`}`,
    'The kernel command line',
  );
  const map = options.memoryMap;
  const mapOffset = INFO_BYTES;
  const modulesOffset = mapOffset + map.length * MAP_ENTRY_BYTES;
  const gdtOffset = Math.ceil((modulesOffset + modules.length * MODULE_ENTRY_BYTES) / 8) * 8;
  const loaderOffset = gdtOffset + GDT_BYTES;
  const commandLineOffset = loaderOffset + LOADER_NAME.length + 1;
  let textOffset = commandLineOffset + commandLine.length + 1;
  const moduleTextOffsets = modules.map((module) => {
    const at = textOffset;
    textOffset += module.text.length + 1;
    return at;
  });
  // Behind kernel and modules, where kernels that look for free memory expect the loader's data.
  const after = Math.max(kernelEnd, ...modules.map((module) => module.end));
  const base = area.findAbove(after, textOffset, 4096) ?? area.findAbove(0x1000, textOffset, 4096);
  if (base === undefined)
    throw loadError(`${name}: no room for the Multiboot information; give the machine more memory`);

  const lower = map.find((entry) => entry.type === E820_USABLE && entry.base === 0)?.length ?? 0;
  const upper = map.find((entry) => entry.type === E820_USABLE && entry.base === 0x10_0000)?.length ?? 0;
  const block = new ByteWriter()
    .u32(INFO_MEMORY | INFO_COMMAND_LINE | INFO_MEMORY_MAP | INFO_LOADER_NAME | (modules.length > 0 ? INFO_MODULES : 0))
    .u32(lower / 1024)
    .u32(upper / 1024)
    .u32(0) // boot_device: not valid
    .u32(base + commandLineOffset)
    .u32(modules.length)
    .u32(modules.length > 0 ? base + modulesOffset : 0)
    .zeroes(16) // symbols: not valid
    .u32(map.length * MAP_ENTRY_BYTES)
    .u32(base + mapOffset)
    .zeroes(12) // drives, configuration table: not valid
    .u32(base + loaderOffset);
  block.zeroes(INFO_BYTES - block.length); // APM, VBE and frame buffer: not valid
  for (const range of map) {
    block
      .u32(MAP_ENTRY_BYTES - 4)
      .u64(range.base)
      .u64(range.length)
      .u32(range.type);
  }
  modules.forEach((module, index) =>
    block
      .u32(module.start)
      .u32(module.end)
      .u32(base + (moduleTextOffsets[index] ?? 0))
      .u32(0),
  );
  block.align(8).bytes(entryGdt('protected32')).text(LOADER_NAME).u8(0).bytes(commandLine).u8(0);
  for (const module of modules) block.bytes(module.text).u8(0);
  area.place(base, block.toBytes(), 'the Multiboot information');
  return { base, gdt: base + gdtOffset };
}
