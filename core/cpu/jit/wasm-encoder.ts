// Writes WebAssembly binary modules into one preallocated buffer (WebAssembly core specification 2.0, chapter 5, with
// the threads and SIMD proposals). No objects per instruction: the JIT calls one method per opcode.

/** Value types. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
/** Block type without result. */
export const VOID = 0x40;

/** One-byte opcodes by their names in the specification's text format. */
export const W = {
  unreachable: 0x00, nop: 0x01, block: 0x02, loop: 0x03, if: 0x04, else: 0x05, end: 0x0b, br: 0x0c, br_if: 0x0d,
  br_table: 0x0e, return: 0x0f, try: 0x06, catch_all: 0x19, rethrow: 0x09, call: 0x10, call_indirect: 0x11, return_call: 0x12, return_call_indirect: 0x13,
  drop: 0x1a, select: 0x1b, local_get: 0x20, local_set: 0x21, local_tee: 0x22, global_get: 0x23, global_set: 0x24,
  i32_load: 0x28, i64_load: 0x29, f32_load: 0x2a, f64_load: 0x2b, i32_load8_s: 0x2c, i32_load8_u: 0x2d,
  i32_load16_s: 0x2e, i32_load16_u: 0x2f, i64_load8_s: 0x30, i64_load8_u: 0x31, i64_load16_s: 0x32, i64_load16_u: 0x33,
  i64_load32_s: 0x34, i64_load32_u: 0x35, i32_store: 0x36, i64_store: 0x37, f32_store: 0x38, f64_store: 0x39,
  i32_store8: 0x3a, i32_store16: 0x3b, i64_store8: 0x3c, i64_store16: 0x3d, i64_store32: 0x3e,
  i32_const: 0x41, i64_const: 0x42, f32_const: 0x43, f64_const: 0x44,
  i32_eqz: 0x45, i32_eq: 0x46, i32_ne: 0x47, i32_lt_s: 0x48, i32_lt_u: 0x49, i32_gt_s: 0x4a, i32_gt_u: 0x4b,
  i32_le_s: 0x4c, i32_le_u: 0x4d, i32_ge_s: 0x4e, i32_ge_u: 0x4f,
  i64_eqz: 0x50, i64_eq: 0x51, i64_ne: 0x52, i64_lt_s: 0x53, i64_lt_u: 0x54, i64_gt_s: 0x55, i64_gt_u: 0x56,
  i64_le_s: 0x57, i64_le_u: 0x58, i64_ge_s: 0x59, i64_ge_u: 0x5a,
  i32_clz: 0x67, i32_ctz: 0x68, i32_popcnt: 0x69, i32_add: 0x6a, i32_sub: 0x6b, i32_mul: 0x6c, i32_div_s: 0x6d,
  i32_div_u: 0x6e, i32_rem_s: 0x6f, i32_rem_u: 0x70, i32_and: 0x71, i32_or: 0x72, i32_xor: 0x73, i32_shl: 0x74,
  i32_shr_s: 0x75, i32_shr_u: 0x76, i32_rotl: 0x77, i32_rotr: 0x78,
  i64_clz: 0x79, i64_ctz: 0x7a, i64_popcnt: 0x7b, i64_add: 0x7c, i64_sub: 0x7d, i64_mul: 0x7e, i64_div_s: 0x7f,
  i64_div_u: 0x80, i64_rem_s: 0x81, i64_rem_u: 0x82, i64_and: 0x83, i64_or: 0x84, i64_xor: 0x85, i64_shl: 0x86,
  i64_shr_s: 0x87, i64_shr_u: 0x88, i64_rotl: 0x89, i64_rotr: 0x8a,
  f32_demote_f64: 0xb6, f64_promote_f32: 0xbb, f64_convert_i32_s: 0xb7, f64_convert_i64_s: 0xb9, f32_convert_i32_s: 0xb2, i32_reinterpret_f32: 0xbc, f32_reinterpret_i32: 0xbe,
  f32_ne: 0x5c, f64_ne: 0x62, f32_add: 0x92, f32_sub: 0x93, f32_mul: 0x94, f32_div: 0x95, f64_abs: 0x99, f64_neg: 0x9a, f64_sqrt: 0x9f, f64_add: 0xa0, f64_sub: 0xa1, f64_mul: 0xa2, f64_div: 0xa3,
  i32_wrap_i64: 0xa7, i64_extend_i32_s: 0xac, i64_extend_i32_u: 0xad,
  i64_reinterpret_f64: 0xbd, f64_reinterpret_i64: 0xbf,
  i32_extend8_s: 0xc0, i32_extend16_s: 0xc1, i64_extend8_s: 0xc2, i64_extend16_s: 0xc3, i64_extend32_s: 0xc4,
} as const;

