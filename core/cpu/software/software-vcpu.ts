// The software vCPU: joins the interpreter (and later the JIT) to the CPU contract. Faults of guest code unwind as a thrown
// symbol; run() catches it, has the fault delivered and goes on.

import type { PhysicalMemory } from '../../memory/physical-memory.ts';
import type { CpuIdentity, CpuState, DebugSettings, EngineStats, FaultReport, RunExit, Vcpu, VcpuOptions } from '../contract.ts';
import { CPUID_ENTRY_BYTES, type CpuFeature, type CpuidEntry, DEFAULT_FEATURES, buildCpuid, encodeCpuid, featureBits } from '../isa/cpuid.ts';
import { disassemble } from '../isa/disassembler.ts';
import { DirectCompiler } from '../jit/direct-compiler.ts';
import { JitEngine } from '../jit/jit-engine.ts';
import { WorkerCompiler } from '../jit/worker-compiler.ts';
import { FEATURES } from '../isa/generated/decoder.ts';
import { EVENT, EXIT, offsetOf } from '../isa/layout.ts';
import { DeadlineAlarm } from './deadline-alarm.ts';
import { EMPTY_CODE, EmptyCodeWatch } from './empty-code-watch.ts';
import { FaultWatch } from './fault-watch.ts';
import { type InterpreterExports, UNWOUND, instantiateInterpreter } from './interpreter-module.ts';
import { runDebugged } from './debug-run.ts';
import { RegisterFile, checkCpuState, readCpuState, writeCpuState } from './vcpu-state.ts';

export interface SoftwareVcpuOptions extends VcpuOptions {
  readonly jit: boolean;
  /** Look-ups after which a block is compiled at once; absent = in the background, when it is hot. */
  readonly jitThreshold?: number;
  /** Ticks of the TSC a second, as CPUID tells. */
  readonly tscHz: number;
  readonly processorCount: number;
  readonly features?: readonly CpuFeature[];
  /** CPUID from 40000000h on. */
  readonly hypervisorLeaves?: readonly CpuidEntry[];
  readonly brand?: string;
}

const RUN_EXIT: Readonly<Record<number, RunExit>> = {
  [EXIT.BUDGET]: 'budget',
  [EXIT.HALTED]: 'halted',
  [EXIT.YIELD]: 'yield',
  [EXIT.SHUTDOWN]: 'shutdown',
  [EXIT.RESET]: 'reset',
  [EXIT.DEBUG]: 'debug',
};
const CODE_SIZE = [16, 32, 64] as const;
const CODE_64 = 2;
/** Faults of one run() after which it comes back early. */
const MOST_FAULTS = 20_000;
/** hostNotify kinds; the others are for the JIT. */
const NOTIFY_FERR = 1;
/** The page map has ABSENT for a page that is needed now. */
const NOTIFY_ABSENT = 64;
/**
 * Instructions executed of a block after which it is compiled. Compiling a region costs as much as interpreting some 100,000 of
 * them, and programs that end soon (a shell's, a boot's) run most of their code a few hundred times. A boot is fastest with
 * 30,000 to 80,000 (docs/performance.md).
 */
const JIT_THRESHOLD = 49_152;
/** The last pages of the vCPU's area hold its CPUID table. */
const CPUID_TABLE_BYTES = 0x2000;
const SEGMENT_INDEX = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5, ldtr: 6, tr: 7 } as const;
const REGISTERS = ['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15'];
const FAULT_LOG_ENTRIES = 16;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;
const A20_BIT = 1n << 20n;
const PAGE_BYTES = 4096;
/** Writes from outside, up to this many bytes, drop the code that they hit; larger ones drop all code. */
const MOST_BYTES_BY_PAGE = 16 << 20;
const CR0_PG = 0x8000_0000;

/** Makes one software vCPU over the machine's memory. */
export function createSoftwareVcpu(wasm: WebAssembly.Memory, memory: PhysicalMemory, options: SoftwareVcpuOptions): Vcpu {
  return new SoftwareVcpu(wasm, memory, options);
}

