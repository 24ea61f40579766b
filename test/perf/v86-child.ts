// Runs one guest on v86 in this process; what the guest writes to its serial port goes to standard output.
// Usage: node v86-child.ts JSON, a Guest (engines.ts) with the paths of a BIOS and a VGA BIOS for Linux kernels.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

interface V86Guest {
  readonly kernel: string;
  readonly initrd?: string;
  readonly commandLine?: string;
  readonly memoryMib: number;
  readonly bios?: { readonly bios: string; readonly vga: string };
}
interface V86Machine {
  add_listener(event: string, listener: (value: number) => void): void;
}

const guest = JSON.parse(process.argv[2] ?? '') as V86Guest;
const bytes = (path: string): { buffer: ArrayBuffer } => ({ buffer: new Uint8Array(readFileSync(path)).buffer });
const linux = readFileSync(guest.kernel).toString('latin1', 0x202, 0x206) === 'HdrS';
const boot = linux
  ? {
      bzimage: bytes(guest.kernel),
      ...(guest.initrd === undefined ? {} : { initrd: bytes(guest.initrd) }),
      cmdline: guest.commandLine ?? '',
      ...(guest.bios === undefined ? {} : { bios: bytes(guest.bios.bios), vga_bios: bytes(guest.bios.vga) }),
    }
  : { multiboot: bytes(guest.kernel) };
const { V86 } = (await import('v86')) as unknown as { V86: new (options: object) => V86Machine };
const machine = new V86({
  wasm_path: createRequire(import.meta.url).resolve('v86/build/v86.wasm'),
  memory_size: guest.memoryMib << 20,
  vga_memory_size: 2 << 20,
  autostart: true,
  disable_keyboard: true,
  disable_mouse: true,
  ...boot,
});
machine.add_listener('serial0-output-byte', (byte) => void process.stdout.write(String.fromCharCode(byte)));
