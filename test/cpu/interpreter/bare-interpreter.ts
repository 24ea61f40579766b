// The interpreter over plain RAM, without a machine: what the instruction-level tests drive.

import { EVENT, EXIT, offsetOf } from '../../../core/cpu/isa/layout.ts';
import { FEATURES } from '../../../core/cpu/isa/generated/decoder.ts';
import { buildCpuid, encodeCpuid } from '../../../core/cpu/isa/cpuid.ts';
import {
  type InterpreterExports,
  UNWOUND,
  instantiateInterpreter,
} from '../../../core/cpu/software/interpreter-module.ts';
import { DirectCompiler } from '../../../core/cpu/jit/direct-compiler.ts';
import { JitEngine, type RegionCompiler } from '../../../core/cpu/jit/jit-engine.ts';
import { RegisterFile } from '../../../core/cpu/software/vcpu-state.ts';
import { jitThresholdNow } from '../../support/jit-modes.ts';
import { layOutMemory } from '../../../core/memory/layout.ts';
import { PhysicalMemory } from '../../../core/memory/physical-memory.ts';

export interface BareInterpreter {
  readonly exports: InterpreterExports;
  readonly file: RegisterFile;
  readonly memory: PhysicalMemory;
  /** Guest RAM. */
  readonly ram: Uint8Array;
  /** Runs like the vCPU does, delivering faults; returns EXIT.*. */
  run(budget: number): number;
  /** Faults delivered since the start, with vector and RIP. */
  readonly faults: { vector: number; error: number; rip: bigint }[];
  readonly jit: JitEngine | undefined;
}

export interface BareOptions {
  /** Instructions executed of a block after which it is compiled, at once and synchronously; 0 leaves the JIT out. As jit-modes.ts says when absent. */
  readonly jitThreshold?: number;
  /** Takes the place of the one that compiles at once. */
  readonly compiler?: RegionCompiler;
  /** Of the JIT's cache. */
  readonly mostCacheBytes?: number;
  readonly ramMib?: number;
  readonly portIn?: (port: number, size: number) => number;
  readonly portOut?: (port: number, size: number, value: number) => void;
  /** Hears what the interpreter tells its host, before the JIT does. */
  readonly notify?: (kind: number) => void;
}

export function bareInterpreter(options: BareOptions = {}): BareInterpreter {
  const layout = layOutMemory({ ramBytes: (options.ramMib ?? 4) << 20, romBytes: 4096, vramBytes: 4096, vcpus: 1 });
  const wasm = new WebAssembly.Memory({ initial: layout.totalBytes / 65536, maximum: 65536, shared: true });
  const memory = new PhysicalMemory(wasm.buffer as unknown as SharedArrayBuffer, layout);
  memory.mapRam();
  const file = new RegisterFile(memory.buffer, layout.vcpuBase);
  const exports = instantiateInterpreter(wasm, layout, layout.vcpuBase, {
    portIn: options.portIn ?? (() => 0xffffffff),
    portOut: options.portOut ?? (() => undefined),
    mmioRead: () => 0xffffffff,
    mmioWrite: () => undefined,
    readTsc: () => exports.currentInstructionCount(),
    acknowledgeInterrupt: () => -1,
    msrRead: () => 0,
    msrWrite: () => 0,
    cr8Read: () => 0,
    cr8Write: () => undefined,
    random32: () => 4,
    notify: (kind, block) => {
      options.notify?.(kind);
      jit?.notify(kind, block);
    },
  });
  let jit: JitEngine | undefined;
  // Every feature that the decoder knows.
  FEATURES.forEach((_name, bit) =>
    file.set32('FEATURE_BITS', (file.get32('FEATURE_BITS', bit >> 5) | (1 << (bit & 31))) >>> 0, bit >> 5),
  );
  const cpuid = encodeCpuid(buildCpuid({ apicId: 0, processorCount: 1, tscHz: 1e9 }));
  const table = layout.vcpuBase + layout.vcpuAreaBytes - 0x2000;
  new Uint32Array(memory.buffer, table, cpuid.length).set(cpuid);
  file.set32('CPUID_TABLE', table);
  file.set32('CPUID_COUNT', cpuid.length / 6);
  file.set64('A20_MASK', 0xffff_ffff_ffff_ffffn);
  exports.init();
  exports.resetCpu(0);
  const { jitThreshold = jitThresholdNow() } = options;
  if (jitThreshold > 0) jit = new JitEngine({ memory: wasm, cpu: layout.vcpuBase, exports, compiler: options.compiler ?? new DirectCompiler(wasm), threshold: jitThreshold, ...(options.mostCacheBytes === undefined ? {} : { mostCacheBytes: options.mostCacheBytes }) });
  const faults: { vector: number; error: number; rip: bigint }[] = [];
  const run = (budget: number): number => {
    let fresh = true;
    for (;;) {
      try {
        return fresh ? exports.run(budget) : exports.resume();
      } catch (thrown) {
        if (thrown !== UNWOUND) throw thrown;
        fresh = false;
      }
      for (;;) {
        try {
          exports.settleFault();
          faults.push({ vector: file.get32('FAULT_VECTOR'), error: file.get32('FAULT_ERROR'), rip: file.get64('RIP') });
          const reason = exports.deliverFault();
          if (reason >= 0) return reason;
          break;
        } catch (thrown) {
          if (thrown !== UNWOUND) throw thrown;
        }
      }
    }
  };
  return { exports, file, memory, ram: memory.ram, run, faults, jit };
}

/** Puts the processor into real mode segments: selector and base of one register. */
export function setRealSegment(file: RegisterFile, index: number, selector: number): void {
  file.set32('SEG_SELECTOR', selector, index);
  file.set64('SEG_BASE', BigInt(selector * 16), index);
}

/** Makes a halted processor run again. */
export function wake(cpu: BareInterpreter): void {
  cpu.file.set32('ACTIVITY', 0);
  cpu.file.set32('SHADOW', 0);
  cpu.file.set32('STEP_STATE', 0);
  cpu.file.set32('DEBUG_PENDING', 0);
  cpu.file.set32('EVENTS', 0);
}

export { EVENT, EXIT, offsetOf };

/** Flat 32-bit protected mode without paging at RIP, stack at 80000h. */
export function enterFlat32(cpu: BareInterpreter, rip: number): void {
  const { file } = cpu;
  for (let i = 0; i < 6; i++) {
    file.set32('SEG_SELECTOR', i === 1 ? 8 : 16, i);
    file.set64('SEG_BASE', 0n, i);
    file.set32('SEG_LIMIT', 0xffff_ffff, i);
    file.set32('SEG_ACCESS', i === 1 ? 0xc09b : 0xc093, i);
  }
  file.set64('CR0', 0x11n);
  file.set64('RIP', BigInt(rip));
  file.set64('GPR', 0x80000n, 4);
  cpu.exports.refreshDerived();
}

/** Real mode at CS:IP, the other segments 0, stack at 0:7000h, every vector at a HLT of its own: 0:0800h + vector. */
export function enterReal(cpu: BareInterpreter, cs: number, ip: number): void {
  const { file, ram } = cpu;
  for (let i = 0; i < 6; i++) setRealSegment(file, i, i === 1 ? cs : 0);
  for (let vector = 0; vector < 256; vector++) {
    ram.set([vector, 8, 0, 0], vector * 4);
    ram[0x800 + vector] = 0xf4;
  }
  file.set64('RIP', BigInt(ip));
  file.set64('GPR', 0x7000n, 4);
  cpu.exports.refreshDerived();
}