class SoftwareVcpu implements Vcpu {
  readonly index: number;
  readonly fillsAbsentPages = true;
  private readonly options: SoftwareVcpuOptions;
  private readonly memory: PhysicalMemory;
  private readonly file: RegisterFile;
  private readonly events: Int32Array;
  private readonly interpreter: InterpreterExports;
  private readonly msrOut = new Uint32Array(2);
  private readonly exits: Record<string, number> = {};
  private portAccesses = 0;
  private mmioAccesses = 0;
  private faults = 0;
  private a20Open = true;
  private readonly jit: JitEngine | undefined;
  private identity: CpuIdentity;
  private debug: DebugSettings | undefined;
  /** Only machines that follow the host's clock need its thread. */
  private alarm: DeadlineAlarm | undefined;
  /** Interrupts that were taken. */
  private acknowledged = 0;
  private readonly faultWatch: FaultWatch;
  private readonly emptyCodeWatch: EmptyCodeWatch;
  /** What the watches found. */
  private failure: Partial<FaultReport> | undefined;

  constructor(wasm: WebAssembly.Memory, memory: PhysicalMemory, options: SoftwareVcpuOptions) {
    this.index = options.index;
    this.options = options;
    this.memory = memory;
    const { layout } = memory;
    const base = layout.vcpuBase + options.index * layout.vcpuAreaBytes;
    this.file = new RegisterFile(memory.buffer, base);
    this.events = new Int32Array(memory.buffer, base + offsetOf('EVENTS'), 1);
    this.faultWatch = new FaultWatch(this.file);
    this.emptyCodeWatch = new EmptyCodeWatch((target) => this.readLinear(this.nextLinear(), target));
    const exchange = base + offsetOf('EXCHANGE');
    const { io, interrupts, msrs, clock } = options;
    const { view } = this.file;
    this.interpreter = instantiateInterpreter(wasm, layout, base, {
      portIn: (port, size) => {
        this.portAccesses++;
        return io.portRead(port, size as 1 | 2 | 4);
      },
      portOut: (port, size, value) => {
        this.portAccesses++;
        io.portWrite(port, size as 1 | 2 | 4, value >>> 0);
      },
      mmioRead: (address, size) => {
        this.mmioAccesses++;
        return io.mmioRead(address, size as 1 | 2 | 4);
      },
      mmioWrite: (address, size, value) => {
        this.mmioAccesses++;
        io.mmioWrite(address, size as 1 | 2 | 4, value >>> 0);
      },
      readTsc: () => clock.readTsc(),
      acknowledgeInterrupt: () => {
        this.acknowledged++;
        return interrupts.acknowledge();
      },
      msrRead: (index) => {
        if (!msrs.read(index >>> 0, this.msrOut)) return 0;
        view.setUint32(exchange, this.msrOut[0] ?? 0, true);
        view.setUint32(exchange + 4, this.msrOut[1] ?? 0, true);
        return 1;
      },
      msrWrite: (index) => (msrs.write(index >>> 0, view.getUint32(exchange, true), view.getUint32(exchange + 4, true)) ? 1 : 0),
      cr8Read: () => interrupts.readCr8(),
      cr8Write: (value) => interrupts.writeCr8(value),
      random32: () => options.random32(),
      notify: (kind, a) => {
        if (kind === NOTIFY_FERR) options.onFerr?.(true);
        else if (kind === NOTIFY_ABSENT) memory.fillPage(a);
        else this.jit?.notify(kind, a);
      },
    });
    this.identity = { features: [...(options.features ?? DEFAULT_FEATURES)].sort(), tscHz: options.tscHz };
    this.describeProcessor();
    this.file.set64('A20_MASK', ALL_ONES);
    this.interpreter.init();
    this.interpreter.resetCpu(0);
    if (options.jit) {
      this.jit = new JitEngine({ memory: wasm, cpu: base, exports: this.interpreter, compiler: options.jitThreshold === undefined ? new WorkerCompiler(wasm) : new DirectCompiler(wasm), threshold: options.jitThreshold ?? JIT_THRESHOLD });
    }
  }

