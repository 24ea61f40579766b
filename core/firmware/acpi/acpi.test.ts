import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as aml from './aml.ts';
import type { AcpiBoard } from './board.ts';
import { acpiFiles, placeAcpiTables } from './place-tables.ts';
import { buildAcpiTables } from './tables.ts';

const board: AcpiBoard = { lowRamBytes: 0x1000_0000, apicIds: [0, 1, 2, 3], ioApicId: 0, parallelPort: true, generationIdAddress: 0xfef1_0000 };
const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const ascii = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** Physical memory as far as tables use it, read back as an operating system does. */
class Placed {
  readonly blocks: { address: number; bytes: Uint8Array; region: string }[] = [];
  private next = 0x0fff_0000;

  readonly place = (bytes: Uint8Array, alignment: number, region: string): number => {
    this.next = Math.ceil(this.next / alignment) * alignment;
    const address = region === 'f-segment' ? 0xf_6000 : this.next;
    if (region !== 'f-segment') this.next += bytes.length;
    this.blocks.push({ address, bytes, region });
    return address;
  };

  at(address: number): Uint8Array {
    const block = this.blocks.find((entry) => entry.address === address);
    if (block === undefined) throw new Error(`nothing at ${address.toString(16)}`);
    return block.bytes;
  }

  table(address: number, signature: string): Uint8Array {
    const bytes = this.at(address);
    expect(ascii(bytes.subarray(0, 4))).toBe(signature);
    expect(viewOf(bytes).getUint32(4, true)).toBe(bytes.length);
    expect(sum(bytes)).toBe(0);
    return bytes;
  }
}

function placed(): { memory: Placed; rsdp: Uint8Array; facp: Uint8Array; byName: (name: string) => Uint8Array } {
  const memory = new Placed();
  const rsdp = memory.at(placeAcpiTables(buildAcpiTables(board), memory.place));
  const rsdt = memory.table(viewOf(rsdp).getUint32(16, true), 'RSDT');
  const listed: Uint8Array[] = [];
  for (let at = 36; at < rsdt.length; at += 4) listed.push(memory.at(viewOf(rsdt).getUint32(at, true)));
  const byName = (name: string): Uint8Array => {
    const found = listed.find((bytes) => ascii(bytes.subarray(0, 4)) === name);
    if (found === undefined) throw new Error(`${name} is not listed`);
    expect(sum(found)).toBe(0);
    return found;
  };
  return { memory, rsdp, facp: byName('FACP'), byName };
}

describe('AML', () => {
  it('codes names, numbers and lengths', () => {
    expect([...aml.path('\\')]).toEqual([0x5c, 0]);
    expect(ascii(aml.path('\\_SB'))).toBe('\\_SB_');
    expect(ascii(aml.path('^^A.B'))).toBe('^^.A___B___');
    expect(ascii(aml.path('\\A.B.C'))).toBe('\\/\x03A___B___C___');
    expect(() => aml.path('toolong')).toThrow();
    expect([...aml.integer(0x12345)]).toEqual([0x0c, 0x45, 0x23, 1, 0]);
    expect([...aml.integer(2 ** 32)]).toEqual([0x0e, 0, 0, 0, 0, 1, 0, 0, 0]);
    expect([...aml.eisaId('PNP0A03')]).toEqual([0x0c, 0x41, 0xd0, 0x0a, 0x03]);
    expect([...aml.buffer(new Uint8Array(58)).subarray(0, 4)]).toEqual([0x11, 61, 0x0a, 58]);
    expect([...aml.buffer(new Uint8Array(61)).subarray(0, 5)]).toEqual([0x11, 0x41, 0x04, 0x0a, 61]);
    expect([...aml.buffer(new Uint8Array(0x1000)).subarray(0, 4)]).toEqual([0x11, 0x86, 0x00, 0x01]);
  });
});

