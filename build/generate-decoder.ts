// Generates from the opcode table (core/cpu/isa/opcodes.ts) what the interpreter's decoder and main loop need:
//   core/cpu/interp/assembly/generated/decode-tables.ts  rows and their index
//   core/cpu/interp/assembly/generated/handlers.ts       numbers of the handlers that decode.ts and blocks.ts name
//   core/cpu/interp/assembly/generated/subs.ts           numbers inside the groups X87, MMX, SSE, SYSTEM
//   core/cpu/interp/assembly/generated/dispatch.ts       the main loop's switch
//   core/cpu/isa/generated/decoder.ts                    feature and handler numbers for TypeScript

import { mkdirSync, writeFileSync } from 'node:fs';
import type { OpcodeRow } from '../core/cpu/isa/opcode-row.ts';
import { OPCODE_ROWS } from '../core/cpu/isa/opcodes.ts';
import { OPERAND_TOKEN, sizeLetterOf } from '../core/cpu/isa/operands.ts';
import { DECODER_HANDLERS, DISPATCH_IMPORTS, HANDLERS, isHot, type Handler } from './interpreter-handlers.ts';

const MAPS = ['1', '0f', '0f38', '0f3a', 'vex0f', 'vex0f38', 'vex0f3a'] as const;
const IMM = ['NONE', 'IB', 'IZ', 'IV', 'IW', 'JB', 'JZ', 'A', 'O', 'IW_IB', 'IB_IB', 'MODRM'] as const;
const SIZES = ['V', 'B', 'W', 'D', 'Q', 'Z', 'Y'] as const;
const ROW_BYTES = 16;
const FLAG = { NO64: 1, ONLY64: 2, DEFAULT64: 4, FORCE64: 8, LOCK: 16, ENDS: 32, MODRM: 64, LAST: 128 } as const;
const FLAG2 = { STACK: 1, STRING: 2, LINKED: 4 } as const;
const REG = { PLAIN: 0, BYTE: 1, RAW: 2, FIXED: 16 } as const;
const RM = { PLAIN: 0, BYTE: 1, RAW: 2, LOW3: 3, LOW3_BYTE: 4, ACCUMULATOR: 5 } as const;
const PREFIX = { np: 1, 66: 2, f3: 3, f2: 4 } as const;
const GROUPS = ['X87', 'MMX', 'SSE', 'SYSTEM'] as const;
const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'];

// --- Numbering.
const features: string[] = [''];
const subs = new Map<string, Map<string, number>>(GROUPS.map((group) => [group, new Map()]));
const handlerNumbers = new Map<string, number>();
interface Case {
  readonly number: number;
  readonly name: string;
  readonly handler: Handler;
  readonly control: boolean;
  readonly size: number;
  readonly isMem: boolean;
  readonly rep: boolean;
}
const cases: Case[] = [];
let nextHandler = 0;

const COUNTS = { 0: 1, 1: 4, 2: 2, 3: 8, 5: 8 } as const;

function numberOf(name: string, control: boolean): number {
  const key = control ? `${name}@control` : name;
  const known = handlerNumbers.get(key);
  if (known !== undefined) return known;
  const handler = HANDLERS.get(name);
  if (handler === undefined) throw new Error(`The opcode table names an unknown handler ${name}`);
  const first = nextHandler;
  handlerNumbers.set(key, first);
  for (let variant = 0; variant < COUNTS[handler.expand]; variant++) {
    const bySize = (handler.expand & 1) !== 0;
    const size = bySize ? variant & 3 : 0;
    const isMem = handler.expand === 3 ? variant >= 4 : handler.expand === 2 ? variant === 1 : false;
    const rep = handler.expand === 5 && variant >= 4;
    cases.push({
      number: nextHandler++,
      name: key,
      handler,
      control: control || handler.kind === 'control' || rep,
      size,
      isMem,
      rep,
    });
  }
  return first;
}