  private describeProcessor(): void {
    const { options, file, memory } = this;
    const features = this.identity.features as readonly CpuFeature[];
    const table = file.base + memory.layout.vcpuAreaBytes - CPUID_TABLE_BYTES;
    const entries = buildCpuid({
      apicId: options.index,
      processorCount: options.processorCount,
      features,
      tscHz: this.identity.tscHz,
      ...(options.brand === undefined ? {} : { brand: options.brand }),
      ...(options.hypervisorLeaves === undefined ? {} : { hypervisorLeaves: options.hypervisorLeaves }),
    });
    if (entries.length * CPUID_ENTRY_BYTES > CPUID_TABLE_BYTES) throw new RangeError('CPUID table too long');
    new Uint32Array(memory.buffer, table, entries.length * 6).set(encodeCpuid(entries));
    file.set32('CPUID_TABLE', table);
    file.set32('CPUID_COUNT', entries.length);
    featureBits(features, FEATURES).forEach((word, i) => file.set32('FEATURE_BITS', word, i));
  }

  run(maxInstructions: number): RunExit {
    return this.debug === undefined ? this.runFreely(maxInstructions) : runDebugged(this.debug, maxInstructions, () => this.runFreely(1), () => this.nextAddress());
  }

  /** Linear address of the next instruction. */
  private nextAddress(): bigint {
    return (this.file.get64('SEG_BASE', SEGMENT_INDEX.cs) + this.file.get64('RIP')) & ALL_ONES;
  }

  setDebug(settings: DebugSettings | undefined): void {
    this.debug = settings;
  }

  private runFreely(maxInstructions: number): RunExit {
    const { interpreter } = this;
    this.jit?.poll();
    let reason = -1;
    let fresh = true;
    let faults = 0;
    const { acknowledged } = this;
    const before = this.instructionCount();
    const budget = this.faultWatch.budget(maxInstructions);
    while (reason < 0) {
      try {
        reason = fresh ? interpreter.run(budget) : interpreter.resume();
      } catch (thrown) {
        if (thrown !== UNWOUND) throw thrown;
        fresh = false;
        reason = this.deliverFault();
        // A handler that faults at its first instruction retires nothing, for ever: the device thread must go on.
        if (++faults === MOST_FAULTS && reason < 0) reason = EXIT.BUDGET;
      }
    }
    if (reason === EXIT.YIELD) Atomics.and(this.events, 0, ~EVENT.YIELD);
    const exit = this.judge(RUN_EXIT[reason] ?? 'debug', faults, this.instructionCount() - before, this.acknowledged !== acknowledged);
    this.exits[exit] = (this.exits[exit] ?? 0) + 1;
    return exit;
  }

  /** Tells guests that will never get anywhere from those that just run. */
  private judge(exit: RunExit, faults: number, retired: number, interrupted: boolean): RunExit {
    if (exit !== 'budget' && exit !== 'yield') return exit;
    if (this.faultWatch.isStuck(faults, retired, interrupted)) {
      const { vector, cs, rip } = this.faultWatch.verdict;
      this.failure = { what: `endless fault #${vector}: the instruction never completes,`, cs, rip };
      return 'fault';
    }
    if (this.emptyCodeWatch.isLost()) {
      this.failure = { what: EMPTY_CODE };
      return 'fault';
    }
    return exit;
  }

  private forgetFailure(): void {
    this.failure = undefined;
    this.faultWatch.forget();
    this.emptyCodeWatch.forget();
  }

  /** Delivery itself may fault: into a double, then a triple fault. @returns an exit reason, or -1 to go on */
  private deliverFault(): number {
    this.faults++;
    this.faultWatch.beforeDelivery();
    for (;;) {
      try {
        const reason = this.interpreter.deliverFault();
        this.faultWatch.delivered();
        return reason;
      } catch (thrown) {
        if (thrown !== UNWOUND) throw thrown;
      }
    }
  }

  instructionCount(): number {
    return this.interpreter.currentInstructionCount();
  }

  setInterruptRequest(level: boolean): void {
    if (level) Atomics.or(this.events, 0, EVENT.INTR);
    else {
      Atomics.and(this.events, 0, ~EVENT.INTR);
      this.file.set32('EVENTS_HELD', this.file.get32('EVENTS_HELD') & ~EVENT.INTR);
    }
  }

  raiseNmi(): void {
    Atomics.or(this.events, 0, EVENT.NMI);
  }

  raiseInit(): void {
    Atomics.or(this.events, 0, EVENT.INIT);
  }

  raiseStartup(vector: number): void {
    this.file.set32('SIPI_VECTOR', vector);
    Atomics.or(this.events, 0, EVENT.SIPI);
  }

  requestYield(): void {
    Atomics.or(this.events, 0, EVENT.YIELD);
  }

