// Looks inside a file that the user dropped and says what it is, which system it holds and what virtual machine would suit
// it. The file is hostile input: reads are bounded, nothing is executed or mounted.

import { isNestboxError } from '../base/errors.ts';
import { hasBootSignature, isRawSectorCd, recognise } from '../block/medium-kinds.ts';
import { FLOPPY_SIZES_BYTES, LARGEST_FLOPPY_BYTES } from '../block/floppy-sizes.ts';
import type { HostFile } from '../host/files/host-file.ts';
import type { FileHandle, InspectedKind, MediumInspection, Notice } from '../protocol/library.ts';
import { readAppliance } from './appliance.ts';
import { type ByteSource, fileSource } from './byte-source.ts';
import { type BootEntry, readBootCatalog } from './el-torito.ts';
import { readFatVolume } from './fat.ts';
import type { FileTree } from './file-tree.ts';
import { CD_SECTOR, readIsoVolume } from './iso9660.ts';
import { recogniseInitrd, recogniseKernel } from './kernel.ts';
import { type MediumFacts, matchSystem } from './match.ts';
import { EFI_SYSTEM, printableText, readPartitions } from './partitions.ts';
import { notice } from './notice.ts';
import { type HostLimits, cleanName, firmwareNotices, propose } from './propose.ts';
import { UNKNOWN_FLOPPY, UNKNOWN_SYSTEM } from './systems.ts';
import { readUdfTree } from './udf.ts';

export interface InspectOptions {
  readonly handle: FileHandle;
  readonly fileName: string;
  readonly file: HostFile;
  readonly limits: HostLimits;
}

type Architecture = 'x86' | 'x86_64' | 'other';

/** What was found, before systems are told apart. */
interface Findings extends MediumFacts {
  readonly kind: InspectedKind;
  readonly formatName: string;
  readonly bootWays: readonly ('bios' | 'uefi')[];
  readonly architecture: Architecture | undefined;
  readonly notices: readonly Notice[];
  readonly diskFormat: 'raw' | 'qcow2' | 'import';
}

const HEAD_BYTES = 36 * 1024;
const BOOT_IMAGE_BYTES = 16 * 1024;
const NOTHING: MediumFacts = {
  trees: [],
  volumeIds: [],
  publisher: '',
  application: '',
  system: '',
  bootText: '',
  oemName: '',
  kernelVersion: '',
};

/** @throws NestboxError `io` when the file cannot be read; bad content is an answer with kind `unusable` */
export async function inspectFile(options: InspectOptions): Promise<MediumInspection> {
  const { file, fileName, handle } = options;
  const source = fileSource(file);
  const appliance = await findAppliance(source, options);
  if (appliance !== undefined) return appliance;
  const findings = await findOrRefuse(source, fileName);
  const match = findings.kind === 'unusable' ? undefined : await matchOrNothing(findings);
  const system = match?.system ?? (findings.kind === 'floppy' ? UNKNOWN_FLOPPY : UNKNOWN_SYSTEM);
  const title =
    match === undefined ? '' : match.version === undefined ? system.name : `${system.name} ${match.version}`;
  const architecture =
    findings.architecture ?? architectureOf([...findings.volumeIds, fileName, ...(match?.evidence ?? []).map(({ path = '', text = '' }) => `${path} ${text}`)]);
  const notices = [...findings.notices];
  const foreign = architecture === 'other';
  if (foreign) notices.push(notice('other-architecture', 'It is made for another processor (not x86)'));
  const uefiOnly = findings.bootWays.length === 1 && findings.bootWays[0] === 'uefi';
  notices.push(...firmwareNotices(uefiOnly, options.limits));
  const bootable = findings.kind === 'kernel' || findings.bootWays.length > 0;
  if (!bootable && ['iso', 'floppy', 'disk'].includes(findings.kind))
    notices.push(notice('not-bootable', 'No boot loader was found on it; a machine can use it as a data medium'));
  const usable = ['iso', 'floppy', 'disk', 'kernel'].includes(findings.kind) && !foreign;
  return {
    file: handle,
    fileName,
    sizeBytes: source.sizeBytes,
    kind: findings.kind,
    formatName: findings.formatName,
    ...(findings.volumeIds[0] === undefined || findings.volumeIds[0] === '' ? {} : { volumeId: findings.volumeIds[0] }),
    bootable,
    bootWays: findings.bootWays,
    os: {
      id: system.id,
      name: system.name,
      ...(match?.version === undefined ? {} : { version: match.version }),
      ...(architecture === undefined ? {} : { architecture }),
    },
    evidence: match?.evidence ?? [],
    notices,
    ...(usable
      ? {
          proposal: propose({
            file: handle,
            fileName,
            kind: findings.kind,
            system,
            title,
            uefiOnly,
            diskFormat: findings.diskFormat,
            limits: options.limits,
          }),
        }
      : {}),
  };
}