describe('ACPI tables', () => {
  it('hang together from the root pointer on', () => {
    const { memory, rsdp, facp } = placed();
    expect(ascii(rsdp.subarray(0, 8))).toBe('RSD PTR ');
    expect(sum(rsdp.subarray(0, 20))).toBe(0);
    expect(sum(rsdp)).toBe(0);
    expect(rsdp[15]).toBe(2);
    const view = viewOf(rsdp);
    const rsdt = memory.table(view.getUint32(16, true), 'RSDT');
    const xsdt = memory.table(Number(view.getBigUint64(24, true)), 'XSDT');
    const listed32 = [...Array((rsdt.length - 36) / 4).keys()].map((index) =>
      viewOf(rsdt).getUint32(36 + index * 4, true),
    );
    const listed64 = [...Array((xsdt.length - 36) / 8).keys()].map((index) =>
      Number(viewOf(xsdt).getBigUint64(36 + index * 8, true)),
    );
    expect(listed64).toEqual(listed32);
    expect(listed32.map((address) => ascii(memory.at(address).subarray(0, 4)))).toEqual(['FACP', 'APIC', 'HPET']);
    const dsdt = viewOf(facp).getUint32(40, true);
    memory.table(dsdt, 'DSDT');
    expect(Number(viewOf(facp).getBigUint64(140, true))).toBe(dsdt);
    const facs = viewOf(facp).getUint32(36, true);
    expect(facs % 64).toBe(0);
    expect(ascii(memory.at(facs).subarray(0, 4))).toBe('FACS');
    expect(memory.blocks.find((block) => block.address === facs)?.region).toBe('acpi-nvs');
  });

  it('give the addresses of the PIIX4 power management', () => {
    const { facp } = placed();
    const view = viewOf(facp);
    expect(facp.length).toBe(244);
    expect(facp[8]).toBe(3);
    expect(view.getUint16(46, true)).toBe(9);
    expect(view.getUint32(48, true)).toBe(0xb2);
    expect([facp[52], facp[53]]).toEqual([0xf1, 0xf0]);
    expect([56, 64, 76, 80].map((offset) => view.getUint32(offset, true))).toEqual([0x600, 0x604, 0x608, 0xafe0]);
    expect([88, 89, 91, 92].map((offset) => facp[offset])).toEqual([4, 2, 4, 4]);
    expect(facp[108]).toBe(0x32);
    expect(view.getUint16(109, true)).toBe(3);
    const flags = view.getUint32(112, true);
    expect(flags & (1 << 4)).toBe(0); // fixed power button
    expect(flags & (1 << 10)).not.toBe(0);
    expect([...facp.subarray(116, 129)]).toEqual([1, 8, 0, 1, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0, 0x0f]);
    expect(view.getBigUint64(152, true)).toBe(0x600n);
    expect(view.getBigUint64(176, true)).toBe(0x604n);
    expect(view.getBigUint64(212, true)).toBe(0x608n);
    expect(view.getBigUint64(224, true)).toBe(0xafe0n);
  });

  it('describe the interrupt controllers', () => {
    const madt = placed().byName('APIC');
    const view = viewOf(madt);
    expect(view.getUint32(36, true)).toBe(0xfee00000);
    const entries: number[][] = [];
    for (let at = 44; at < madt.length; at += madt[at + 1] ?? 0)
      entries.push([...madt.subarray(at, at + (madt[at + 1] ?? 0))]);
    expect(entries.filter((entry) => entry[0] === 0)).toEqual([0, 1, 2, 3].map((cpu) => [0, 8, cpu, cpu, 1, 0, 0, 0]));
    expect(entries.filter((entry) => entry[0] === 1)).toEqual([[1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]]);
    expect(entries.filter((entry) => entry[0] === 2)).toEqual([
      [2, 10, 0, 0, 2, 0, 0, 0, 0, 0],
      ...[5, 9, 10, 11].map((line) => [2, 10, 0, line, line, 0, 0, 0, 0x0d, 0]),
    ]);
    expect(entries.filter((entry) => entry[0] === 4)).toEqual([[4, 6, 0xff, 0, 0, 1]]);
  });

  it('leave out what is not fitted', () => {
    const tables = buildAcpiTables({
      lowRamBytes: 1 << 28,
      apicIds: [0],
      ioApicId: 0,
      hpet: false,
      floppy: false,
      pvpanic: false,
    });
    expect(tables.some((table) => table.name === 'HPET')).toBe(false);
    const dsdt = ascii(tables.find((table) => table.name === 'DSDT')?.bytes ?? new Uint8Array(0));
    expect(dsdt).not.toContain('FDC0');
    expect(dsdt).not.toContain('QEMU0001');
    expect(dsdt).toContain('COM2');
    expect(dsdt).not.toContain('LPT');
  });
});

