import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WireFormatError, decodeWire, encodeWire } from './wire-codec.ts';

describe('messages on a WebSocket', () => {
  it('carries calls with bytes, undefined and nested objects', () => {
    const call = { t: 'q', i: 'a1', m: 'serialInput', a: [new Uint8Array([1, 2, 255]), undefined, { deep: [{ pixels: new Uint8Array(5).fill(7) }] }] };
    expect(decodeWire(encodeWire(call))).toEqual(call);
  });

  it('keeps objects whose keys look like its own marks', () => {
    const message = { $b: [0, 900], inner: { $u: 1, $o: null } };
    expect(decodeWire(encodeWire(message))).toEqual(message);
  });

  it('brings back any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        // JSON has no negative zero; nothing in the protocol means anything by it.
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        if (JSON.stringify(plain).includes('"__proto__"')) return;
        expect(decodeWire(encodeWire(plain))).toEqual(plain);
      }),
    );
  });

  it('refuses damaged messages with its own error and nothing else', () => {
    const good = encodeWire({ frame: { pixels: new Uint8Array(64) }, text: 'abc' });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }), fc.nat(good.length), (edits, cut) => {
        const bad = good.slice(0, good.length - (cut % 9));
        for (const [at, value] of edits) if (at < bad.length) bad[at] = value;
        try {
          decodeWire(bad);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(WireFormatError);
        }
      }),
      { numRuns: 500 },
    );
    const forged = (text: string): Uint8Array => {
      const bytes = new Uint8Array(8 + text.length);
      bytes[0] = text.length;
      bytes.set(new TextEncoder().encode(text), 4);
      return bytes;
    };
    for (const text of ['{"$b":[0,9999]}', '{"$b":[-1,1]}', '{"$b":[0.5,1]}', '{"$b":"x"}', '{"$o":3}', '{"__proto__":{"x":1}}', '{']) {
      expect(() => decodeWire(forged(text)), text).toThrow(WireFormatError);
    }
    expect(() => decodeWire(new Uint8Array(3))).toThrow(WireFormatError);
    expect(() => decodeWire(new Uint8Array([255, 255, 255, 255]))).toThrow(WireFormatError);
  });
});