/** Machines of other products and exported ones: tar archives, so only those are looked into. */
async function findAppliance(source: ByteSource, options: InspectOptions): Promise<MediumInspection | undefined> {
  if (recognise(await source.read(0, HEAD_BYTES))?.what !== 'a tar archive') return undefined;
  const { fileName, handle } = options;
  const common = { file: handle, fileName, sizeBytes: source.sizeBytes, bootWays: [] };
  try {
    const found = await readAppliance(source, handle, options.limits);
    if (found === undefined) return undefined;
    const { system, proposal } = found;
    return {
      ...common,
      kind: 'appliance',
      formatName: found.formatName,
      bootable: true,
      os: { id: system.id, name: system.name },
      evidence: found.evidence,
      notices: found.notices,
      proposal: { ...proposal, name: cleanName(proposal.name === '' ? fileName.replace(/\.[^.]{1,8}$/, '') : proposal.name) },
    };
  } catch (error) {
    if (!isNestboxError(error) || error.kind !== 'bad-input') throw error;
    return { ...common, kind: 'unusable', formatName: 'OVA', bootable: false, os: { id: 'unknown', name: '' }, evidence: [], notices: [notice('damaged', `It is damaged: ${error.message}`, { message: error.message })] };
  }
}

function unusable(formatName: string, problem: Notice): Findings {
  return {
    ...NOTHING,
    kind: 'unusable',
    formatName,
    bootWays: [],
    architecture: undefined,
    notices: [problem],
    diskFormat: 'raw',
  };
}

/** Structures that claim more than the budget are refused, not followed. */
async function findOrRefuse(source: ByteSource, fileName: string): Promise<Findings> {
  try {
    return await find(source, fileName);
  } catch (error) {
    if (isNestboxError(error) && error.kind === 'bad-input')
      return unusable('', notice('damaged', `It is damaged: ${error.message}`, { message: error.message }));
    throw error;
  }
}

async function matchOrNothing(facts: MediumFacts): ReturnType<typeof matchSystem> {
  try {
    return await matchSystem(facts);
  } catch (error) {
    if (isNestboxError(error) && error.kind === 'bad-input') return undefined;
    throw error;
  }
}