const PREFIX_SIMD = 0xfd;
const PREFIX_ATOMIC = 0xfe;

/** Bytes in a buffer that grows by doubling; LEB128 and section helpers. */
export class WasmWriter {
  bytes: Uint8Array;
  length = 0;
  /** Where `if` and `br_if` stand whose outcome is known to be usual, see hint(). */
  readonly hints: { readonly at: number; readonly likely: boolean }[] = [];

  constructor(capacity = 1 << 16) {
    this.bytes = new Uint8Array(capacity);
  }

  reset(): void {
    this.length = 0;
    this.hints.length = 0;
  }

  private grow(): void {
    const larger = new Uint8Array(this.bytes.length * 2);
    larger.set(this.bytes);
    this.bytes = larger;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.grow();
    this.bytes[this.length++] = value;
  }

  append(source: WasmWriter): void {
    while (this.length + source.length > this.bytes.length) this.grow();
    this.bytes.set(source.bytes.subarray(0, source.length), this.length);
    this.length += source.length;
  }

  /** Unsigned LEB128 of a number below 2^32. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Signed LEB128 of a 32-bit value. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  /** Signed LEB128 of a 64-bit value given as two 32-bit halves. */
  s64(low: number, high: number): void {
    let lo = low | 0;
    let hi = high | 0;
    for (;;) {
      const part = lo & 0x7f;
      lo = (lo >>> 7) | (hi << 25);
      hi >>= 7;
      const sign = part & 0x40;
      if ((lo === 0 && hi === 0 && sign === 0) || (lo === -1 && hi === -1 && sign !== 0)) {
        this.byte(part);
        return;
      }
      this.byte(part | 0x80);
    }
  }

  name(text: string): void {
    this.u32(text.length);
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
  }

  // --- instructions ----------------------------------------------------------------------------------------------

  op(opcode: number): void {
    this.byte(opcode);
  }

  /** Says of the next instruction, `if` or `br_if`, whether its condition usually holds. */
  hint(likely: boolean): void {
    this.hints.push({ at: this.length, likely });
  }

  /** block, loop or if. */
  open(opcode: number, type: number = VOID): void {
    this.byte(opcode);
    this.byte(type);
  }

  br(depth: number): void {
    this.byte(W.br);
    this.u32(depth);
  }

  brIf(depth: number): void {
    this.byte(W.br_if);
    this.u32(depth);
  }

  brTable(depths: readonly number[], otherwise: number): void {
    this.byte(W.br_table);
    this.u32(depths.length);
    for (const depth of depths) this.u32(depth);
    this.u32(otherwise);
  }

  get(local: number): void {
    this.byte(W.local_get);
    this.u32(local);
  }

  set(local: number): void {
    this.byte(W.local_set);
    this.u32(local);
  }

  tee(local: number): void {
    this.byte(W.local_tee);
    this.u32(local);
  }

  call(index: number): void {
    this.byte(W.call);
    this.u32(index);
  }

  callIndirect(type: number): void {
    this.byte(W.call_indirect);
    this.u32(type);
    this.byte(0);
  }

  i32(value: number): void {
    this.byte(W.i32_const);
    this.s32(value);
  }

  /** An i64 constant that fits a signed 32-bit number. */
  i64Small(value: number): void {
    this.byte(W.i64_const);
    this.s32(value);
  }

  i64(low: number, high: number): void {
    this.byte(W.i64_const);
    this.s64(low, high);
  }

  /** f64.const 0 or f32.const 0. */
  floatZero(double: boolean): void {
    this.byte(double ? W.f64_const : W.f32_const);
    for (let i = double ? 8 : 4; i > 0; i--) this.byte(0);
  }

  /** A load or store; `align` is the log2 of the alignment hint. */
  memory(opcode: number, align: number, offset: number): void {
    this.byte(opcode);
    this.u32(align);
    this.u32(offset);
  }

  simd(opcode: number): void {
    this.byte(PREFIX_SIMD);
    this.u32(opcode);
  }

  /** extract_lane and replace_lane. */
  simdLane(opcode: number, lane: number): void {
    this.simd(opcode);
    this.byte(lane);
  }

