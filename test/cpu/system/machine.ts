// A bare machine for tests of the interpreter's system part: RAM, a ROM at the top of the first and the fourth gigabyte
// as on a PC, debug port E9h, exit port F4h, and nothing else. Runs the same ROM images as QEMU (see qemu.ts).

import { readFileSync } from 'node:fs';
import { DirectCompiler } from '../../../core/cpu/jit/direct-compiler.ts';
import { JitEngine, type JitExports } from '../../../core/cpu/jit/jit-engine.ts';
import { layOutMemory } from '../../../core/memory/layout.ts';
import { PhysicalMemory } from '../../../core/memory/physical-memory.ts';
import { jitThresholdNow } from '../../support/jit-modes.ts';
import { buildCpuid, CPUID_ENTRY_BYTES, type CpuFeature, DEFAULT_FEATURES, encodeCpuid, featureBits } from '../../../core/cpu/isa/cpuid.ts';
import { EVENT, EXIT, offsetOf, PAGE } from '../../../core/cpu/isa/layout.ts';

const UNWOUND = new Error('unwound');
/** Size of the test ROMs; they end at 1 MiB and at 4 GiB. */
export const ROM_BYTES = 0x1_0000;
const TSC_HZ = 1e9;

interface Interpreter {
  init(): void;
  run(budget: number): number;
  resume(): number;
  deliverFault(): number;
  resetCpu(init: boolean): void;
  pageMapChanged(): void;
  currentInstructionCount(): number;
  updateBreakpoints(): void;
}

let compiled: WebAssembly.Module | undefined;

function interpreterModule(): WebAssembly.Module {
  const path = process.env['NESTBOX_TEST_INTERP'] ?? new URL('../../../dist/interp.wasm', import.meta.url);
  compiled ??= new WebAssembly.Module(readFileSync(path));
  return compiled;
}

export interface MachineOptions {
  readonly rom?: Uint8Array;
  readonly ramMib?: number;
  readonly features?: readonly CpuFeature[];
  readonly featureOrder: readonly string[];
}

export class TestMachine {
  /** Text written to port E9h. */
  output = '';
  /** Value written to port F4h. */
  exitValue: number | undefined;
  /** Vector that the next INTA cycle yields. */
  interruptVector = -1;
  readonly memory: PhysicalMemory;
  readonly view: DataView;
  readonly cpu: number;
  readonly mmioLog: string[] = [];
  private readonly interpreter: Interpreter;
  private jit: JitEngine | undefined;

  constructor(options: MachineOptions) {
    const layout = layOutMemory({ ramBytes: (options.ramMib ?? 16) << 20, romBytes: ROM_BYTES, vramBytes: 0x1000, vcpus: 1 });
    const pages = layout.totalBytes / 65536;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
    const buffer = memory.buffer as unknown as SharedArrayBuffer;
    this.memory = new PhysicalMemory(buffer, layout);
    this.view = new DataView(buffer);
    this.cpu = layout.vcpuBase;
    this.memory.mapRam();
    // The PC hole: video memory and option ROMs are absent.
    this.memory.unmap(0xa_0000, 0x6_0000);
    if (options.rom !== undefined) {
      this.memory.rom.set(options.rom, ROM_BYTES - options.rom.length);
      this.memory.map(0xf_0000, ROM_BYTES, layout.romBase, PAGE.READ | PAGE.RAM);
      this.memory.map(0xffff_0000, ROM_BYTES, layout.romBase, PAGE.READ | PAGE.RAM);
    }
    const global = (value: number): WebAssembly.Global => new WebAssembly.Global({ value: 'i32', mutable: false }, value);
    const instance = new WebAssembly.Instance(interpreterModule(), {
      env: {
        memory,
        cpu: global(layout.vcpuBase),
        pageMapBase: global(layout.pageMapBase),
        dirtyBase: global(layout.dirtyBase),
        granuleBase: global(layout.granuleBase),
        ramBase: global(layout.ramBase),
        unwind: () => {
          throw UNWOUND;
        },
        portIn: () => 0xffff_ffff,
        portOut: (port: number, size: number, value: number) => this.portOut(port, size, value),
        mmioRead: (address: number, size: number) => {
          this.mmioLog.push(`r${size} ${address.toString(16)}`);
          return 0xffff_ffff;
        },
        mmioWrite: (address: number, size: number, value: number) => {
          this.mmioLog.push(`w${size} ${address.toString(16)} ${(value >>> 0).toString(16)}`);
        },
        readTsc: () => this.interpreter.currentInstructionCount(),
        acknowledgeInterrupt: () => {
          const vector = this.interruptVector;
          this.interruptVector = -1;
          if (vector >= 0) this.setEvent(EVENT.INTR, false);
          return vector;
        },
        msrRead: (index: number) => {
          if (index !== 0x1b) return 0;
          this.view.setUint32(this.cpu + offsetOf('EXCHANGE'), 0xfee0_0900, true);
          this.view.setUint32(this.cpu + offsetOf('EXCHANGE') + 4, 0, true);
          return 1;
        },
        msrWrite: (index: number) => (index === 0x1b ? 1 : 0),
        cr8Read: () => 0,
        cr8Write: () => undefined,
        random32: () => 0x1234_5678,
        notify: (kind: number, a: number) => this.jit?.notify(kind, a),
      },
    });
    this.interpreter = instance.exports as unknown as Interpreter;
    const features = options.features ?? DEFAULT_FEATURES;
    const entries = buildCpuid({ apicId: 0, processorCount: 1, features, tscHz: TSC_HZ });
    // The last pages of the vCPU's area are free here.
    const table = layout.vcpuBase + layout.vcpuAreaBytes - 0x2000;
    if (entries.length * CPUID_ENTRY_BYTES > 0x2000) throw new Error('CPUID table too long');
    new Uint32Array(buffer, table, entries.length * 6).set(encodeCpuid(entries));
    this.set32('CPUID_TABLE', table);
    this.set32('CPUID_COUNT', entries.length);
    new Uint32Array(buffer, this.cpu + offsetOf('FEATURE_BITS'), 4).set(featureBits(features, options.featureOrder));
    this.view.setBigUint64(this.cpu + offsetOf('A20_MASK'), 0xffff_ffff_ffff_ffffn, true);
    this.interpreter.init();
    this.interpreter.resetCpu(false);
    const threshold = jitThresholdNow();
    if (threshold > 0) {
      this.jit = new JitEngine({ memory, cpu: this.cpu, exports: instance.exports as unknown as JitExports, compiler: new DirectCompiler(memory), threshold });
    }
  }