async function find(source: ByteSource, fileName: string): Promise<Findings> {
  if (source.sizeBytes === 0) return unusable('', notice('empty-file', 'The file is empty (0 bytes)'));
  const head = await source.read(0, HEAD_BYTES);
  const iso = await findCd(source, head);
  if (iso !== undefined) return iso;
  if (isRawSectorCd(head))
    return unusable(
      'CD image with raw sectors',
      notice('raw-sector-cd', 'It has raw 2,352-byte sectors (a .bin image); convert it to an ISO image first'),
    );
  const kernel = await recogniseKernel(source);
  if (kernel !== undefined) {
    return {
      ...NOTHING,
      kind: 'kernel',
      formatName: kernel.formatName,
      bootWays: [],
      architecture: kernel.architecture,
      bootText: printableText(head),
      kernelVersion: kernel.version,
      notices: [],
      diskFormat: 'raw',
    };
  }
  const known = recognise(head);
  if (known?.format === 'qcow2') return diskFindings('qcow2', 'qcow2', []);
  if (known?.family === 'disk-format') {
    return {
      ...diskFindings(known.format ?? '', 'import', [
        notice('convert-first', `It is ${known.what}; it is copied into a qcow2 disk when it is imported`, {
          what: known.what,
        }),
      ]),
      kind: 'disk',
    };
  }
  const packing = recogniseInitrd(head);
  if (packing !== undefined && /init(rd|ramfs)|\.cpio|rootfs/i.test(fileName)) {
    return {
      ...NOTHING,
      kind: 'initrd',
      formatName: `initial RAM disk (${packing})`,
      bootWays: [],
      architecture: undefined,
      notices: [notice('initrd-alone', 'It is an initial RAM disk: drop its kernel, and choose this file there')],
      diskFormat: 'raw',
    };
  }
  if (known !== undefined)
    return unusable(
      known.what,
      notice('not-a-medium', `It is ${known.what}, not a disk, CD or floppy image`, { what: known.what }),
    );
  return findDisk(source, head);
}

// --- CDs and DVDs

async function findCd(source: ByteSource, head: Uint8Array): Promise<Findings | undefined> {
  const iso = await readIsoVolume(source);
  const udf = await readUdfTree(source);
  if (iso === undefined && udf === undefined) return undefined;
  const trees: FileTree[] = [...(udf === undefined ? [] : [udf]), ...(iso === undefined ? [] : [iso.tree])];
  const entries = iso?.bootCatalog === undefined ? [] : await readBootCatalog(source, iso.bootCatalog);
  const formats = [
    ...(iso === undefined
      ? []
      : ['ISO 9660', ...(iso.joliet ? ['Joliet'] : []), ...(iso.rockRidge ? ['Rock Ridge'] : [])]),
    ...(udf === undefined ? [] : ['UDF']),
  ];
  const notices: Notice[] = [];
  if (iso !== undefined && iso.volumeBytes > source.sizeBytes + 150 * CD_SECTOR) {
    notices.push(
      notice(
        'truncated',
        `It is cut off: the volume has ${iso.volumeBytes} bytes, the file ${source.sizeBytes}. Download it again`,
        { expected: iso.volumeBytes, actual: source.sizeBytes },
      ),
    );
  }
  const bootWays = waysOf(entries);
  const floppy = entries.find((entry) => entry.emulation === 'floppy');
  const inside = floppy === undefined ? undefined : await readFatVolume(source, floppy.sector * CD_SECTOR);
  if (inside !== undefined) trees.push(inside.tree);
  return {
    trees,
    volumeIds: [
      ...new Set(
        [iso?.tree.volumeId ?? '', udf?.volumeId ?? '', inside?.tree.volumeId ?? ''].filter((id) => id !== ''),
      ),
    ],
    publisher: iso?.publisher ?? '',
    application: iso?.application ?? '',
    system: iso?.systemId ?? '',
    bootText: await bootTextOf(source, entries, head),
    oemName: inside?.oemName ?? '',
    kernelVersion: '',
    kind: 'iso',
    formatName: formats.join(' + '),
    bootWays,
    architecture: bootWays.length > 0 ? undefined : await efiArchitecture(trees),
    notices,
    diskFormat: 'raw',
  };
}

function waysOf(entries: readonly BootEntry[]): ('bios' | 'uefi')[] {
  const ways: ('bios' | 'uefi')[] = [];
  if (entries.some((entry) => entry.bootable && entry.platform === 'bios')) ways.push('bios');
  if (entries.some((entry) => entry.bootable && entry.platform === 'uefi')) ways.push('uefi');
  return ways;
}