function subOf(group: string, sub: string | undefined): number {
  const table = subs.get(group);
  if (table === undefined) return 0;
  if (sub === undefined) throw new Error(`A row of group ${group} has no sub`);
  const known = table.get(sub);
  if (known !== undefined) return known;
  table.set(sub, table.size);
  return table.size - 1;
}

function featureOf(name: string | undefined): number {
  if (name === undefined) return 0;
  const known = features.indexOf(name);
  if (known >= 0) return known;
  features.push(name);
  return features.length - 1;
}

/** Plain handlers of rows that end a block are separate: RIP is stored before and looked at after. */
const isControl = (row: OpcodeRow): boolean => row.endsBlock === true && HANDLERS.get(row.handler)?.kind === 'plain';
/** Variants that some row can reach. */
const reachable = new Set<number>();
for (const name of DECODER_HANDLERS) reachable.add(numberOf(name, false));

const SIZES_OF = { V: [1, 2, 3], B: [0], W: [1], D: [2], Q: [3], Z: [1, 2], Y: [2, 3] } as const;

function reach(row: OpcodeRow, number: number, size: (typeof SIZES)[number]): void {
  const expand = HANDLERS.get(row.handler)?.expand ?? 0;
  const sizes = (expand & 1) !== 0 ? SIZES_OF[size] : [0];
  for (const log2 of sizes) {
    if (row.mod !== 'mem') reachable.add(number + log2);
    if ((expand === 3 && row.mod !== 'reg') || expand === 5) reachable.add(number + log2 + 4);
    else if (row.mod === 'mem') reachable.add(number + log2);
  }
}

// --- One row of the decode table.
function encode(row: OpcodeRow): number[] {
  const tokens = row.operands === undefined ? [] : row.operands.split(',');
  let flags = 0;
  let flags2 = 0;
  let imm: (typeof IMM)[number] = 'NONE';
  let regSource: number = REG.PLAIN;
  let rmSource: number = RM.PLAIN;
  let size: (typeof SIZES)[number] | undefined;
  let modrm = row.reg !== undefined || row.mod !== undefined || row.rm !== undefined;
  const immediates: string[] = [];
  const takeSize = (letter: string): void => {
    if (size !== undefined) return;
    const found = { b: 'B', w: 'W', d: 'D', q: 'Q', z: 'Z', y: 'Y', v: 'V' }[letter];
    if (found !== undefined) size = found as (typeof SIZES)[number];
  };
  tokens.forEach((token, position) => {
    const match = OPERAND_TOKEN.exec(token);
    if (match === null) {
      // A register by name.
      if (SEGMENTS.includes(token)) regSource = REG.FIXED + SEGMENTS.indexOf(token);
      if (position === 0 && (token === 'AL' || token === 'rAX' || token === 'eAX') && tokens.length === 2)
        rmSource = RM.ACCUMULATOR;
      if (token === 'AL') takeSize('b');
      if (token === 'rAX') takeSize('v');
      if (token === 'eAX') takeSize('z');
      return;
    }
    const kind = match[1] as string;
    const letter = sizeLetterOf(token);
    if ('EMRWQUN'.includes(kind)) {
      modrm = true;
      if (kind === 'E' && letter === 'b') rmSource = RM.BYTE;
      if (kind === 'Q' || kind === 'N') rmSource = RM.RAW;
      if (kind === 'E' || kind === 'R' || kind === 'M') takeSize(letter);
    } else if ('GVPSCD'.includes(kind)) {
      modrm = true;
      if (kind === 'G') {
        takeSize(letter);
        if (letter === 'b') regSource = REG.BYTE;
      }
      if (kind === 'P' || kind === 'S') regSource = REG.RAW;
    } else if (kind === 'Z') {
      rmSource = letter === 'b' ? RM.LOW3_BYTE : RM.LOW3;
      takeSize(letter);
    } else if (kind === 'X' || kind === 'Y' || kind === 'O' || kind === 'F') {
      takeSize(letter);
      if (kind === 'O') immediates.push('O');
    } else if (kind === 'I' || kind === 'J') {
      immediates.push(`${kind}${letter.toUpperCase()}`);
    } else if (kind === 'A') {
      immediates.push('A');
    }
  });
  if (immediates.length > 0) imm = immediates.join('_') as (typeof IMM)[number];
  if (row.handler === 'X87') imm = 'MODRM';
  if (!IMM.includes(imm)) throw new Error(`Row ${row.mnemonic} ${row.operands}: immediate ${imm}`);
  if (modrm) flags |= FLAG.MODRM;
  if (row.modes === 'no64') flags |= FLAG.NO64;
  if (row.modes === 'only64') flags |= FLAG.ONLY64;
  if (row.size64 === 'default') flags |= FLAG.DEFAULT64;
  if (row.size64 === 'force') flags |= FLAG.FORCE64;
  if (row.lock === true) flags |= FLAG.LOCK;
  if (row.endsBlock === true) flags |= FLAG.ENDS;
  const handler = HANDLERS.get(row.handler);
  if (handler?.stack === true) flags2 |= FLAG2.STACK;
  if (handler?.expand === 5) flags2 |= FLAG2.STRING;
  if (handler?.linked === true) flags2 |= FLAG2.LINKED;
  const number = numberOf(row.handler, isControl(row));
  reach(row, number, size ?? 'V');
  const sub = subOf(row.handler, row.sub);
  return [
    number & 255,
    number >> 8,
    sub & 255,
    sub >> 8,
    row.prefix === undefined ? 0 : PREFIX[row.prefix],
    row.reg ?? 255,
    row.mod === undefined ? 0 : row.mod === 'mem' ? 1 : 2,
    row.rm ?? 255,
    flags,
    IMM.indexOf(imm),
    SIZES.indexOf(size ?? 'V'),
    regSource,
    rmSource,
    handler === undefined ? 0 : handler.expand === 5 ? 1 : handler.expand,
    featureOf(row.feature),
    flags2,
  ];
}

