// Firmware images that machines of the library can start with beside the built-in BIOS: those that the host's packages bring,
// and those that machines use already. Windows choose them by handle and never name a path.

import { existsSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { FirmwareChoice } from '../protocol/library.ts';
import type { FileHandles } from './file-handles.ts';

/** Debian and Ubuntu, Fedora, Arch, openSUSE. Whole images only: a split one (CODE without VARS) keeps no settings. */
const KNOWN: readonly (readonly [FirmwareChoice['kind'], readonly string[]])[] = [
  ['seabios', ['/usr/share/seabios/bios-256k.bin', '/usr/share/qemu/bios-256k.bin']],
  ['ovmf', ['/usr/share/ovmf/OVMF.fd', '/usr/share/edk2/ovmf/OVMF.fd', '/usr/share/edk2-ovmf/x64/OVMF.4m.fd', '/usr/share/edk2/x64/OVMF.4m.fd', '/usr/share/qemu/ovmf-x86_64.bin']],
];

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The first that is there of each kind. */
function found(): { readonly kind: FirmwareChoice['kind']; readonly path: string }[] {
  return KNOWN.flatMap(([kind, paths]) => {
    const path = paths.find(isFile);
    return path === undefined ? [] : [{ kind, path }];
  });
}

/** What kind of firmware a machine's settings name. */
export function firmwareKind(path: string): 'bios' | FirmwareChoice['kind'] {
  if (path === 'bios') return 'bios';
  return KNOWN.find(([, paths]) => paths.includes(path))?.[0] ?? (/ovmf|edk2/i.test(path) ? 'ovmf' : 'other');
}

export function uefiFirmwarePath(): string | undefined {
  return found().find((entry) => entry.kind === 'ovmf')?.path;
}

/** @param used paths that machines have in their settings */
export function firmwareChoices(files: FileHandles, used: readonly string[]): FirmwareChoice[] {
  const known = found();
  const others = [...new Set(used)].filter((path) => !known.some((entry) => entry.path === path)).map((path) => ({ kind: 'other' as const, path }));
  return [...known, ...others].map(({ kind, path }) => ({ firmware: files.grant(path), kind, fileName: basename(path), folder: dirname(path), missing: !existsSync(path) }));
}
