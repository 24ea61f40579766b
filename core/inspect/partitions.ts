// Reads the partition table of a disk: MBR (PC convention) or GPT (UEFI 2.10, 5.3). Extended partitions are one entry.

import { type ByteSource, FieldReader, latin1 } from './byte-source.ts';

export interface Partition {
  /** "83", "07", or the GUID of a GPT type in lower case. */
  readonly type: string;
  readonly active: boolean;
  readonly startBytes: number;
  readonly lengthBytes: number;
}

export interface PartitionTable {
  readonly scheme: 'mbr' | 'gpt';
  readonly partitions: readonly Partition[];
}

export const EFI_SYSTEM = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
const PROTECTIVE = 'ee';
const SECTOR = 512;
const GPT_ENTRIES_MAX = 128;

/** The table of a disk whose first sector is `head`, or undefined. @param source the whole image where it can be read flat */
export async function readPartitions(source: ByteSource): Promise<PartitionTable | undefined> {
  const head = new FieldReader(await source.read(0, 2 * SECTOR));
  if (head.u16(510) !== 0xaa55) return undefined;
  const partitions: Partition[] = [];
  for (let at = 446; at < 510; at += 16) {
    const status = head.u8(at);
    if (status !== 0 && status !== 0x80) return undefined;
    const type = head.u8(at + 4);
    const count = head.u32(at + 12);
    if (type !== 0 && count !== 0)
      partitions.push({
        type: type.toString(16).padStart(2, '0'),
        active: status === 0x80,
        startBytes: head.u32(at + 8) * SECTOR,
        lengthBytes: count * SECTOR,
      });
  }
  if (partitions.some((entry) => entry.type === PROTECTIVE) && head.text(SECTOR, 8) === 'EFI PART')
    return { scheme: 'gpt', partitions: await gptPartitions(source, head) };
  return partitions.length === 0 ? undefined : { scheme: 'mbr', partitions };
}

async function gptPartitions(source: ByteSource, head: FieldReader): Promise<Partition[]> {
  const count = Math.min(head.u32(SECTOR + 80), GPT_ENTRIES_MAX);
  const step = head.u32(SECTOR + 84);
  if (step < 128 || step > 4096) return [];
  const table = new FieldReader(await source.read(head.u64(SECTOR + 72) * SECTOR, count * step));
  const partitions: Partition[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * step;
    const type = guid(table.bytes.subarray(at, at + 16));
    if (type === '' || /^[0-]+$/.test(type)) continue;
    const first = table.u64(at + 32);
    partitions.push({
      type,
      active: false,
      startBytes: first * SECTOR,
      lengthBytes: (table.u64(at + 40) - first + 1) * SECTOR,
    });
  }
  return partitions;
}

/** Mixed-endian text form of a GUID. */
function guid(bytes: Uint8Array): string {
  if (bytes.length < 16) return '';
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0'));
  const part = (indices: readonly number[]): string => indices.map((index) => hex[index] ?? '').join('');
  return [part([3, 2, 1, 0]), part([5, 4]), part([7, 6]), part([8, 9]), part([10, 11, 12, 13, 14, 15])].join('-');
}

/** Printable pieces of boot code: what boot loaders say about themselves. */
export function printableText(bytes: Uint8Array): string {
  return latin1(bytes).replace(/[^\x20-\x7e]+/g, '\n');
}