// --- Rows by map and opcode; those with more conditions first.
function specificity(row: OpcodeRow): number {
  return (
    (row.prefix !== undefined ? 8 : 0) +
    (row.rm !== undefined ? 4 : 0) +
    (row.reg !== undefined ? 2 : 0) +
    (row.mod !== undefined ? 1 : 0)
  );
}

const byOpcode = new Map<number, OpcodeRow[]>();
for (const row of OPCODE_ROWS) {
  for (let i = 0; i < (row.plusR === true ? 8 : 1); i++) {
    const key = MAPS.indexOf(row.map) * 256 + row.opcode + i;
    const list = byOpcode.get(key) ?? [];
    const rival = list.find(
      (other) =>
        other.prefix === row.prefix &&
        other.reg === row.reg &&
        other.mod === row.mod &&
        other.rm === row.rm &&
        other.modes === row.modes &&
        other.feature === row.feature,
    );
    // PAUSE and XCHG share 90 by prefix; anything else that collides is a mistake of the table.
    if (rival !== undefined)
      throw new Error(
        `Rows ${rival.mnemonic} and ${row.mnemonic} match the same bytes (${row.map} ${row.opcode.toString(16)})`,
      );
    list.push(row);
    byOpcode.set(key, list);
  }
}

const index = new Uint16Array(MAPS.length * 256);
const table: number[] = new Array<number>(ROW_BYTES).fill(0);
for (const [key, list] of [...byOpcode].sort((a, b) => a[0] - b[0])) {
  const sorted = list
    .map((row, order) => ({ row, order }))
    .sort((a, b) => specificity(b.row) - specificity(a.row) || a.order - b.order);
  index[key] = table.length / ROW_BYTES;
  const encoded = sorted.map(({ row }) => encode(row));
  // ModRM belongs to the opcode, not to the row.
  const modrm = encoded.some((bytes) => ((bytes[8] as number) & FLAG.MODRM) !== 0) ? FLAG.MODRM : 0;
  encoded.forEach((bytes, i) => {
    bytes[8] = (bytes[8] as number) | modrm | (i === encoded.length - 1 ? FLAG.LAST : 0);
    table.push(...bytes);
  });
}

