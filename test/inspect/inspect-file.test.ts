// What the app sees in media: discs written by xorriso and genisoimage with the volume names and files that the systems'
// own media have, real media from Debian's packages and the collected guests, and damaged ones.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { memorySource } from '../../core/inspect/byte-source.ts';
import { type InspectOptions, inspectFile } from '../../core/inspect/inspect-file.ts';
import { readIsoVolume } from '../../core/inspect/iso9660.ts';
import { knownSystems } from '../../core/inspect/systems.ts';
import { MemoryHostFile } from '../../core/host/files/memory-host-file.ts';
import { nodeHostFiles } from '../../core/host/files/node-host-files.ts';
import type { MediumInspection } from '../../core/protocol/library.ts';
import { NO_SHARED, debianPackage, hasCommand, shared } from '../support/guests.ts';

const LIMITS: InspectOptions['limits'] = { memoryMib: 16_384, cpus: 4, vmCpusMax: 4 };
const work = mkdtempSync(join(tmpdir(), 'nestbox-inspect-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

async function inspect(path: string): Promise<MediumInspection> {
  const file = await nodeHostFiles.open(path, { readOnly: true });
  try {
    return await inspectFile({ handle: 'handle', fileName: basename(path), file, limits: LIMITS });
  } finally {
    await file.close();
  }
}

function inspectBytes(fileName: string, bytes: Uint8Array): Promise<MediumInspection> {
  return inspectFile({
    handle: 'handle',
    fileName,
    file: new MemoryHostFile(bytes, { path: fileName }),
    limits: LIMITS,
  });
}

let counter = 0;

/** A folder with files; content "" makes an empty file. */
function folderWith(files: Readonly<Record<string, string>>): string {
  const root = join(work, `tree${++counter}`);
  mkdirSync(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const XORRISO = hasCommand('xorriso');

/** A bootable disc, as the systems' makers write it: ISO 9660 with Rock Ridge and, unless said otherwise, Joliet. */
function disc(
  volume: string,
  files: Readonly<Record<string, string>>,
  more: readonly string[] = ['-J', '-joliet-long'],
): string {
  const root = folderWith({ ...files, 'boot.img': 'boot loader' });
  const out = `${root}.iso`;
  execFileSync(
    'xorriso',
    [
      '-as',
      'mkisofs',
      '-quiet',
      '-R',
      '-iso-level',
      '3',
      '-V',
      volume,
      ...more,
      '-b',
      'boot.img',
      '-no-emul-boot',
      '-boot-load-size',
      '4',
      '-o',
      out,
      root,
    ],
    { stdio: 'ignore' },
  );
  return out;
}

interface Case {
  readonly id: string;
  readonly volume: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly version?: string;
  readonly architecture?: string;
}

const DISCS: readonly Case[] = [
  {
    id: 'debian',
    volume: 'Debian 12.5.0 amd64 n',
    files: { '.disk/info': 'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST with firmware' },
    version: '12.5.0',
    architecture: 'x86_64',
  },
  { id: 'debian', volume: 'd-live 12.5.0 gn amd64', version: '12.5.0' },
  {
    id: 'gnu-hurd',
    volume: 'Debian 2023 hurd-i386 1',
    files: { '.disk/info': 'Debian GNU/Hurd 2023 "Sid" - Unofficial hurd-i386 NETINST' },
    version: '2023',
  },
  {
    id: 'ubuntu',
    volume: 'Ubuntu 24.04 LTS amd64',
    files: { '.disk/info': 'Ubuntu 24.04 LTS "Noble Numbat" - Release amd64 (20240424)', 'casper/vmlinuz': 'x' },
    version: '24.04',
  },
  { id: 'ubuntu-server', volume: 'Ubuntu-Server 22.04.4 LTS amd64', version: '22.04.4' },
  { id: 'kubuntu', volume: 'Kubuntu 24.04 LTS amd64', version: '24.04' },
  { id: 'mint', volume: 'Linux Mint 21.3 Cinnamon 64-bit', version: '21.3', architecture: 'x86_64' },
  {
    id: 'kali',
    volume: 'Kali Linux amd64 1',
    files: { '.disk/info': 'Kali GNU/Linux 2024.1 "Kali-last-snapshot" - Official amd64' },
    version: '2024.1',
  },
  { id: 'alpine', volume: 'alpine-virt 3.19.1 x86_64', files: { '.alpine-release': 'alpine-virt-3.19.1 240126' } },
  { id: 'fedora', volume: 'Fedora-WS-Live-39-1-5', version: '39' },
  { id: 'fedora', volume: 'Fedora-S-dvd-x86_64-39', version: '39', architecture: 'x86_64' },
  { id: 'rocky', volume: 'Rocky-9-3-x86_64-dvd', version: '9.3' },
  { id: 'almalinux', volume: 'AlmaLinux-9-3-x86_64-dvd', version: '9.3' },
  { id: 'centos', volume: 'CentOS-Stream-9-BaseOS-x86_64', version: '9' },
  { id: 'rhel', volume: 'RHEL-9-3-0-BaseOS-x86_64', version: '9.3.0' },
  { id: 'arch', volume: 'ARCH_202402', version: '202402' },
  { id: 'manjaro', volume: 'MANJARO_KDE_2313' },
  { id: 'opensuse', volume: 'openSUSE-Leap-15.5-DVD-x86_64', version: '15.5' },
  { id: 'gentoo', volume: 'Gentoo-amd64-20240204' },
  { id: 'slackware', volume: 'SlackDVD', files: { 'Slackware-HOWTO': 'How to' } },
  { id: 'nixos', volume: 'nixos-minimal-23.11-x86_64', version: '23.11' },
  { id: 'void', volume: 'VOID_LIVE' },
  { id: 'tinycore', volume: 'TinyCore', files: { 'boot/core.gz': 'x' } },
  { id: 'freebsd', volume: '14_0_RELEASE_AMD64_CD', version: '14.0', architecture: 'x86_64' },
  { id: 'openbsd', volume: 'OpenBSD/amd64   7.4 Install CD', version: '7.4' },
  { id: 'netbsd', volume: 'NETBSD_93', version: '93', files: { 'amd64/binary/sets/base.tar.xz': 'x' } },
  { id: 'dragonfly', volume: 'DragonFly v6.4.0' },
  { id: 'windows-xp', volume: 'GRTMPVOL_EN', files: { WIN51: 'x', 'I386/NTLDR': 'x' } },
  { id: 'windows-98', volume: 'WIN98SE', files: { 'WIN98/SETUP.EXE': 'x' } },
  { id: 'freedos', volume: 'FD13-LIVECD', files: { 'KERNEL.SYS': 'x' }, version: '13' },
  { id: 'reactos', volume: 'REACTOS', files: { 'loader/freeldr.sys': 'x' } },
  { id: 'haiku', volume: 'haiku-r1beta4-x86_64' },
  { id: 'proxmox', volume: 'PVE' },
  { id: 'systemrescue', volume: 'RESCUE1100', files: { 'sysresccd/x86_64/airootfs.sfs': 'x' } },
  { id: 'clonezilla', volume: 'Clonezilla Live', files: { 'Clonezilla-Live-Version': 'x' } },
];

const discs = XORRISO ? describe : describe.skip;
discs(XORRISO ? 'systems on discs' : 'systems on discs (skipped: no xorriso)', () => {
  it.each(DISCS.map((entry) => [entry.volume, entry] as const))('%s', async (_name, entry) => {
    const found = await inspect(disc(entry.volume, entry.files ?? {}));
    expect({ id: found.os.id, kind: found.kind, bootWays: found.bootWays }).toEqual({
      id: entry.id,
      kind: 'iso',
      bootWays: ['bios'],
    });
    if (entry.version !== undefined) expect(found.os.version).toBe(entry.version);
    if (entry.architecture !== undefined) expect(found.os.architecture).toBe(entry.architecture);
    expect(found.evidence.length).toBeGreaterThan(0);
    expect(found.proposal?.drives.at(-1)).toEqual({ kind: 'cdrom', source: 'file', file: 'handle', readOnly: true });
    expect(found.proposal?.osId).toBe(entry.id);
    const system = knownSystems().find((row) => row.id === entry.id);
    expect(found.proposal?.drives.some((drive) => drive.kind === 'disk')).toBe((system?.diskGib ?? 0) > 0);
  });

  it('names of plain ISO 9660, Rock Ridge and Joliet are read alike', async () => {
    const files = { 'deep/er/Long Name With Spaces.txt': 'found', 'SHORT.TXT': 'short' };
    for (const more of [[], ['-J']]) {
      const volume = await readIsoVolume(memorySource(readFileSync(disc('NAMES', files, more))));
      expect(new TextDecoder().decode(await volume?.tree.read('deep/er/long name with spaces.txt', 100))).toBe('found');
      expect(new TextDecoder().decode(await volume?.tree.read('short.txt', 100))).toBe('short');
      expect(await volume?.tree.find('deep/nothing')).toBeUndefined();
    }
  });

  it('lists a folder of hundreds of files as xorriso does', async () => {
    const names = Array.from({ length: 700 }, (_, index) => `file-${index}-${'x'.repeat(index % 40)}.dat`);
    const path = disc('MANY', Object.fromEntries(names.map((name) => [`data/${name}`, name])));
    const volume = await readIsoVolume(memorySource(readFileSync(path)));
    const listed = (await volume?.tree.list('data'))?.map((entry) => entry.name).sort();
    const theirs = execFileSync('xorriso', ['-indev', path, '-find', '/data', '-type', 'f', '-exec', 'echo'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(listed).toEqual(
      theirs
        .split('\n')
        .filter((line) => line.includes('/data/'))
        .map((line) => line.replace(/^.*\/data\//, '').replace(/'$/, ''))
        .sort(),
    );
    expect(listed).toEqual([...names].sort());
  });

  it('a disc that was cut off is said to be cut off', async () => {
    const whole = readFileSync(disc('Debian 12.5.0 amd64 n', { 'pool/big': 'x'.repeat(3_000_000) }));
    const found = await inspectBytes('cut.iso', whole.subarray(0, 1_000_000));
    expect(found.notices.map((entry) => entry.code)).toContain('truncated');
  });

  it('a disc for another processor gets no proposal', async () => {
    const found = await inspect(
      disc('Debian 12.5.0 arm64 n', { '.disk/info': 'Debian GNU/Linux 12.5.0 "Bookworm" - Official arm64 NETINST' }),
    );
    expect(found.notices.map((entry) => entry.code)).toContain('other-architecture');
    expect(found.proposal).toBeUndefined();
  });

  it('a disc without boot loader is a data disc', async () => {
    const root = folderWith({ 'readme.txt': 'hello' });
    execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-V', 'DATA', '-o', `${root}.iso`, root], {
      stdio: 'ignore',
    });
    const found = await inspect(`${root}.iso`);
    expect([found.kind, found.bootable, found.os.id]).toEqual(['iso', false, 'unknown']);
    expect(found.notices.map((entry) => entry.code)).toContain('not-bootable');
  });

  it('damaged discs are answered, never thrown at', async () => {
    const whole = Uint8Array.from(
      readFileSync(disc('Debian 12.5.0 amd64 n', { '.disk/info': 'Debian GNU/Linux 12.5.0', 'a/b/c/d.txt': 'x' })),
    );
    let state = 12345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 0x1_0000_0000) * below);
    };
    const kinds = new Set<string>();
    for (let round = 0; round < 400; round++) {
      const bytes = whole.slice();
      for (let damage = 0; damage < 1 + random(6); damage++)
        bytes[32_768 + random(Math.min(bytes.length - 32_768, 60_000))] = random(256);
      kinds.add((await inspectBytes('x.iso', bytes)).kind);
    }
    expect(kinds.has('iso')).toBe(true);
  });
});

const GENISOIMAGE = hasCommand('genisoimage');
const udf = GENISOIMAGE ? describe : describe.skip;
udf(GENISOIMAGE ? 'UDF' : 'UDF (skipped: no genisoimage)', () => {
  function windowsDisc(volume: string, files: Readonly<Record<string, string>>): string {
    const root = folderWith(files);
    execFileSync('genisoimage', ['-quiet', '-udf', '-V', volume, '-o', `${root}.iso`, root], { stdio: 'ignore' });
    return `${root}.iso`;
  }

  it.each([
    ['windows-10', 'CCCOMA_X64FRE_EN-US_DV9', 'x86_64'],
    ['windows-7', 'GRMCULXFRER_EN_DVD', undefined],
    ['windows-server', 'SSS_X64FRE_EN-US_DV9', 'x86_64'],
  ])('%s by its DVD', async (id, volume, architecture) => {
    const found = await inspect(
      windowsDisc(volume, { 'sources/install.wim': 'x', 'sources/boot.wim': 'x', bootmgr: 'x' }),
    );
    expect(found.os.id).toBe(id);
    expect(found.formatName).toContain('UDF');
    expect(found.os.architecture).toBe(architecture);
  });

  it('finds files that only the UDF part names so', async () => {
    const found = await inspect(windowsDisc('SOMETHING', { 'sources/install.esd': 'x', 'efi/boot/bootx64.efi': 'x' }));
    expect(found.os.id).toBe('windows-modern');
    expect(found.evidence).toEqual([{ where: 'file', path: 'sources/install.esd' }]);
  });
});

describe('files that are no media', () => {
  it.each([
    ['empty.iso', new Uint8Array(0), 'empty-file'],
    ['notes.txt', new TextEncoder().encode('Remember the milk.\n'.repeat(200)), 'not-a-medium'],
    [
      'picture.iso',
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, ...new Uint8Array(4096)),
      'not-a-medium',
    ],
    ['zeroes.img', new Uint8Array(1_000_000), 'unknown-content'],
  ])('%s', async (name, bytes, code) => {
    const found = await inspectBytes(name, bytes);
    expect(found.kind).toBe('unusable');
    expect(found.notices.map((entry) => entry.code)).toContain(code);
    expect(found.proposal).toBeUndefined();
  });
});

describe(shared('guests/MANIFEST.md') === undefined ? `collected guests (${NO_SHARED})` : 'collected guests', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['freedos-1.4MB.img', 'floppy', 'freedos'],
    ['freedos-160K.img', 'floppy', 'freedos'],
    ['mikeos.iso', 'iso', 'mikeos'],
    ['mikeos.img', 'floppy', 'mikeos'],
    ['kolibri-2020.img', 'floppy', 'kolibrios'],
    ['floppinux-0.2.2.img', 'floppy', 'floppinux'],
    ['bootos-all-360k.img', 'floppy', 'bootos'],
    ['tetros.img', 'floppy', 'unknown'],
    ['sectorlisp.img', 'floppy', 'unknown'],
    ['isolinux-hdt.iso', 'iso', 'hdt'],
    ['slitaz-bzImage64', 'kernel', 'slitaz'],
  ];
  (shared('guests/MANIFEST.md') === undefined ? it.skip : it).each(rows)('%s', async (name, kind, id) => {
    const found = await inspect(shared(`guests/${name}`) ?? '');
    expect([found.kind, found.os.id]).toEqual([kind, id]);
    expect(found.proposal).toBeDefined();
  });
});

