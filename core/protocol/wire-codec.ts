// How a message of rpc.ts travels over a WebSocket: one binary message = u32 length of a JSON text (little endian), the
// JSON, padding to 8 bytes, then the bytes of every Uint8Array of the message one after the other. Frames and serial bytes
// so cross without base64. Both sides check what they get; a malformed message throws and the connection is closed.
//
// JSON alone loses three things that calls use; they are written as one-key objects: {"$b":[offset,length]} = bytes,
// {"$u":0} = undefined, {"$o":{...}} = a plain object whose own key begins with "$".

const HEADER_BYTES = 4;
const ALIGN = 8;
/** A message larger than this is a mistake or an attack: the largest screen is 64 MiB. */
export const WIRE_MESSAGE_MAX = 128 * 1024 * 1024;
const DEPTH_MAX = 64;

export class WireFormatError extends Error {}

// Node and browsers both have them, but this layer's types are of neither.
const { TextEncoder: Utf8Encoder, TextDecoder: Utf8Decoder } = globalThis as unknown as {
  readonly TextEncoder: new () => { encode(text: string): Uint8Array };
  readonly TextDecoder: new (label: string, options: { fatal: boolean }) => { decode(bytes: Uint8Array): string };
};
const encoder = new Utf8Encoder();
const decoder = new Utf8Decoder('utf-8', { fatal: true });

export function encodeWire(message: unknown): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let partBytes = 0;

  const pack = (value: unknown, depth: number): unknown => {
    if (depth > DEPTH_MAX) throw new WireFormatError('A message is nested too deeply.');
    if (value === undefined) return { $u: 0 };
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number') return Number.isFinite(value) ? value : null;
    if (typeof value === 'bigint') throw new WireFormatError('A message holds a BigInt.');
    if (value instanceof Uint8Array) {
      const at = partBytes;
      parts.push(value);
      partBytes += value.byteLength;
      return { $b: [at, value.byteLength] };
    }
    if (Array.isArray(value)) return value.map((item) => pack(item, depth + 1));
    if (typeof value !== 'object') return { $u: 0 };
    const entries = Object.entries(value);
    const packed: Record<string, unknown> = {};
    for (const [key, item] of entries) {
      // An absent and an undefined property mean the same in the protocol.
      if (item !== undefined && typeof item !== 'function') packed[key] = pack(item, depth + 1);
    }
    return entries.some(([key]) => key.startsWith('$')) ? { $o: packed } : packed;
  };

  const json = encoder.encode(JSON.stringify(pack(message, 0)));
  const start = Math.ceil((HEADER_BYTES + json.length) / ALIGN) * ALIGN;
  const bytes = new Uint8Array(start + partBytes);
  new DataView(bytes.buffer).setUint32(0, json.length, true);
  bytes.set(json, HEADER_BYTES);
  let at = start;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/** The bytes inside the result are views of `bytes`, not copies. */
export function decodeWire(bytes: Uint8Array): unknown {
  if (bytes.byteLength < HEADER_BYTES || bytes.byteLength > WIRE_MESSAGE_MAX) throw new WireFormatError('A message has a wrong size.');
  const jsonBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  if (jsonBytes > bytes.byteLength - HEADER_BYTES) throw new WireFormatError('A message is cut short.');
  const start = Math.ceil((HEADER_BYTES + jsonBytes) / ALIGN) * ALIGN;
  let parsed: unknown;
  try {
    parsed = JSON.parse(decoder.decode(bytes.subarray(HEADER_BYTES, HEADER_BYTES + jsonBytes)));
  } catch {
    throw new WireFormatError('A message is not JSON.');
  }

  const bytesOf = (range: unknown): Uint8Array => {
    if (!Array.isArray(range) || range.length !== 2) throw new WireFormatError('A message names bytes wrongly.');
    const [offset, length] = range as unknown[];
    if (!Number.isInteger(offset) || !Number.isInteger(length)) throw new WireFormatError('A message names bytes wrongly.');
    const from = start + (offset as number);
    const to = from + (length as number);
    if ((offset as number) < 0 || (length as number) < 0 || to > bytes.byteLength) throw new WireFormatError('A message names bytes that it does not hold.');
    return bytes.subarray(from, to);
  };

  const unpackFields = (value: object, depth: number): Record<string, unknown> => {
    const fields: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(value)) {
      // A key that would change the object's prototype is never a field of the protocol.
      if (key === '__proto__') throw new WireFormatError('A message holds a forbidden key.');
      fields[key] = unpack(item, depth + 1);
    }
    return fields;
  };

  const unpack = (value: unknown, depth: number): unknown => {
    if (depth > DEPTH_MAX) throw new WireFormatError('A message is nested too deeply.');
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => unpack(item, depth + 1));
    if ('$b' in value) return bytesOf(value.$b);
    if ('$u' in value) return undefined;
    if ('$o' in value) {
      if (typeof value.$o !== 'object' || value.$o === null) throw new WireFormatError('A message holds a wrong object.');
      return unpackFields(value.$o, depth);
    }
    return unpackFields(value, depth);
  };

  return unpack(parsed, 0);
}
