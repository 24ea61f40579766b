// The file of one saved state: named fields of devices and processors, and for each page of memory where its content lies.
// Layout: header (magic, version, length, SHA-256 of the rest), the description as compressed JSON, the page tables.

import { createHash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { NestboxError } from '../base/errors.ts';
import type { HostFile } from '../host/files/host-file.ts';
import * as F from './format.ts';
import { packJson, unpackJson } from './packed-json.ts';
import { decodeValue, encodeValue } from './state-values.ts';

const packSchema = z.strictObject({
  id: z.string().refine(F.isStateId, 'is no id'),
  entries: z.int().min(1).max(F.PACK_ENTRIES_MAX),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
});
const regionSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,32}$/),
  pages: z.int().min(0).max(F.REGION_PAGES_MAX),
  /** Compressed, in the order of the regions. */
  tableBytes: z.int().min(0).max(F.STATE_FILE_BYTES_MAX),
});
const descriptionSchema = z.strictObject({
  packs: z.array(packSchema).max(F.PACKS_MAX),
  regions: z.array(regionSchema).max(64),
  machine: z.unknown(),
});

export type PackReference = z.infer<typeof packSchema>;

/** Memory of one kind. References: 0 = a page of zeroes, else 1 + entry number counted through all packs in order. */
export interface Region {
  readonly name: string;
  readonly refs: Uint32Array;
}

export interface StateContent {
  readonly packs: readonly PackReference[];
  readonly regions: readonly Region[];
  /** Named fields, see MachineState. Unchecked when read: whoever loads it does. */
  readonly machine: unknown;
}

const LEVEL = 3;
const ZSTD_OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } };

/** Complete and on stable storage when this returns. @returns the file's length */
export async function writeStateFile(file: HostFile, content: StateContent): Promise<number> {
  const tables = content.regions.map((region) => zstdCompressSync(new Uint8Array(region.refs.buffer, region.refs.byteOffset, region.refs.byteLength), ZSTD_OPTIONS));
  const description = {
    packs: content.packs,
    regions: content.regions.map((region, index) => ({ name: region.name, pages: region.refs.length, tableBytes: tables[index]?.length ?? 0 })),
    machine: encodeValue(content.machine),
  };
  const json = packJson(description, LEVEL);
  const body = Buffer.concat([json, ...tables]);
  const header = new Uint8Array(F.STATE_HEADER_BYTES);
  const view = new DataView(header.buffer);
  F.putText(header, 0, F.STATE_MAGIC);
  view.setUint32(8, F.STATE_VERSION, true);
  view.setUint32(12, json.length, true);
  view.setFloat64(16, header.length + body.length, true);
  header.set(createHash('sha256').update(body).digest(), 24);
  await file.write(0, Buffer.concat([header, body]));
  await file.flush();
  return header.length + body.length;
}

/** @throws NestboxError `bad-input`, `unsupported` (newer version) */
export async function readStateFile(file: HostFile): Promise<StateContent> {
  const { json, body } = await readBody(file);
  const description = parseDescription(file.path, json);
  const total = description.packs.reduce((sum, pack) => sum + pack.entries, 0);
  if (total > 0xffff_fffe) throw F.damaged(file.path, 'counts more pages than there can be');
  let at = json.length;
  const regions: Region[] = [];
  for (const { name, pages, tableBytes } of description.regions) {
    const refs = unpackTable(file.path, name, body.subarray(at, at + tableBytes), pages);
    for (const ref of refs) if (ref > total) throw F.damaged(file.path, `the memory ${name} has a page outside the files of pages`);
    regions.push({ name, refs });
    at += tableBytes;
  }
  if (at !== body.length) throw F.damaged(file.path, 'has the wrong length');
  if (new Set(regions.map((region) => region.name)).size !== regions.length) throw F.damaged(file.path, 'names a memory twice');
  if (new Set(description.packs.map((pack) => pack.id)).size !== description.packs.length) throw F.damaged(file.path, 'names a file of pages twice');
  let machine: unknown;
  try {
    machine = decodeValue(description.machine);
  } catch (cause) {
    throw F.damaged(file.path, 'has damaged fields', cause);
  }
  return { packs: description.packs, regions, machine };
}

async function readBody(file: HostFile): Promise<{ json: Uint8Array; body: Uint8Array }> {
  const fileBytes = file.identity().sizeBytes;
  const header = new Uint8Array(F.STATE_HEADER_BYTES);
  if ((await file.read(0, header)) !== header.length || F.textAt(header, 0, 8) !== F.STATE_MAGIC) throw F.damaged(file.path, 'is no saved state');
  const view = new DataView(header.buffer);
  const version = view.getUint32(8, true);
  if (version > F.STATE_VERSION) {
    throw new NestboxError('unsupported', `${file.path}: was saved by a newer Nestbox (version ${version}, this one knows ${F.STATE_VERSION}); update Nestbox`, { op: 'read state', context: { path: file.path } });
  }
  if (version !== F.STATE_VERSION) throw F.damaged(file.path, `has the unknown version ${version}`);
  if (fileBytes > F.STATE_FILE_BYTES_MAX || view.getFloat64(16, true) !== fileBytes) throw F.damaged(file.path, 'is cut off or has grown');
  if (header.subarray(56).some((byte) => byte !== 0)) throw F.damaged(file.path, 'has something where nothing may be');
  const jsonBytes = view.getUint32(12, true);
  const body = new Uint8Array(fileBytes - header.length);
  if (jsonBytes > body.length) throw F.damaged(file.path, 'has the wrong length');
  await file.read(header.length, body);
  if (!createHash('sha256').update(body).digest().equals(header.subarray(24, 56))) throw F.damaged(file.path, 'is damaged');
  return { json: body.subarray(0, jsonBytes), body };
}

function parseDescription(path: string, packed: Uint8Array): z.infer<typeof descriptionSchema> {
  const parsed = descriptionSchema.safeParse(unpackJson(path, packed));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw F.damaged(path, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
}

function unpackTable(path: string, name: string, packed: Uint8Array, pages: number): Uint32Array {
  if (pages === 0 && packed.length === 0) return new Uint32Array(0);
  let bytes: Uint8Array;
  try {
    bytes = zstdDecompressSync(packed, { maxOutputLength: Math.max(1, pages * 4) });
  } catch (cause) {
    throw F.damaged(path, `the table of the memory ${name} is damaged`, cause);
  }
  if (bytes.length !== pages * 4) throw F.damaged(path, `the table of the memory ${name} has the wrong length`);
  return new Uint32Array(new Uint8Array(bytes).buffer);
}
