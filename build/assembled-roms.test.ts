import { describe, expect, it } from 'vitest';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { assemble } from '../core/firmware/asm/assembler.ts';
import { romSource } from '../core/firmware/bios/rom/rom-source.ts';
import type { RomCode } from '../core/firmware/bios/types.ts';
import { vgaRomSource } from '../core/firmware/bios/video/vga-rom-source.ts';
import { assembledRoms, ROM_MODULES } from './assembled-roms.ts';

const SOURCES: Readonly<Record<string, () => string>> = { systemRomCode: romSource, vgaRomCode: vgaRomSource };

describe('the BIOS in bundles', () => {
  for (const [name, path] of Object.entries(ROM_MODULES)) {
    it(`${name} is what its source assembles to`, async () => {
      const text = await assembledRoms.load(fileURLToPath(new URL(`../${path}`, import.meta.url)));
      const folder = mkdtempSync(join(tmpdir(), 'nestbox-roms-'));
      try {
        const file = join(folder, 'rom.mjs');
        writeFileSync(file, text ?? '');
        const { [name]: code } = (await import(pathToFileURL(file).href)) as Record<string, () => RomCode>;
        const fresh = assemble(SOURCES[name]?.() ?? '');
        expect(fresh.bytes.length).toBeGreaterThan(400);
        expect(Buffer.compare(code?.().bytes ?? new Uint8Array(), fresh.bytes)).toBe(0);
        expect(code?.().symbols).toEqual(fresh.symbols);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }

  it('other modules stay as they are', async () => {
    expect(await assembledRoms.load(fileURLToPath(new URL('../core/firmware/bios/rom/rom-image.ts', import.meta.url)))).toBeUndefined();
  });
});