  get32(field: string, index = 0): number {
    return this.view.getUint32(this.cpu + offsetOf(field, index), true);
  }

  set32(field: string, value: number, index = 0): void {
    this.view.setUint32(this.cpu + offsetOf(field, index), value, true);
  }

  get64(field: string, index = 0): bigint {
    return this.view.getBigUint64(this.cpu + offsetOf(field, index), true);
  }

  set64(field: string, value: bigint, index = 0): void {
    this.view.setBigUint64(this.cpu + offsetOf(field, index), value, true);
  }

  setEvent(bit: number, on = true): void {
    const words = new Int32Array(this.view.buffer, this.cpu + offsetOf('EVENTS'), 1);
    if (on) Atomics.or(words, 0, bit);
    else Atomics.and(words, 0, ~bit);
  }

  /** Raises INTR with a vector. */
  interrupt(vector: number): void {
    this.interruptVector = vector;
    this.setEvent(EVENT.INTR);
  }

  nmi(): void {
    this.setEvent(EVENT.NMI);
  }

  count(): number {
    return this.interpreter.currentInstructionCount();
  }

  updateBreakpoints(): void {
    this.interpreter.updateBreakpoints();
  }

  /** To be called after the page map, the A20 mask or dirty marks changed. */
  pageMapChanged(): void {
    this.interpreter.pageMapChanged();
  }

  private get dirty(): Uint8Array {
    const { layout } = this.memory;
    return new Uint8Array(this.view.buffer, layout.dirtyBase, layout.trackedPages);
  }

  clearDirty(): void {
    this.dirty.fill(0);
  }

  isDirty(address: number): boolean {
    return this.dirty[address >>> 12] !== 0;
  }

  /** Runs until something other than a fault ends it; returns EXIT_*. */
  run(budget = 1_000_000): number {
    let resume = false;
    for (;;) {
      try {
        const reason = resume ? this.interpreter.resume() : this.interpreter.run(budget);
        if (reason === EXIT.YIELD && this.exitValue === undefined) {
          resume = true;
          continue;
        }
        return reason;
      } catch (error) {
        if (error !== UNWOUND) throw error;
        resume = true;
        const reason = this.deliver();
        if (reason >= 0) return reason;
      }
    }
  }

  private deliver(): number {
    for (;;) {
      try {
        return this.interpreter.deliverFault();
      } catch (error) {
        if (error !== UNWOUND) throw error;
      }
    }
  }

  private portOut(port: number, size: number, value: number): void {
    if (port === 0xe9) {
      this.output += String.fromCharCode(value & 0xff);
    } else if (port === 0xf4) {
      this.exitValue = value;
      this.setEvent(EVENT.YIELD);
    }
    void size;
  }
}