  /** i8x16.shuffle, or v128.const with its 16 bytes. */
  simdBytes(opcode: number, bytes: readonly number[]): void {
    this.simd(opcode);
    for (let i = 0; i < 16; i++) this.byte((bytes[i] ?? 0) & 0xff);
  }

  simdMemory(opcode: number, align: number, offset: number): void {
    this.simd(opcode);
    this.u32(align);
    this.u32(offset);
  }

  atomicMemory(opcode: number, align: number, offset: number): void {
    this.byte(PREFIX_ATOMIC);
    this.u32(opcode);
    this.u32(align);
    this.u32(offset);
  }
}

export interface FunctionType {
  readonly params: readonly number[];
  readonly results: readonly number[];
}

export interface FunctionImport {
  readonly module: string;
  readonly name: string;
  readonly type: number;
}

export interface FunctionBody {
  readonly type: number;
  /** Export name. */
  readonly name: string;
  /** Locals after the parameters, as runs of one type. */
  readonly locals: readonly { readonly count: number; readonly type: number }[];
  /** Instructions without the final `end`. */
  readonly code: WasmWriter;
}

export interface ModuleShape {
  readonly types: readonly FunctionType[];
  readonly imports: readonly FunctionImport[];
  /** Imports shared memory env.memory with these limits in 64 KiB pages. */
  readonly memory: { readonly initial: number; readonly maximum: number };
  /** Imports table env.table of at least this many elements. */
  readonly table?: { readonly initial: number };
  readonly functions: readonly FunctionBody[];
}

const SECTION = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const;

function section(out: WasmWriter, id: number, body: WasmWriter): void {
  out.byte(id);
  out.u32(body.length);
  out.append(body);
}

/** Encodes a whole module; functions are exported under their names. Imported functions come first in the index space. */
export function encodeModule(shape: ModuleShape): Uint8Array<ArrayBuffer> {
  const out = new WasmWriter(1 << 16);
  for (const value of [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]) out.byte(value);

  const body = new WasmWriter(1 << 12);
  body.u32(shape.types.length);
  for (const type of shape.types) {
    body.byte(0x60);
    body.u32(type.params.length);
    for (const param of type.params) body.byte(param);
    body.u32(type.results.length);
    for (const result of type.results) body.byte(result);
  }
  section(out, SECTION.type, body);

  body.reset();
  body.u32(shape.imports.length + 1 + (shape.table === undefined ? 0 : 1));
  body.name('env');
  body.name('memory');
  body.byte(0x02);
  body.byte(0x03); // shared, with a maximum
  body.u32(shape.memory.initial);
  body.u32(shape.memory.maximum);
  if (shape.table !== undefined) {
    body.name('env');
    body.name('table');
    body.byte(0x01);
    body.byte(0x70);
    body.byte(0x00);
    body.u32(shape.table.initial);
  }
  for (const entry of shape.imports) {
    body.name(entry.module);
    body.name(entry.name);
    body.byte(0x00);
    body.u32(entry.type);
  }
  section(out, SECTION.import, body);

  body.reset();
  body.u32(shape.functions.length);
  for (const entry of shape.functions) body.u32(entry.type);
  section(out, SECTION.function, body);

  body.reset();
  body.u32(shape.functions.length);
  shape.functions.forEach((entry, index) => {
    body.name(entry.name);
    body.byte(0x00);
    body.u32(shape.imports.length + index);
  });
  section(out, SECTION.export, body);

  const code = new WasmWriter(1 << 12);
  code.u32(shape.functions.length);
  const hints = new WasmWriter(1 << 8);
  hints.name('metadata.code.branch_hint');
  hints.u32(shape.functions.filter((entry) => entry.code.hints.length > 0).length);
  const head = new WasmWriter(64);
  for (const [index, entry] of shape.functions.entries()) {
    head.reset();
    head.u32(entry.locals.length);
    for (const run of entry.locals) {
      head.u32(run.count);
      head.byte(run.type);
    }
    code.u32(head.length + entry.code.length + 1);
    code.append(head);
    code.append(entry.code);
    code.byte(W.end);
    if (entry.code.hints.length === 0) continue;
    hints.u32(shape.imports.length + index);
    hints.u32(entry.code.hints.length);
    for (const { at, likely } of entry.code.hints) {
      hints.u32(head.length + at);
      hints.u32(1);
      hints.byte(likely ? 1 : 0);
    }
  }
  section(out, SECTION.custom, hints);
  section(out, SECTION.code, code);
  return out.bytes.slice(0, out.length);
}