const MEDIA: readonly (readonly [string, string, string, string])[] = [
  ['grub-rescue-pc', 'usr/lib/grub-rescue/grub-rescue-cdrom.iso', 'iso', 'grub-rescue'],
  ['memtest86+', 'usr/lib/memtest86+/memtest86+x64.iso', 'iso', 'memtest86plus'],
  ['memtest86+', 'boot/memtest86+x64.bin', 'kernel', 'memtest86plus'],
  ['ipxe', 'usr/lib/ipxe/ipxe.iso', 'iso', 'ipxe'],
  ['ipxe', 'boot/ipxe.lkrn', 'kernel', 'ipxe'],
];
describe("media in Debian's packages", () => {
  for (const [name, path, kind, id] of MEDIA) {
    const folder = debianPackage(name);
    (folder === undefined ? it.skip : it)(
      folder === undefined ? `${path} (skipped: the package ${name} is not to be had)` : path,
      async () => {
        const found = await inspect(join(folder ?? '', path));
        expect([found.kind, found.os.id]).toEqual([kind, id]);
      },
    );
  }
});

it('the data file knows at least 25 systems, each once', () => {
  expect(knownSystems().length).toBeGreaterThanOrEqual(25);
  expect(new Set(knownSystems().map((entry) => entry.id)).size).toBe(knownSystems().length);
  for (const entry of knownSystems()) expect(entry.minimumMemoryMib).toBeLessThanOrEqual(entry.memoryMib);
});