// --- Output.
const HEAD = '// Generated by build/generate-decoder.ts from the opcode table. Do not edit.\n';
const folder = new URL('../core/cpu/interp/assembly/generated/', import.meta.url);
mkdirSync(folder, { recursive: true });

function constants(prefix: string, values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `export const ${prefix}${name}: u32 = ${value};\n`)
    .join('');
}

function dataBytes(values: ArrayLike<number>): string {
  const lines: string[] = [];
  for (let i = 0; i < values.length; i += 32)
    lines.push(
      `  ${Array.from(values)
        .slice(i, i + 32)
        .join(', ')},`,
    );
  return lines.join('\n');
}

writeFileSync(
  new URL('decode-tables.ts', folder),
  [
    HEAD,
    constants('IMM_', Object.fromEntries(IMM.map((name, i) => [name, i]))),
    constants('SIZE_', Object.fromEntries(SIZES.map((name, i) => [name, i]))),
    constants('ROW_', FLAG),
    constants('ROW2_', FLAG2),
    constants('REG_', REG),
    constants('RM_', RM),
    'export const ROW_BYTES: usize = 16;\n',
    'export const MAP_0F: u32 = 1;\nexport const MAP_0F38: u32 = 2;\nexport const MAP_0F3A: u32 = 3;\n/** vex0f; vex0f38 and vex0f3a follow. */\nexport const MAP_VEX: u32 = 4;\n',
    '/** First row by map * 256 + opcode, 0 = undefined. */\n',
    `export const opcodeIndex: usize = memory.data<u16>([\n${dataBytes(index)}\n]);\n`,
    '/** handler u16, sub u16, prefix, reg, mod, rm, flags, immediate, size, reg source, rm source, expand, feature, flags 2 */\n',
    `export const opcodeRows: usize = memory.data<u8>([\n${dataBytes(table)}\n]);\n`,
  ].join(''),
);

writeFileSync(
  new URL('subs.ts', folder),
  HEAD +
    [...subs]
      .map(
        ([group, names]) =>
          `// ${group}\n${[...names].map(([name, number]) => `export const SUB_${name}: u32 = ${number};\n`).join('')}`,
      )
      .join(''),
);

// Hot cases stand in the loop's own switch and are inlined; the others are functions of their own behind a second switch:
// the time to compile the loop grows with the square of its size, and Binaryen makes jump tables of at most 1024 cases.
const MAX_CASES = 1000;
const live = cases.filter((entry) => reachable.has(entry.number));
const isHotCase = (entry: Case): boolean => isHot(entry.name, entry.size, entry.isMem, entry.control);
const hotCases = live.filter(isHotCase);
const coldCases = live.filter((entry) => !isHotCase(entry));
/** Final number by the decoder's number (base plus variant). */
const finalNumbers = new Uint16Array(nextHandler);
[...hotCases, ...coldCases].forEach((entry, i) => (finalNumbers[entry.number] = i));
if (coldCases.length > MAX_CASES || hotCases.length > MAX_CASES)
  throw new Error(`${coldCases.length} cold handlers do not fit one jump table`);
const outlined: string[] = [];

function variantOf(entry: Case): string {
  return entry.handler.expand === 0 ? '' : ` ${8 << entry.size}${entry.isMem ? ' mem' : ''}${entry.rep ? ' rep' : ''}`;
}

function hotText(entry: Case): string {
  const code = entry.handler.code(entry.size, entry.isMem, entry.rep);
  const label = `      case ${finalNumbers[entry.number]}: // ${entry.name}${variantOf(entry)}`;
  if (entry.handler.kind === 'branch')
    return `${label}\n        op = ${code};\n        if (op == 0) return;\n        continue;`;
  return `${label}\n        ${code === '' ? '' : `${code};\n        `}break;`;
}

