// Makes one WebAssembly module of a batch of regions.

import type { BlockCopy } from './op-record.ts';
import { type EmittedRegion, emitRegion } from './region-emitter.ts';
import { IMPORTS, type ImportName, type RegionSetup } from './region-code.ts';
import type { IndirectTargets } from './region-graph.ts';
import { dispatcher, stackProbe } from './region-dispatch.ts';
import { encodeModule, type FunctionType, I32, I64 } from './wasm-encoder.ts';

export interface RegionRequest {
  readonly id: number;
  readonly setup: RegionSetup;
  /** The head first. */
  readonly blocks: readonly BlockCopy[];
  readonly targets?: IndirectTargets;
}

/** What became of a request: exported as `name`, or nothing. */
export interface RegionResult {
  readonly id: number;
  readonly name: string;
  /** Most instructions retired between two looks at the budget; 0 when the region could not be made. */
  readonly need: number;
  readonly translated: number;
}

const SIGNATURES: Readonly<Record<ImportName, FunctionType>> = {
  jitRead: { params: [I64, I32, I32, I32, I32], results: [I32] },
  jitReadSegment: { params: [I64, I32, I32, I32, I32, I32], results: [I32] },
  jitWrite: { params: [I64, I32, I32, I32, I32], results: [I32] },
  jitWriteSegment: { params: [I64, I32, I32, I32, I32, I32], results: [I32] },
  jitFlags32: { params: [I32, I32, I32, I32], results: [] },
  jitFlags64: { params: [I32, I64, I64, I32], results: [] },
  jitOverride: { params: [I32, I64], results: [] },
  jitSetCarryOverflow: { params: [I32, I32], results: [] },
  jitMulHighUnsigned: { params: [I64, I64], results: [I64] },
  jitMulHighSigned: { params: [I64, I64], results: [I64] },
  jitDouble: { params: [I32, I64, I64, I32, I32, I32], results: [I64] },
  jitSingle: { params: [I32, I32, I32, I32, I32, I32], results: [I32] },
  executeSse: { params: [I32], results: [] },
  executeX87: { params: [I32], results: [] },
  executeMmx: { params: [I32], results: [] },
  executeSystem: { params: [I32], results: [] },
  jitSystem: { params: [I32], results: [] },
  jitPushedFlags: { params: [I32], results: [I64] },
};

/** Types by index: 0 is that of regions. */
const types: FunctionType[] = [{ params: [], results: [I32] }];
const imports = IMPORTS.map((name) => {
  types.push(SIGNATURES[name]);
  return { module: 'env', name, type: types.length - 1 };
});
const PROBE_TYPE = types.push({ params: [I64], results: [I64, I32] }) - 1;

export interface RegionModule {
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
  readonly results: readonly RegionResult[];
}

/** `pages`: size of the memory in 64 KiB pages. */
export function buildModule(requests: readonly RegionRequest[], pages: number): RegionModule {
  const regions: EmittedRegion[] = [];
  const results = requests.map(({ id, setup, blocks, targets }): RegionResult => {
    const name = `r${regions.length}`;
    const region = emitRegion(setup, blocks, name, targets);
    if (region === undefined) return { id, name: '', need: 0, translated: 0 };
    regions.push(region);
    return { id, name, need: region.need, translated: region.translated };
  });
  const cpu = requests[0]?.setup.cpu ?? 0;
  if (regions.length === 0) return { bytes: undefined, results };
  const bytes = encodeModule({ types, imports, memory: { initial: pages, maximum: 65536 }, table: { initial: 1 }, functions: [dispatcher(cpu), stackProbe(cpu, PROBE_TYPE), ...regions.map((region) => region.body)] });
  return { bytes, results };
}
