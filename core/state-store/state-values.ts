// Values of a saved state as JSON and back. Besides what JSON has: 64-bit integers, bytes, and numbers that are not finite.

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

const INTEGER = '$integer';
const BYTES = '$bytes';
const NUMBER = '$number';

/** @throws RangeError for values that a state may not hold: a device saves something that is lost otherwise */
export function encodeValue(value: unknown): Json {
  switch (typeof value) {
    case 'boolean':
    case 'string':
      return value;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : { [NUMBER]: Object.is(value, -0) ? '-0' : String(value) };
    case 'bigint':
      return { [INTEGER]: value < 0n ? `-${(-value).toString(16)}` : value.toString(16) };
    case 'object':
      return encodeObject(value);
    default:
      throw new RangeError(`A saved state cannot hold a ${typeof value}`);
  }
}

function encodeObject(value: object | null): Json {
  if (value === null) return null;
  if (value instanceof Uint8Array) return { [BYTES]: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
  if (Array.isArray(value)) return value.map(encodeValue);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw new RangeError('A saved state holds plain values only');
  const out: Record<string, Json> = {};
  for (const [name, part] of Object.entries(value)) {
    if (name.startsWith('$')) throw new RangeError(`A field may not be called ${name}`);
    if (part !== undefined) out[name] = encodeValue(part);
  }
  return out;
}

/** @throws RangeError when something is not as encodeValue() makes it */
export function decodeValue(json: unknown, depth = 0): unknown {
  if (depth > 64) throw new RangeError('nested too deeply');
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map((part) => decodeValue(part, depth + 1));
  const names = Object.keys(json);
  const only = names.length === 1 ? names[0] : undefined;
  if (only?.startsWith('$') === true) return decodeTagged(only, (json as Record<string, unknown>)[only]);
  const out: Record<string, unknown> = {};
  for (const name of names) {
    if (name.startsWith('$') || name === '__proto__') throw new RangeError(`unknown tag ${name}`);
    out[name] = decodeValue((json as Record<string, unknown>)[name], depth + 1);
  }
  return out;
}

function decodeTagged(tag: string, content: unknown): unknown {
  if (typeof content !== 'string') throw new RangeError(`${tag} without text`);
  switch (tag) {
    case INTEGER: {
      const match = /^(-?)([0-9a-f]{1,32})$/.exec(content);
      if (match === null) throw new RangeError(`${tag} is no number`);
      const magnitude = BigInt(`0x${match[2] ?? '0'}`);
      return match[1] === '-' ? -magnitude : magnitude;
    }
    case BYTES: {
      const bytes = Buffer.from(content, 'base64');
      if (bytes.toString('base64') !== content) throw new RangeError(`${tag} is not base64`);
      return new Uint8Array(bytes);
    }
    case NUMBER: {
      const value = { NaN: NaN, Infinity: Infinity, '-Infinity': -Infinity, '-0': -0 }[content];
      if (value === undefined) throw new RangeError(`${tag} is unknown`);
      return value;
    }
    default:
      throw new RangeError(`unknown tag ${tag}`);
  }
}
