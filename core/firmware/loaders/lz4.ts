// Unpacks LZ4 "legacy" streams, the form in which Linux kernels are packed (LZ4 frame description, legacy frame): the
// magic, then blocks with their packed size in front, each at most 8 MiB unpacked.

const LEGACY_MAGIC = 0x184c2102;
const LEGACY_BLOCK_BYTES = 8 * 1024 * 1024;
const MIN_MATCH = 4;

function damaged(): Error {
  return new Error('damaged LZ4 data');
}

/** Unpacks one block into `out` from `start`; returns the end of what was written. */
function unpackBlock(source: Uint8Array, out: Uint8Array, start: number): number {
  let at = 0;
  let to = start;
  const limit = Math.min(out.length, start + LEGACY_BLOCK_BYTES);
  while (at < source.length) {
    const token = source[at++] ?? 0;
    let literals = token >> 4;
    if (literals === 15) {
      let more;
      do {
        if (at >= source.length) throw damaged();
        more = source[at++] ?? 0;
        literals += more;
      } while (more === 255);
    }
    if (at + literals > source.length || to + literals > limit) throw damaged();
    out.set(source.subarray(at, at + literals), to);
    at += literals;
    to += literals;
    if (at === source.length) return to; // The last sequence has no match.
    if (at + 2 > source.length) throw damaged();
    const distance = (source[at] ?? 0) | ((source[at + 1] ?? 0) << 8);
    at += 2;
    let match = (token & 15) + MIN_MATCH;
    if (match === 15 + MIN_MATCH) {
      let more;
      do {
        if (at >= source.length) throw damaged();
        more = source[at++] ?? 0;
        match += more;
      } while (more === 255);
    }
    const from = to - distance;
    if (distance === 0 || from < start || to + match > limit) throw damaged();
    if (distance >= match) {
      out.copyWithin(to, from, from + match);
      to += match;
    } else {
      // Source and target overlap: the match repeats itself.
      for (let index = 0; index < match; index++) out[to++] = out[from + index] ?? 0;
    }
  }
  return to;
}

/** @throws Error when the data is damaged or longer than `limitBytes` */
export function unpackLz4Legacy(packed: Uint8Array, limitBytes: number): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (packed.length < 8 || view.getUint32(0, true) !== LEGACY_MAGIC) throw damaged();
  const out = new Uint8Array(limitBytes);
  let to = 0;
  let at = 4;
  while (at + 4 <= packed.length) {
    const size = view.getUint32(at, true);
    at += 4;
    if (size === LEGACY_MAGIC) continue;
    if (size === 0) break;
    if (at + size > packed.length) throw damaged();
    to = unpackBlock(packed.subarray(at, at + size), out, to);
    at += size;
  }
  return out.subarray(0, to);
}