  setAlarm(ms: number | undefined): void {
    if (ms === undefined) this.alarm?.clear();
    else (this.alarm ??= new DeadlineAlarm({ memory: this.memory.buffer, wordAt: this.events.byteOffset, bit: EVENT.YIELD })).set(ms);
  }

  reset(): void {
    this.forgetFailure();
    const intr = Atomics.load(this.events, 0) & EVENT.INTR;
    Atomics.store(this.events, 0, 0);
    this.interpreter.flushAllBlocks();
    this.interpreter.resetCpu(0);
    if (intr !== 0) Atomics.or(this.events, 0, intr);
  }

  getState(): CpuState {
    return { ...readCpuState(this.file, this.interpreter.readEflags(), this.instructionCount()), identity: this.identity };
  }

  setState(input: CpuState, options?: { readonly handOff: boolean }): void {
    const handOff = options?.handOff === true;
    const state = handOff ? input : checkCpuState(input);
    if (!handOff && state.identity !== undefined) {
      this.identity = state.identity;
      this.describeProcessor();
    }
    if (!handOff) this.forgetFailure();
    writeCpuState(this.file, state);
    this.interpreter.setEflags(Number(state.rflags & 0xffff_ffffn));
    this.interpreter.refreshDerived();
    this.file.set32('DEBUG_PENDING', state.pendingDebug ?? 0);
    this.interpreter.updateBreakpoints();
    this.interpreter.pageMapChanged();
    if (!handOff) this.interpreter.flushAllBlocks();
    Atomics.and(this.events, 0, ~(EVENT.NMI | EVENT.INIT | EVENT.SIPI));
    if (state.nmiPending) Atomics.or(this.events, 0, EVENT.NMI);
  }

  readLinear(address: number, target: Uint8Array): boolean {
    return this.accessLinear(address, target, (physical, piece) => this.readPhysical(physical, piece));
  }

  writeLinear(address: number, source: Uint8Array): boolean {
    return this.accessLinear(address, source, (physical, piece) => this.writePhysical(physical, piece));
  }

  private accessLinear(address: number, bytes: Uint8Array, access: (physical: number, piece: Uint8Array) => void): boolean {
    for (let at = 0; at < bytes.length; ) {
      const linear = address + at;
      const physical = this.physicalOf(linear);
      if (physical < 0) return false;
      const piece = bytes.subarray(at, Math.min(bytes.length, at + PAGE_BYTES - (linear % PAGE_BYTES)));
      access(physical, piece);
      at += piece.length;
    }
    return true;
  }

  /** Without paging, as in real mode where the BIOS lives, no page walk and no BigInt is needed. */
  private physicalOf(linear: number): number {
    if ((this.file.get32('CR0') & CR0_PG) !== 0) return this.interpreter.translateDebug(BigInt(linear));
    return this.a20Open || (linear & 0x10_0000) === 0 ? linear : linear - 0x10_0000;
  }

  private readPhysical(address: number, piece: Uint8Array): void {
    const direct = this.memory.directBytes(address, piece.length, false);
    if (direct !== undefined) piece.set(direct);
    else for (let i = 0; i < piece.length; i++) piece[i] = this.options.io.mmioRead(address + i, 1);
  }

  private writePhysical(address: number, piece: Uint8Array): void {
    const direct = this.memory.directBytes(address, piece.length, true);
    if (direct !== undefined) {
      direct.set(piece);
      this.memory.noteWritten(address, piece.length);
    } else for (let i = 0; i < piece.length; i++) this.options.io.mmioWrite(address + i, 1, piece[i] ?? 0);
  }

  getRegister32(index: number): number {
    return this.file.get32('GPR', index);
  }

  setRegister32(index: number, value: number): void {
    this.file.set64('GPR', BigInt(value >>> 0), index);
  }

  getSegment(name: keyof CpuState['segments']): { selector: number; base: number } {
    const index = SEGMENT_INDEX[name];
    return { selector: this.file.get32('SEG_SELECTOR', index) & 0xffff, base: Number(this.file.get64('SEG_BASE', index)) };
  }

  memoryMapChanged(): void {
    this.interpreter.pageMapChanged();
  }

  setA20(enabled: boolean): void {
    this.a20Open = enabled;
    this.file.set64('A20_MASK', enabled ? ALL_ONES : ALL_ONES & ~A20_BIT);
    this.interpreter.pageMapChanged();
  }