function coldText(entry: Case): string {
  const { handler } = entry;
  const number = finalNumbers[entry.number] as number;
  const code = handler.code(entry.size, entry.isMem, entry.rep);
  const label = `    case ${number}: // ${entry.name}${variantOf(entry)}`;
  if (handler.kind === 'branch' || entry.control) {
    const body =
      handler.kind === 'branch' ? `  return ${code};` : `  set64(RIP, nextRip(op));\n  ${code};\n  return leave(op);`;
    outlined.push(`// ${entry.name}${variantOf(entry)}\nfunction h${number}(op: usize): usize {\n${body}\n}\n`);
    return `${label}\n      return h${number}(op);`;
  }
  // A call of an ordinary function needs no wrapper.
  if (handler.call === true) return `${label}\n      ${code};\n      break;`;
  outlined.push(`// ${entry.name}${variantOf(entry)}\nfunction h${number}(op: usize): void {\n  ${code};\n}\n`);
  return `${label}\n      h${number}(op);\n      break;`;
}

const hotSwitch = hotCases.map(hotText).join('\n');
const coldSwitch = coldCases.map(coldText).join('\n');
const text = `${hotSwitch}\n${coldSwitch}`;
const whole = `${text}\n${outlined.join('')}`;
const used = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(whole) || name === 'cpu';
const imports = Object.entries(DISPATCH_IMPORTS)
  .map(([module, names]) => [module, names.filter(used)] as const)
  .filter(([, names]) => names.length > 0)
  .map(([module, names]) => `import { ${names.join(', ')} } from '../${module}';`);

writeFileSync(
  new URL('dispatch.ts', folder),
  `${HEAD}
import { CURRENT_OP, RIP } from './layout';
${imports.join('\n')}

${outlined.join('\n')}
/** One op record of the rarer kinds; returns the next one, or 0 when run() has to return. */
function executeCold(op: usize): usize {
  switch (<u32>load<u16>(op)) {
${coldSwitch}
    default:
      unreachable();
  }
  return op + 32;
}

/** Executes op records until run() has to return. */
export function execute(op: usize): void {
  for (;;) {
    store<u32>(cpu, <u32>op, CURRENT_OP);
    switch (<u32>load<u16>(op)) {
${hotSwitch}
      default:
        op = executeCold(op);
        if (op == 0) return;
        continue;
    }
    op += 32;
  }
}
`,
);

writeFileSync(
  new URL('handlers.ts', folder),
  [
    HEAD,
    '/** Handler numbers as the decode table has them: handlerNumbers maps them to those of the dispatch loop. */\n',
    DECODER_HANDLERS.map((name) => `export const B_${name}: u32 = ${handlerNumbers.get(name)};\n`).join(''),
    DECODER_HANDLERS.map(
      (name) => `export const H_${name}: u32 = ${finalNumbers[handlerNumbers.get(name) as number]};\n`,
    ).join(''),
    `export const handlerNumbers: usize = memory.data<u16>([\n${dataBytes(finalNumbers)}\n]);\n`,
  ].join(''),
);

const isaFolder = new URL('../core/cpu/isa/generated/', import.meta.url);
mkdirSync(isaFolder, { recursive: true });
writeFileSync(
  new URL('decoder.ts', isaFolder),
  `${HEAD}
/** Bit numbers in FEATURE_BITS; 0 is unused. */
export const FEATURES: readonly string[] = ${JSON.stringify(features)};
/** Dispatch number of each handler variant, by name: "ADD_EG 32 mem". */
export const HANDLER_NUMBERS: Readonly<Record<string, number>> = ${JSON.stringify(Object.fromEntries(live.map((entry) => [entry.name + variantOf(entry), finalNumbers[entry.number]])))};
/** Numbers of the instructions inside the groups, by name. */
export const SUB_NUMBERS: Readonly<Record<string, Readonly<Record<string, number>>>> = ${JSON.stringify(Object.fromEntries([...subs].map(([group, names]) => [group, Object.fromEntries(names)])))};
export const HOT_HANDLERS = ${hotCases.length};
export const HANDLER_COUNT = ${live.length};
export const ENCODED_ROWS = ${table.length / ROW_BYTES - 1};
`,
);
