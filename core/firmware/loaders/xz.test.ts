import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { crc32, unpackXz } from './xz.ts';

const noXz = spawnSync('xz', ['--version']).status === 0 ? '' : ' (skipped: xz is not installed)';

function pack(content: Uint8Array, options: string[]): Uint8Array {
  const result = spawnSync('xz', ['--format=xz', '--stdout', ...options], { input: content, maxBuffer: 1 << 28 });
  expect(result.stderr.toString()).toBe('');
  return new Uint8Array(result.stdout);
}

function mixture(length: number): Uint8Array {
  let random = 7;
  const out = new Uint8Array(length);
  for (let index = 0; index < length; index++) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    // Long repeats, short repeats, noise and calls.
    const kind = (index >>> 9) & 3;
    out[index] =
      kind === 0
        ? random >>> 24
        : kind === 1
          ? (out[index - 300] ?? 0)
          : kind === 2
            ? (index & 7) * 31
            : random >>> 28 < 2
              ? 0xe8
              : random & 0x80000000
                ? 0
                : 0xff;
  }
  return out;
}

describe.skipIf(noXz !== '')(`xz${noXz}`, () => {
  const kernelOptions = ['--check=crc32', '--x86', '--lzma2=preset=2,dict=8MiB'];
  it.each([
    ['nothing', new Uint8Array(0), ['--check=crc32']],
    ['a byte', Uint8Array.of(5), ['--check=crc32']],
    ['a mixture', mixture(100_000), ['--check=crc32', '-6']],
    ['a mixture with other literal settings', mixture(60_000), ['--check=crc64', '--lzma2=preset=3,lc=1,lp=3,pb=0']],
    ['noise', mixture(100_000).map((value, index) => (value * 251 + index * index * 7) & 0xff), ['--check=none', '-0']],
    ['code as kernels are packed', mixture(150_000), kernelOptions],
    ['several blocks', mixture(100_000), ['--check=crc32', '--block-size=30000', '-1']],
  ])('unpacks %s', (_, content, options) => {
    const unpacked = unpackXz(pack(content, options), content.length);
    expect(Buffer.compare(unpacked, content)).toBe(0);
  });

  it('unpacks machine code', () => {
    const code = new Uint8Array(readFileSync(process.execPath).subarray(0x400000, 0x400000 + 300_000));
    expect(Buffer.compare(unpackXz(pack(code, [...kernelOptions, '-T1']), code.length), code)).toBe(0);
  });

  it('finds damage, and never runs on', () => {
    const content = mixture(20_000);
    const packed = pack(content, kernelOptions);
    let found = 0;
    for (let at = 12; at < packed.length - 40; at += 53) {
      const bad = packed.slice();
      bad[at] = (bad[at] ?? 0) ^ 0x41;
      try {
        const unpacked = unpackXz(bad, content.length);
        // Header bytes that are not checked may change nothing; data may not.
        expect(Buffer.compare(unpacked, content)).toBe(0);
      } catch (error) {
        expect((error as Error).message).toContain('damaged xz');
        found++;
      }
    }
    expect(found).toBeGreaterThan(20);
    expect(() => unpackXz(packed.subarray(0, packed.length >> 1), content.length)).toThrow('damaged');
    expect(() => unpackXz(packed, content.length - 1)).toThrow('damaged');
  });
});

describe('crc32', () => {
  it('equals that of zlib', () => {
    const content = mixture(5000);
    expect(crc32(content)).toBe(zlibCrc32(content));
  });
});
