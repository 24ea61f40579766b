// What differs between the memory, devices and processors of two saved states. Pages are compared by content id: neither
// state's memory is read.

import { EXTENTS_MAX, type SnapshotDifference } from '../../protocol/snapshots.ts';
import type { OpenState, StateStore } from '../../state-store/state-store.ts';

const FIELDS_MAX = 5000;
const VALUE_CHARACTERS_MAX = 200;

type StatePart = Pick<SnapshotDifference, 'memory' | 'devices' | 'registers'>;

export async function compareStates(store: StateStore, from: string, to: string): Promise<StatePart> {
  const before = await store.open(from);
  try {
    const after = await store.open(to);
    try {
      return { ...memoryOf(before, after), ...fieldsOf(before.machine, after.machine) };
    } finally {
      await after.close();
    }
  } finally {
    await before.close();
  }
}

function memoryOf(before: OpenState, after: OpenState): Pick<SnapshotDifference, 'memory'> {
  const left = before.region('ram');
  const right = after.region('ram');
  if (left === undefined || right === undefined) return {};
  const totalPages = Math.max(left.length, right.length);
  const ranges: { firstPage: number; pages: number }[] = [];
  let changedPages = 0;
  for (let page = 0; page < totalPages; page++) {
    if (samePage(before, left[page] ?? 0, after, right[page] ?? 0)) continue;
    changedPages++;
    const last = ranges.at(-1);
    if (last !== undefined && last.firstPage + last.pages === page) last.pages++;
    else ranges.push({ firstPage: page, pages: 1 });
  }
  return { memory: { changedPages, totalPages, ranges: ranges.slice(0, EXTENTS_MAX), truncated: ranges.length > EXTENTS_MAX } };
}

function samePage(before: OpenState, left: number, after: OpenState, right: number): boolean {
  if (left === 0 || right === 0) return left === right;
  const a = before.locate(left);
  const b = after.locate(right);
  if (a.pack.id === b.pack.id && a.entry === b.entry) return true;
  if (a.pack.storage !== 'packed' || b.pack.storage !== 'packed') return Buffer.compare(Buffer.from(a.pack.page(a.entry)), b.pack.page(b.entry)) === 0;
  for (let word = 0; word < 4; word++) if (a.pack.ids[a.entry * 4 + word] !== b.pack.ids[b.entry * 4 + word]) return false;
  return true;
}

function fieldsOf(before: unknown, after: unknown): Pick<SnapshotDifference, 'devices' | 'registers'> {
  const devices: SnapshotDifference['devices'][number][] = [];
  const registers: SnapshotDifference['registers'][number][] = [];
  const left = flatten(before);
  const right = flatten(after);
  for (const path of new Set([...left.keys(), ...right.keys()])) {
    const pair = { before: left.get(path) ?? '', after: right.get(path) ?? '' };
    if (pair.before === pair.after) continue;
    const [kind, owner = '', ...rest] = path.split('.');
    if (kind === 'cpus') registers.push({ cpu: Number(owner), register: rest.join('.'), ...pair });
    else if (kind === 'devices') devices.push({ device: owner, field: rest.filter((part, index) => index > 0 || part !== 'fields').join('.'), ...pair });
    else devices.push({ device: 'machine', field: path, ...pair });
  }
  return { devices: devices.slice(0, FIELDS_MAX), registers: registers.slice(0, FIELDS_MAX) };
}

/** Every leaf as text, by its path. */
function flatten(value: unknown, path: readonly string[] = [], into = new Map<string, string>()): Map<string, string> {
  if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    // Names of devices may have dots ("ide0.1"): they stand for one part of the path.
    for (const [name, part] of Object.entries(value)) flatten(part, [...path, name.replaceAll('.', '/')], into);
  } else into.set(path.join('.'), textOf(value));
  return into;
}

function textOf(value: unknown): string {
  if (value instanceof Uint8Array) {
    const text = Buffer.from(value).toString('hex');
    return text.length <= VALUE_CHARACTERS_MAX ? text : `${text.slice(0, VALUE_CHARACTERS_MAX)}… (${value.length} bytes)`;
  }
  return typeof value === 'bigint' ? `0x${value.toString(16)}` : String(value).slice(0, VALUE_CHARACTERS_MAX);
}
