// The BIOS in bundles: the modules that assemble it are replaced by what they give, so that no start of a machine assembles it
// again (0.1 s, and the assembler itself). What runs from the sources assembles.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RomCode } from '../core/firmware/bios/types.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Modules with one export, a function without parameters that gives a RomCode, by that function's name. */
export const ROM_MODULES: Readonly<Record<string, string>> = {
  systemRomCode: 'core/firmware/bios/rom/system-rom-code.ts',
  vgaRomCode: 'core/firmware/bios/video/vga-rom-code.ts',
};

/** JavaScript of a module with an export of this name that gives the same. */
export function moduleOf(name: string, { bytes, symbols }: RomCode): string {
  return `const code = {
  bytes: new Uint8Array(Buffer.from('${Buffer.from(bytes).toString('base64')}', 'base64')),
  symbols: new Map(${JSON.stringify([...symbols])}),
};
export function ${name}() {
  return code;
}
`;
}

/** Plugin of Rolldown. */
export const assembledRoms = {
  name: 'assembled-roms',
  async load(id: string): Promise<string | undefined> {
    const name = Object.keys(ROM_MODULES).find((key) => join(root, ROM_MODULES[key] ?? '') === id);
    if (name === undefined) return undefined;
    const { [name]: code } = (await import(id)) as Record<string, () => RomCode>;
    if (code === undefined) throw new Error(`${id} does not export ${name}`);
    return moduleOf(name, code());
  },
};