  memoryWritten(address: number, length: number): void {
    if (length > MOST_BYTES_BY_PAGE) {
      this.interpreter.flushAllBlocks();
      return;
    }
    const end = address + length;
    for (let at = address; at < end; ) {
      const offset = at % PAGE_BYTES;
      const size = Math.min(PAGE_BYTES - offset, end - at);
      this.interpreter.codeWritten(Math.floor(at / PAGE_BYTES), offset, size);
      at += size;
    }
  }

  faultReport(): FaultReport {
    const { file } = this;
    const hex = (value: bigint): string => value.toString(16).padStart(16, '0');
    const rows: string[] = [];
    for (let i = 0; i < 16; i += 4) {
      rows.push(REGISTERS.slice(i, i + 4).map((name, j) => `${name.padEnd(3)}=${hex(file.get64('GPR', i + j))}`).join(' '));
    }
    rows.push(`CR0=${hex(file.get64('CR0'))} CR2=${hex(file.get64('CR2'))} CR3=${hex(file.get64('CR3'))} CR4=${hex(file.get64('CR4'))}`);
    rows.push(`EFER=${file.get64('EFER').toString(16)} EFLAGS=${this.interpreter.readEflags().toString(16).padStart(8, '0')}`);
    const next = file.get32('FAULT_LOG_NEXT') & (FAULT_LOG_ENTRIES - 1);
    const lastExceptions = [];
    for (let i = 0; i < FAULT_LOG_ENTRIES; i++) {
      const slot = ((next + i) & (FAULT_LOG_ENTRIES - 1)) * 4;
      const entry = { vector: file.get32('FAULT_LOG', slot), errorCode: file.get32('FAULT_LOG', slot + 1), cs: file.get32('FAULT_LOG', slot + 2) & 0xffff, rip: BigInt(file.get32('FAULT_LOG', slot + 3)) };
      if (entry.vector !== 0 || entry.rip !== 0n || entry.cs !== 0) lastExceptions.push(entry);
    }
    return { cs: file.get32('SEG_SELECTOR', SEGMENT_INDEX.cs) & 0xffff, rip: file.get64('RIP'), registers: rows.join('\n'), lastExceptions, ...this.failure };
  }

  stats(): EngineStats {
    const instructions = this.instructionCount();
    const jit = this.jit?.stats();
    return {
      instructions,
      exits: { ...this.exits, port: this.portAccesses, mmio: this.mmioAccesses, faults: this.faults },
      jit: {
        blocks: this.interpreter.blocksDecodedCount(),
        compiles: jit?.compiles ?? 0,
        compileMs: jit?.compileMs ?? 0,
        cacheBytes: jit?.cacheBytes ?? 0,
        compiledShare: jit === undefined || instructions === 0 ? 0 : jit.retired / instructions,
      },
    };
  }

  /** Linear address of the next instruction. */
  private nextLinear(): number {
    const { file } = this;
    const linear = file.get64('SEG_BASE', SEGMENT_INDEX.cs) + file.get64('RIP');
    return Number((file.get32('CODE_MODE') & 3) === CODE_64 ? linear & ALL_ONES : linear & 0xffff_ffffn);
  }

  describeNext(): string {
    const { file } = this;
    const cs = file.get32('SEG_SELECTOR', SEGMENT_INDEX.cs) & 0xffff;
    const code = new Uint8Array(15);
    const instruction = this.readLinear(this.nextLinear(), code) ? disassemble(code, CODE_SIZE[file.get32('CODE_MODE') & 3] ?? 64, file.get64('RIP')) : undefined;
    const bytes = instruction === undefined ? '?' : `${Buffer.from(code.subarray(0, instruction.length)).toString('hex').padEnd(20)} ${instruction.text.padEnd(36)}`;
    const registers = REGISTERS.slice(0, 8).map((name, i) => `${name}=${file.get64('GPR', i).toString(16)}`);
    return `${cs.toString(16).padStart(4, '0')}:${file.get64('RIP').toString(16).padStart(8, '0')} ${bytes} ${registers.join(' ')} FL=${this.interpreter.readEflags().toString(16)}`;
  }

  dispose(): void {
    // The memory and the instance go with the machine.
    this.jit?.dispose();
    this.alarm?.dispose();
  }
}
