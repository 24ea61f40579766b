import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildSmbios, placeSmbios, type SmbiosOptions } from './smbios.ts';

const MIB = 1 << 20;
const options: SmbiosOptions = {
  ramBytes: 20480 * MIB,
  lowRamBytes: 3072 * MIB,
  cpus: 3,
  uuid: Uint8Array.from({ length: 16 }, (_, index) => 0x10 * (index & 7) + index),
  serial: 'S-1',
  cpuName: 'Test CPU',
  oemStrings: ['io.systemd.credential:x=1', ''],
};
const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);

interface Structure {
  type: number;
  handle: number;
  data: DataView;
  strings: string[];
}

function parse(bytes: Uint8Array): Structure[] {
  const list: Structure[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = bytes[at + 1] ?? 0;
    expect(length).toBeGreaterThanOrEqual(4);
    const data = new DataView(bytes.buffer, bytes.byteOffset + at, length);
    const strings: string[] = [];
    let end = at + length;
    if (bytes[end] === 0) end++;
    while (bytes[end] !== 0) {
      let text = '';
      while (bytes[end] !== 0) text += String.fromCharCode(bytes[end++] ?? 0);
      strings.push(text);
      end++;
    }
    list.push({ type: data.getUint8(0), handle: data.getUint16(2, true), data, strings });
    at = end + 1;
  }
  expect(at).toBe(bytes.length);
  return list;
}

describe('SMBIOS', () => {
  it('has an entry point with two right checksums', () => {
    const blocks: { bytes: Uint8Array; address: number }[] = [];
    const address = placeSmbios(buildSmbios(options), (bytes, alignment) => {
      expect(alignment).toBe(16);
      blocks.push({ bytes, address: 0xf_5000 + blocks.length * 0x1000 });
      return 0xf_5000 + (blocks.length - 1) * 0x1000;
    });
    const anchor = blocks[1]?.bytes ?? new Uint8Array(0);
    expect(address).toBe(0xf_6000);
    expect(String.fromCharCode(...anchor.subarray(0, 4), ...anchor.subarray(16, 21))).toBe('_SM__DMI_');
    expect(anchor.length).toBe(0x1f);
    expect([sum(anchor), sum(anchor.subarray(16))]).toEqual([0, 0]);
    const view = new DataView(anchor.buffer);
    expect(view.getUint32(0x18, true)).toBe(0xf_5000);
    expect(view.getUint16(0x16, true)).toBe(blocks[0]?.bytes.length);
    expect(view.getUint16(0x1c, true)).toBe(parse(blocks[0]?.bytes ?? new Uint8Array(0)).length);
  });

  it('describes the machine', () => {
    const list = parse(buildSmbios(options).structures);
    expect(list.map((entry) => entry.type)).toEqual([0, 1, 3, 4, 11, 16, 17, 17, 19, 19, 32, 127]);
    expect(new Set(list.map((entry) => entry.handle)).size).toBe(list.length);
    const find = (type: number): Structure => list.find((entry) => entry.type === type) ?? expect.fail();
    expect(find(0).data.byteLength).toBe(0x18);
    const system = find(1);
    expect(system.data.byteLength).toBe(0x1b);
    expect(system.strings[system.data.getUint8(7) - 1]).toBe('S-1');
    expect([8, 9, 10, 11, 12, 13, 14, 15, 16].map((at) => system.data.getUint8(at))).toEqual([
      0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x08,
    ]);
    expect(find(3).data.byteLength).toBe(0x16);
    const cpu = find(4);
    expect(cpu.data.byteLength).toBe(0x30);
    expect(cpu.data.getUint8(0x23)).toBe(3);
    expect(find(11).strings).toEqual(['io.systemd.credential:x=1']);
    expect(find(11).data.getUint8(4)).toBe(1);
    expect(find(16).data.getUint32(7, true)).toBe(20480 * 1024);
    expect(list.filter((entry) => entry.type === 17).map((entry) => entry.data.getUint16(0x0c, true))).toEqual([
      16384, 4096,
    ]);
    expect(
      list
        .filter((entry) => entry.type === 19)
        .map((entry) => [entry.data.getUint32(4, true), entry.data.getUint32(8, true)]),
    ).toEqual([
      [0, 3072 * 1024 - 1],
      [4096 * 1024, (4096 + 17408) * 1024 - 1],
    ]);
  });

  const dmidecode = ['/usr/sbin/dmidecode', '/sbin/dmidecode'].find((path) => existsSync(path));
  it.skipIf(dmidecode === undefined)('reads well with dmidecode (skipped where it is not installed)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nestbox-smbios-'));
    try {
      const tables = buildSmbios(options);
      const dump = new Uint8Array(32 + tables.structures.length);
      placeSmbios(tables, (bytes) => {
        const at = bytes.length === 0x1f ? 0 : 32;
        dump.set(bytes, at);
        return at;
      });
      writeFileSync(join(folder, 'dump'), dump);
      const result = spawnSync(dmidecode ?? '', ['--from-dump', join(folder, 'dump')], { encoding: 'utf8' });
      expect(result.status).toBe(0);
      expect(result.stdout).toContain('SMBIOS 2.8 present');
      expect(result.stdout).toContain('UUID: 00112233-4455-6677-0819-2a3b4c5d6e7f');
      expect(result.stdout).toContain('Maximum Capacity: 20 GB');
      expect(result.stdout).toContain('Core Count: 3');
      expect(result.stdout).not.toMatch(/TRUNCATED|OUT OF SPEC|BROKEN|Wrong|invalid/i);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