async function bootTextOf(source: ByteSource, entries: readonly BootEntry[], head: Uint8Array): Promise<string> {
  const parts = [printableText(head.subarray(0, 512))];
  for (const entry of entries.slice(0, 4))
    parts.push(printableText(await source.read(entry.sector * CD_SECTOR, BOOT_IMAGE_BYTES)));
  return parts.join('\n');
}

/** Media for other processors often have only their own EFI loader. */
async function efiArchitecture(trees: readonly FileTree[]): Promise<Architecture | undefined> {
  for (const tree of trees) {
    if ((await tree.find('EFI/BOOT/BOOTX64.EFI')) !== undefined) return 'x86_64';
    if ((await tree.find('EFI/BOOT/BOOTAA64.EFI')) !== undefined) return 'other';
  }
  return undefined;
}

// --- disks and floppies

function diskFindings(formatName: string, diskFormat: Findings['diskFormat'], notices: readonly Notice[]): Findings {
  return { ...NOTHING, kind: 'disk', formatName, bootWays: ['bios'], architecture: undefined, notices, diskFormat };
}

async function findDisk(source: ByteSource, head: Uint8Array): Promise<Findings> {
  const bootable = hasBootSignature(head);
  const floppy = FLOPPY_SIZES_BYTES.includes(source.sizeBytes);
  // Code of a bare boot sector may look like a table: partitions of a real one lie inside the image.
  const found = await readPartitions(source);
  const table =
    found?.partitions.every((entry) => entry.startBytes > 0 && entry.startBytes < source.sizeBytes) === true
      ? found
      : undefined;
  const fat = await readFatVolume(source, 0);
  if (!floppy && table === undefined && fat === undefined && !(bootable && source.sizeBytes % 512 === 0)) {
    return unusable(
      '',
      notice('unknown-content', 'Nothing in it looks like a disk, CD or floppy image, or like a kernel'),
    );
  }
  const first = fat ?? (await firstFat(source, table?.partitions ?? []));
  const uefi = table?.partitions.some((entry) => entry.type === EFI_SYSTEM || entry.type === 'ef') === true;
  const ways: ('bios' | 'uefi')[] = [
    ...(bootable && table?.scheme !== 'gpt' ? (['bios'] as const) : []),
    ...(uefi ? (['uefi'] as const) : []),
  ];
  const small = floppy || (table === undefined && source.sizeBytes <= LARGEST_FLOPPY_BYTES);
  return {
    ...NOTHING,
    trees: first === undefined ? [] : [first.tree],
    volumeIds: first === undefined || first.tree.volumeId === '' ? [] : [first.tree.volumeId],
    bootText: printableText(head.subarray(0, 8192)),
    oemName: first?.oemName ?? '',
    kind: small ? 'floppy' : 'disk',
    formatName: small
      ? 'floppy image'
      : table === undefined
        ? 'raw disk image'
        : `raw disk image (${table.scheme.toUpperCase()})`,
    bootWays: ways,
    architecture: undefined,
    notices: [],
    diskFormat: 'raw',
  };
}

async function firstFat(
  source: ByteSource,
  partitions: readonly { readonly startBytes: number }[],
): ReturnType<typeof readFatVolume> {
  for (const partition of partitions.slice(0, 4)) {
    const volume = await readFatVolume(source, partition.startBytes);
    if (volume !== undefined) return volume;
  }
  return undefined;
}

// --- processor

const NAMED: readonly (readonly [RegExp, Architecture])[] = [
  [/aarch64|arm64|armhf|riscv64|ppc64|s390x|mips|\barm\b/i, 'other'],
  [/x86[_-]64|amd64|x64|64-?bit/i, 'x86_64'],
  [/i[3-6]86|\bx86\b|32-?bit|x86fre/i, 'x86'],
];

/** The processor by what names say; undefined when they say nothing. */
function architectureOf(texts: readonly string[]): Architecture | undefined {
  for (const [pattern, architecture] of NAMED) if (texts.some((text) => pattern.test(text))) return architecture;
  return undefined;
}
