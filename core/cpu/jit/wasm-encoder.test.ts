import { describe, expect, it } from 'vitest';
import { I32, I64, VOID, W, WasmWriter, encodeModule } from './wasm-encoder.ts';

const MEMORY = { initial: 1, maximum: 2 };

function instantiate(bytes: Uint8Array<ArrayBuffer>, extra: Record<string, WebAssembly.ImportValue> = {}): WebAssembly.Exports {
  const memory = new WebAssembly.Memory({ ...MEMORY, shared: true });
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory, ...extra } }).exports;
}

describe('wasm encoder', () => {
  it('encodes constants of every length so that the engine reads them back', () => {
    const values = [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, 0x7fffffff, -0x80000000];
    const functions = values.map((value, i) => {
      const code = new WasmWriter(16);
      code.i32(value);
      return { type: 0, name: `f${i}`, locals: [], code };
    });
    const exports: WebAssembly.Exports = instantiate(encodeModule({ types: [{ params: [], results: [I32] }], imports: [], memory: MEMORY, functions }));
    expect(values.map((_, i) => (exports[`f${i}`] as () => number)())).toEqual(values);
  });

  it('encodes 64-bit constants from halves', () => {
    const values = [0n, -1n, 0x123456789abcdefn, -0x8000000000000000n, 0x7fffffffffffffffn, 0x80000000n, -0x80000001n];
    const functions = values.map((value, i) => {
      const code = new WasmWriter(16);
      code.i64(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
      return { type: 0, name: `f${i}`, locals: [], code };
    });
    const exports: WebAssembly.Exports = instantiate(encodeModule({ types: [{ params: [], results: [I64] }], imports: [], memory: MEMORY, functions }));
    expect(values.map((_, i) => (exports[`f${i}`] as () => bigint)())).toEqual(values);
  });

  it('encodes loops, locals, imported calls and memory accesses', () => {
    // sum of 1..n, each partial sum passed to the import and stored
    const code = new WasmWriter(16);
    code.open(W.loop);
    code.get(1);
    code.get(0);
    code.op(W.i32_add);
    code.tee(1);
    code.call(0);
    code.i32(0);
    code.get(1);
    code.memory(W.i32_store, 2, 256);
    code.get(0);
    code.i32(1);
    code.op(W.i32_sub);
    code.tee(0);
    code.brIf(0);
    code.op(W.end);
    code.i32(0);
    code.memory(W.i32_load, 2, 256);
    const seen: number[] = [];
    const exports: WebAssembly.Exports = instantiate(
      encodeModule({
        types: [{ params: [I32], results: [] }, { params: [I32], results: [I32] }],
        imports: [{ module: 'env', name: 'see', type: 0 }],
        memory: MEMORY,
        functions: [{ type: 1, name: 'sum', locals: [{ count: 1, type: I32 }], code }],
      }),
      { see: (value: number) => seen.push(value) },
    );
    expect((exports.sum as (n: number) => number)(4)).toBe(10);
    expect(seen).toEqual([4, 7, 9, 10]);
  });

  it('encodes nested blocks with a branch table', () => {
    const code = new WasmWriter(16);
    code.open(W.block, VOID);
    code.open(W.block, VOID);
    code.get(0);
    code.brTable([0, 1], 1);
    code.op(W.end);
    code.i32(10);
    code.op(W.return);
    code.op(W.end);
    code.i32(20);
    const exports: WebAssembly.Exports = instantiate(encodeModule({ types: [{ params: [I32], results: [I32] }], imports: [], memory: MEMORY, functions: [{ type: 0, name: 'pick', locals: [], code }] }));
    const pick = exports.pick as (n: number) => number;
    expect([pick(0), pick(1), pick(7)]).toEqual([10, 20, 20]);
  });

  it('writes branch hints where the engine looks for them: by function, at the offset of the instruction', () => {
    const plain = new WasmWriter(16);
    plain.i32(7);
    const hinted = new WasmWriter(16);
    hinted.open(W.block);
    hinted.get(0);
    hinted.hint(false);
    hinted.brIf(0);
    hinted.get(0);
    hinted.hint(true);
    hinted.open(W.if);
    hinted.op(W.end);
    hinted.op(W.end);
    const bytes = encodeModule({
      types: [{ params: [], results: [I32] }, { params: [I32], results: [] }], imports: [], memory: MEMORY,
      functions: [{ type: 0, name: 'plain', locals: [], code: plain }, { type: 1, name: 'hinted', locals: [{ count: 1, type: I32 }], code: hinted }],
    });
    const [section, ...others] = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), 'metadata.code.branch_hint');
    expect(others).toEqual([]);
    // One function, number 1, with two hints. Three bytes of locals, then block (2), local.get (2): br_if at 7, `if` behind it and a local.get.
    expect([...new Uint8Array(section as ArrayBuffer)]).toEqual([1, 1, 2, 7, 1, 0, 11, 1, 1]);
    expect(hinted.bytes[7 - 3]).toBe(W.br_if);
    expect(hinted.bytes[11 - 3]).toBe(W.if);
  });
});