describe('fw_cfg files', () => {
  it('give the same tables after the firmware has run the linker script', () => {
    const { tables, rsdp, loader } = acpiFiles(buildAcpiTables(board));
    const files = new Map([
      ['etc/acpi/tables', tables.slice()],
      ['etc/acpi/rsdp', rsdp.slice()],
    ]);
    const addresses = new Map<string, number>();
    const nameAt = (offset: number): string => ascii(loader.subarray(offset, offset + 56)).replace(/\0.*$/s, '');
    const contentOf = (name: string): Uint8Array => {
      const content = files.get(name);
      if (content === undefined || !addresses.has(name)) throw new Error(`script uses ${name} before it is allocated`);
      return content;
    };
    expect(loader.length % 128).toBe(0);
    for (let at = 0; at < loader.length; at += 128) {
      const view = viewOf(loader.subarray(at, at + 128));
      switch (view.getUint32(0, true)) {
        case 1:
          expect(view.getUint8(64)).toBe(addresses.size + 1);
          addresses.set(nameAt(at + 4), addresses.size === 0 ? 0x7ff_0040 : 0xf_5a00);
          break;
        case 2: {
          const target = viewOf(contentOf(nameAt(at + 4)));
          const add = addresses.get(nameAt(at + 60)) ?? 0;
          const offset = view.getUint32(116, true);
          if (view.getUint8(120) === 4) target.setUint32(offset, target.getUint32(offset, true) + add, true);
          else target.setBigUint64(offset, target.getBigUint64(offset, true) + BigInt(add), true);
          break;
        }
        case 3: {
          const content = contentOf(nameAt(at + 4));
          const start = view.getUint32(64, true);
          const offset = view.getUint32(60, true);
          content[offset] =
            ((content[offset] ?? 0) - sum(content.subarray(start, start + view.getUint32(68, true)))) & 0xff;
          break;
        }
        default:
          throw new Error('unknown command');
      }
    }
    // What a guest sees must be what direct placing gives, at the same addresses.
    const blob = contentOf('etc/acpi/tables');
    let offset = 0;
    placeAcpiTables(buildAcpiTables(board), (bytes, alignment, region) => {
      if (region === 'f-segment') {
        expect(contentOf('etc/acpi/rsdp')).toEqual(bytes);
        return 0xf_5a00;
      }
      offset = Math.ceil(offset / alignment) * alignment;
      expect(blob.subarray(offset, offset + bytes.length)).toEqual(bytes);
      offset += bytes.length;
      return 0x7ff_0040 + offset - bytes.length;
    });
    expect(offset).toBe(blob.length);
  });
});

const hasIasl = spawnSync('iasl', ['-v']).status === 0;
describe.skipIf(!hasIasl)('iasl (skipped where acpica-tools is not installed)', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'nestbox-acpi-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('disassembles every table and compiles the DSDT without errors or warnings', () => {
    const { memory } = placed();
    for (const { bytes } of memory.blocks) {
      const signature = ascii(bytes.subarray(0, 4));
      if (['RSD ', 'FACS'].includes(signature)) continue;
      writeFileSync(join(folder, `${signature}.aml`), bytes);
      const result = spawnSync('iasl', ['-d', `${signature}.aml`], { cwd: folder, encoding: 'utf8' });
      expect([signature, result.status, /error|warning|invalid/i.exec(result.stdout + result.stderr)?.[0]]).toEqual([
        signature,
        0,
        undefined,
      ]);
    }
    // 3168: old operating systems know processors only by the legacy keyword.
    const compiled = spawnSync('iasl', ['-vw', '3168', '-p', 'again', 'DSDT.dsl'], { cwd: folder, encoding: 'utf8' });
    expect(compiled.stdout).toMatch(/0 Errors, 0 Warnings, 0 Remarks/);
    const source = readFileSync(join(folder, 'DSDT.dsl'), 'utf8');
    // A path that leads nowhere shows up as an external object.
    expect(source).not.toContain('External');
    for (const part of [
      'Processor (C003',
      'EisaId ("PNP0A03")',
      '"QEMU0001"',
      '"QEMU0002"',
      'Device (LNKD)',
      'Device (FDC0)',
      'EisaId ("PNP0103")',
      'Name (\\_S5',
      'Name (_CID, "VM_Gen_Counter")',
      'Method (_E05, 0, NotSerialized)',
      'Notify (\\_SB.VGEN, 0x80)',
      '0xFEF10000,',
    ]) {
      expect(source).toContain(part);
    }
    // Memory window from the end of RAM to the I/O APIC.
    expect(source).toMatch(/0x10000000,\s+\/\/ Range Minimum\s+0xFEBFFFFF,/);
  }, 60_000);
});
