// The CPU contract: what a machine needs from whatever executes guest code. Modelled on KVM, so that the software CPU
// and KVM are drop-ins for each other: regions and callbacks go in when a vCPU is made, few exit reasons come out.

import type { Disposable } from '../base/disposable.ts';

/** Calls that leave the CPU for the machine. All run on the vCPU's thread and never throw. */
export interface VcpuIo {
  portRead(port: number, size: 1 | 2 | 4): number;
  portWrite(port: number, size: 1 | 2 | 4, value: number): void;
  /** `address` is guest physical, below 2^52. 8-byte accesses arrive as two of 4 bytes, low half first. */
  mmioRead(address: number, size: 1 | 2 | 4): number;
  mmioWrite(address: number, size: 1 | 2 | 4, value: number): void;
}

/** The interrupt controller's side of a vCPU (local APIC with the PICs behind it, or the PICs alone). */
export interface VcpuInterrupts {
  /** INTA cycle: the vector to deliver now, or -1 when the request has gone away. */
  acknowledge(): number;
  /** Task priority register bits 7:4 as CR8. */
  readCr8(): number;
  writeCr8(value: number): void;
}

/** MSRs that belong to the platform and not to the core: APIC base, x2APIC, TSC deadline, paravirtual clocks. */
export interface VcpuMsrs {
  /** Low and high 32 bits go to `out`; false raises #GP. */
  read(index: number, out: Uint32Array): boolean;
  write(index: number, low: number, high: number): boolean;
}

export interface VcpuClock {
  /** TSC ticks since power-on, an integer below 2^53. */
  readTsc(): number;
  /**
   * The engine's counter stood at `ticks` at virtual time `atNs`: one that cannot be set, or drifts against virtual time.
   * @param jumped it ran on while the machine stood still
   */
  counterIs?(ticks: number, atNs: number, jumped: boolean): void;
}

/** Physical addresses. */
export interface AddressRange {
  readonly address: number;
  readonly bytes: number;
}

export interface VcpuOptions {
  readonly index: number;
  readonly io: VcpuIo;
  readonly interrupts: VcpuInterrupts;
  readonly msrs: VcpuMsrs;
  readonly clock: VcpuClock;
  /**
   * Memory of displays: an engine may hand on writes to it late, but in their order, before any other access of the guest
   * and before run() comes back.
   */
  readonly postedWrites?: readonly AddressRange[];
  /** 32 random bits from the machine's seeded stream (RDRAND, RDSEED). */
  readonly random32: () => number;
  /** Receives notices of the engine: FERR# of the x87 (IRQ13). */
  readonly onFerr?: (level: boolean) => void;
}

/**
 * Why run() came back.
 * - `budget`: the instructions are used up
 * - `yield`: requestYield() was called
 * - `halted`: HLT or MWAIT with nothing to do; resume after an interrupt request
 * - `shutdown`: triple fault
 * - `reset`: the guest pulled its own reset (handled by the machine)
 * - `debug`: a breakpoint or single step of the debugger
 * - `fault`: the guest will never get anywhere: it faults for ever at one place, or runs through empty memory
 */
export type RunExit = 'budget' | 'yield' | 'halted' | 'shutdown' | 'reset' | 'debug' | 'fault';

/** One segment register in canonical form. */
export interface SegmentState {
  readonly selector: number;
  readonly base: bigint;
  readonly limit: number;
  /** Access rights as in the VMCS: type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15, unusable 16. */
  readonly access: number;
}

/** All architectural state of one vCPU in one form, the same for every engine. Names are those of the manuals. */
export interface CpuState {
  readonly version: 1;
  /** RAX RCX RDX RBX RSP RBP RSI RDI R8..R15 */
  readonly gpr: readonly bigint[];
  readonly rip: bigint;
  readonly rflags: bigint;
  readonly segments: Readonly<Record<'es' | 'cs' | 'ss' | 'ds' | 'fs' | 'gs' | 'ldtr' | 'tr', SegmentState>>;
  readonly gdtr: { readonly base: bigint; readonly limit: number };
  readonly idtr: { readonly base: bigint; readonly limit: number };
  readonly cr0: bigint;
  readonly cr2: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  readonly xcr0: bigint;
  readonly dr: readonly bigint[];
  /** MSR index to value, only those that the core keeps. */
  readonly msrs: readonly (readonly [number, bigint])[];
  /** The 512-byte FXSAVE64 image. */
  readonly fxsave: Uint8Array;
  readonly activity: 'running' | 'halted' | 'mwait' | 'wait-for-sipi' | 'shutdown';
  readonly interruptShadow: 0 | 1 | 2;
  /** DR6 bits of debug traps that the next instruction boundary still has to report; absent = none. */
  readonly pendingDebug?: number | undefined;
  readonly nmiBlocked: boolean;
  readonly nmiPending: boolean;
  readonly instructions: number;
  readonly cpl: number;
  /** What CPUID showed the guest; a machine that goes on elsewhere must show the same. */
  readonly identity?: CpuIdentity | undefined;
}

