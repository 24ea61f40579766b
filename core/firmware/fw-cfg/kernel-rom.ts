// An option ROM by which external firmware starts a kernel given with the machine: firmware finds it as "genroms/" file of
// fw_cfg and boots it like a network card's ROM (Plug and Play BIOS Specification 1.0A, section 3: bootstrap entry vector).
// The ROM asks the firmware for its memory map (INT 15h E820h) and hands it over; loading and entering the kernel is the
// machine's part, by the same loaders as with the built-in BIOS.

import type { DmaMemory } from '../../bus/dma.ts';
import type { AccessSize, PortDevice } from '../../bus/port-bus.ts';
import { assemble } from '../asm/assembler.ts';
import { checksumByte } from '../byte-writer.ts';
import type { MemoryMapEntry } from '../loaders/memory-map.ts';
import type { FwCfg } from './fw-cfg.ts';

/** An I/O port that no PC device uses, behind those of the built-in BIOS; a word written to it is the map's entry count. */
export const KERNEL_ROM_PORT = 0xb8b4;
export const KERNEL_ROM_PORT_COUNT = 2;

const ROM_FILE = 'genroms/nestbox-kernel.rom';
/** Its name in the "bootorder" file. */
export const KERNEL_ROM_BOOT_PATH = `/rom@${ROM_FILE}`;

/** Where the ROM gathers the map: free RAM while firmware boots. */
const MAP_ADDRESS = 0x10000;
const MAP_ENTRY_BYTES = 20;
/** Firmware has a handful of ranges; more would leave the segment. */
const MAX_MAP_ENTRIES = 128;
const ROM_BYTES = 512;
const PNP_HEADER_BYTES = 32;

const SOURCE = `
bits 16
org 0
  db 0x55, 0xaa, 1
  jmp short initialise
  times 0x18-($-$$) db 0
  dw 0
  dw pnp
align 16, db 0
pnp:
  db "$PnP", 1, ${PNP_HEADER_BYTES / 16}
  dw 0
  db 0
pnp_checksum:
  db 0
  dd 0
  dw manufacturer, product
  ; Device type, indicators: nothing that firmware must know.
  db 0, 0, 0, 0
  ; No boot connection vector, no disconnect vector, then the bootstrap entry vector.
  dw 0, 0, bootstrap, 0, 0
manufacturer: db "Nestbox", 0
product: db "Kernel of the machine", 0

; Answers that it has a device to boot from.
initialise:
  mov ax, 0x20
  retf

bootstrap:
  cld
  mov ax, ${MAP_ADDRESS / 16}
  mov es, ax
  xor di, di
  xor ebx, ebx
  xor bp, bp
.next:
  mov eax, 0xe820
  mov edx, 0x534d4150
  mov ecx, ${MAP_ENTRY_BYTES}
  int 0x15
  jc .end
  cmp eax, 0x534d4150
  jne .end
  inc bp
  add di, ${MAP_ENTRY_BYTES}
  cmp bp, ${MAX_MAP_ENTRIES}
  je .end
  test ebx, ebx
  jnz .next
.end:
  mov dx, ${KERNEL_ROM_PORT}
  mov ax, bp
  out dx, ax
  ; The kernel runs from here on; this is reached when it could not be started.
.stop:
  hlt
  jmp .stop
`;

/** The ROM image, 512 bytes, with its sums in place. */
export function kernelRom(): Uint8Array {
  const { bytes, symbols } = assemble(SOURCE);
  const rom = new Uint8Array(ROM_BYTES);
  rom.set(bytes);
  const header = symbols.get('pnp') ?? 0;
  rom[symbols.get('pnp_checksum') ?? 0] = checksumByte(rom.subarray(header, header + PNP_HEADER_BYTES));
  rom[rom.length - 1] = checksumByte(rom);
  return rom;
}

/** Offers the ROM to firmware. It boots from it first when the boot order begins with `KERNEL_ROM_BOOT_PATH`. */
export function addKernelRom(device: FwCfg): void {
  device.addFile(ROM_FILE, kernelRom());
}

/** Reads the map that the ROM gathered. Guests may write anything there: entries without sense are left out. */
function readMap(memory: DmaMemory, count: number): MemoryMapEntry[] {
  const bytes = new Uint8Array(Math.min(count, MAX_MAP_ENTRIES) * MAP_ENTRY_BYTES);
  memory.read(MAP_ADDRESS, bytes);
  const view = new DataView(bytes.buffer);
  const map: MemoryMapEntry[] = [];
  for (let at = 0; at < bytes.length; at += MAP_ENTRY_BYTES) {
    const base = Number(view.getBigUint64(at, true));
    const length = Number(view.getBigUint64(at + 8, true));
    if (Number.isSafeInteger(base) && Number.isSafeInteger(base + length)) map.push({ base, length, type: view.getUint32(at + 16, true) });
  }
  return map;
}

export interface KernelRomOptions {
  readonly memory: DmaMemory;
  /** The firmware boots the kernel: `map` is what it says of the memory. */
  readonly onBoot: (map: readonly MemoryMapEntry[]) => void;
}

/** The port that the ROM ends at. It keeps no state. */
export class KernelRomPort implements PortDevice {
  private readonly options: KernelRomOptions;

  constructor(options: KernelRomOptions) {
    this.options = options;
  }

  readPort(): number {
    return 0;
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    if (offset === 0 && size === 2) this.options.onBoot(readMap(this.options.memory, value));
  }
}