export interface CpuIdentity {
  /** Names of core/cpu/isa/cpuid.ts, sorted. */
  readonly features: readonly string[];
  /** Ticks of the TSC a second. */
  readonly tscHz: number;
}

/** What a debugger asks of a vCPU; run() then comes back with `debug`. */
export interface DebugSettings {
  /** After every instruction. */
  readonly singleStep: boolean;
  /** Before the instruction at each of these linear addresses, unless run() starts there. */
  readonly breakpoints: readonly bigint[];
}

/** What the guest did last, for reports of triple faults and lock-ups. */
export interface FaultReport {
  /** Number of the processor; absent = the only one. */
  readonly processor?: number;
  /** What happened, when the exit was `fault`. */
  readonly what?: string;
  readonly cs: number;
  readonly rip: bigint;
  readonly registers: string;
  /** Oldest first: vector, error code, CS:RIP. */
  readonly lastExceptions: readonly { vector: number; errorCode: number; cs: number; rip: bigint }[];
}

export interface EngineStats {
  readonly instructions: number;
  readonly exits: Readonly<Record<string, number>>;
  /** Of each processor, when there are several. */
  readonly processors?: readonly Readonly<Record<string, number>>[];
  readonly jit: { readonly blocks: number; readonly compiles: number; readonly compileMs: number; readonly cacheBytes: number; readonly compiledShare: number };
}

/** A processor that runs whenever the first one of its machine does. */
export type SiblingVcpu = Pick<Vcpu, 'index' | 'getState' | 'setState' | 'setInterruptRequest' | 'raiseNmi' | 'raiseInit' | 'raiseStartup'>;

export interface Vcpu extends Disposable {
  readonly index: number;
  /** The machine's further processors, in order; absent = none. Registers and memory asked for by number belong to the one whose access is being served. */
  readonly siblings?: readonly SiblingVcpu[];
  /** Sleeps at most `ms` while this thread has nothing to do; engines whose processors want something sooner end it. */
  nap?(ms: number): void;
  /** Asks for pages that the page map calls ABSENT; other engines need all memory filled before they run. */
  readonly fillsAbsentPages?: boolean;
  /** Ticks a second of the guest's counter, where the engine cannot keep to the rate that CPUID tells. */
  readonly counterHz?: number | undefined;
  /** Runs at most `maxInstructions` (1..2^30) and says why it came back. */
  run(maxInstructions: number): RunExit;
  /** Instructions retired since power-on; exact also inside an I/O callback. */
  instructionCount(): number;
  /** Drives the INTR input. Callable from I/O callbacks. */
  setInterruptRequest(level: boolean): void;
  raiseNmi(): void;
  /** INIT and start-up IPI of the local APIC. */
  raiseInit(): void;
  raiseStartup(vector: number): void;
  /** Makes a running run() come back soon with `yield`. */
  requestYield(): void;
  /**
   * Does what requestYield() does when `ms` host milliseconds have passed; undefined calls that off, as far as it has not
   * happened. Engines without it keep time themselves.
   */
  setAlarm?(ms: number | undefined): void;
  reset(): void;
  getState(): CpuState;
  /**
   * @param options `handOff`: the state comes from another engine that worked on the same memory and has told what it
   *   wrote there, so it is not checked and decoded code stays valid
   * @throws NestboxError kind `bad-input` before anything changes
   */
  setState(state: CpuState, options?: { readonly handOff: boolean }): void;
  /** Undefined ends debugging. */
  setDebug(settings: DebugSettings | undefined): void;
  /** Reads or writes guest memory at linear addresses as supervisor, for the BIOS and debuggers; false when not mapped. */
  readLinear(address: number, target: Uint8Array): boolean;
  writeLinear(address: number, source: Uint8Array): boolean;
  /** Cheap access to the integer registers between instructions, for the BIOS: 32-bit values. */
  getRegister32(index: number): number;
  setRegister32(index: number, value: number): void;
  getSegment(name: keyof CpuState['segments']): { selector: number; base: number };
  /** The physical memory map changed (PAM, A20, BAR) or dirty marks were cleared: cached translations are dropped. */
  memoryMapChanged(): void;
  setA20(enabled: boolean): void;
  /** Guest physical memory was written from outside (DMA): cached code there is dropped. */
  memoryWritten(address: number, length: number): void;
  /** An engine that logs writes to guest memory elsewhere brings the machine's dirty bytes up to date. */
  collectDirty?(): void;
  /** Writes to RAM must be noticed from now on, not only those to video memory. */
  watchRam?(): void;
  /** The machine stands still, or is about to change: what the engine runs of the board (interrupt controllers) goes back to it. */
  standStill?(): void;
  faultReport(): FaultReport;
  stats(): EngineStats;
  /** Disassembles the next instruction, for traces. */
  describeNext(): string;
}
