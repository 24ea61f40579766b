// The register-file layout of one software vCPU inside WebAssembly memory: the one source of offsets for TypeScript
// and, through build/generate-layout.ts, for the AssemblyScript interpreter and the JIT. Offsets are bytes from the
// vCPU's base address. Append fields freely; never write an offset by hand anywhere else.

export type FieldType = 'u8' | 'u16' | 'u32' | 'i32' | 'u64' | 'f64' | 'v128' | 'bytes';

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  /** Elements, for arrays. */
  readonly count: number;
  readonly offset: number;
  /** Distance between elements in bytes. */
  readonly stride: number;
}

const SIZE: Readonly<Record<FieldType, number>> = { u8: 1, u16: 2, u32: 4, i32: 4, u64: 8, f64: 8, v128: 16, bytes: 1 };

const fields: Field[] = [];
let end = 0;

function field(name: string, type: FieldType, count = 1, stride = SIZE[type]): void {
  const align = Math.min(stride & -stride || 1, 16);
  end = Math.ceil(end / align) * align;
  fields.push({ name, type, count, offset: end, stride });
  end += count * stride;
}

// --- Integer registers. Slots 0-15 are RAX..R15 in encoding order; slot 16 always reads 0 (no base, no index);
// slot 17 is the linear-IP page base of the running block minus CS base (see RIP), used as base by RIP-relative operands.
field('GPR', 'u64', 18);
// RIP (offset within CS) of the next instruction. Valid whenever the interpreter is not inside a block.
field('RIP', 'u64');
// Lazy arithmetic flags, see core/cpu/interp/README.md "Flags".
field('CC_RESULT', 'u64');
field('CC_AUX', 'u64');
// All flag bits other than CF PF AF ZF SF OF (bit 1 set always): TF IF DF IOPL NT RF VM AC VIF VIP ID.
field('EFLAGS_SYSTEM', 'u32');
field('CPL', 'u32');

// --- Segments in order ES CS SS DS FS GS LDTR TR; stride 32.
field('SEG_BASE', 'u64', 8);
// Inclusive last valid offset (granularity applied).
field('SEG_LIMIT', 'u32', 8);
// Descriptor bytes 5 and 6 as in VMX access rights: bits 0-3 type, 4 S, 5-6 DPL, 7 P, 12 AVL, 13 L, 14 D/B, 15 G; bit 16 unusable (null).
field('SEG_ACCESS', 'u32', 8);
field('SEG_SELECTOR', 'u32', 8);
// Fast checks: an access of size bytes at offset needs no further look when offset + size <= this value (unsigned);
// 0 sends every access of the segment to the exact check, see core/cpu/interp/README.md "Segments".
field('SEG_READ_END', 'u64', 8);
field('SEG_WRITE_END', 'u64', 8);

// --- Control state.
field('CR0', 'u64');
field('CR2', 'u64');
field('CR3', 'u64');
field('CR4', 'u64');
field('EFER', 'u64');
field('DR', 'u64', 8);
field('GDTR_BASE', 'u64');
field('IDTR_BASE', 'u64');
field('GDTR_LIMIT', 'u32');
field('IDTR_LIMIT', 'u32');
field('MSR_STAR', 'u64');
field('MSR_LSTAR', 'u64');
field('MSR_CSTAR', 'u64');
field('MSR_FMASK', 'u64');
field('MSR_KERNEL_GS_BASE', 'u64');
field('MSR_SYSENTER_CS', 'u64');
field('MSR_SYSENTER_ESP', 'u64');
field('MSR_SYSENTER_EIP', 'u64');
field('MSR_TSC_AUX', 'u64');
field('MSR_PAT', 'u64');
field('MSR_MISC_ENABLE', 'u64');
field('MSR_MTRR_DEF_TYPE', 'u64');
field('MSR_MTRR_FIX', 'u64', 11);
field('MSR_MTRR_VAR', 'u64', 16);
field('MSR_DEBUGCTL', 'u64');
field('MSR_MCG_STATUS', 'u64');
field('MSR_TSC_ADJUST', 'u64');
field('XCR0', 'u64');

// --- x87 / MMX / SSE. ST registers are physical (R0..R7), 16 bytes each: 64-bit significand, then 16-bit sign+exponent.
field('FPU_REG', 'bytes', 8, 16);
field('FPU_CW', 'u32');
// Status word without TOP (bits 11-13 zero); TOP apart.
field('FPU_SW', 'u32');
field('FPU_TOP', 'u32');
// Two bits a physical register as in the FTW register: 0 valid, 1 zero, 2 special, 3 empty. Only "3 or not" is kept exact.
field('FPU_TAG', 'u32');
field('FPU_OPCODE', 'u32');
field('FPU_IP', 'u64');
field('FPU_DP', 'u64');
field('FPU_CS', 'u32');
field('FPU_DS', 'u32');
field('MXCSR', 'u32');
field('XMM', 'v128', 16);

// --- Execution control.
// Bits that must be looked at between blocks: see EVENT_*. Written atomically, also by other threads.
field('EVENTS', 'i32');
// Interrupt shadow: 1 after STI, 2 after MOV/POP SS; cleared after the next instruction.
field('SHADOW', 'u32');
// 0 running, 1 halted (HLT), 2 waiting (MWAIT), 3 wait for SIPI, 4 shutdown (triple fault)
field('ACTIVITY', 'u32');
// Instructions retired since reset (f64: exact below 2^53).
field('ICOUNT', 'f64');
// Instructions that run() may still retire.
field('BUDGET', 'i32');
// The op record of the instruction being executed (address), for faults and for exact counts.
field('CURRENT_OP', 'u32');
// Header address of the running block, 0 outside blocks: (CURRENT_OP - BLOCK_RUNNING) / 32 - 1 ops of it have retired.
field('BLOCK_RUNNING', 'u32');
// BUDGET when ICOUNT was last brought up to date: ICOUNT + BUDGET_START - BUDGET is the count at the block's start.
field('BUDGET_START', 'i32');
// Mode bits of the code cache: 0 16-bit, 1 32-bit, 2 64-bit code; +4 when SS.B = 1.
field('CODE_MODE', 'u32');
// All ones, or all ones but bit 20 when the A20 gate is closed.
field('A20_MASK', 'u64');
// Which TLB the current privilege uses (address): user, supervisor, or supervisor with SMAP override.
field('TLB_ACTIVE', 'u32');

// --- Pending fault, set by raise() before unwinding.
field('FAULT_VECTOR', 'i32');
field('FAULT_ERROR', 'u32');
// 1 = has an error code, 2 = was a software interrupt (INT n, INT3, INTO), 4 = trap: RIP of the next instruction is saved
field('FAULT_KIND', 'u32');
field('FAULT_ADDRESS', 'u64');
// Vector of the exception being delivered, or -1: for double and triple faults.
field('DELIVERING', 'i32');
// Exceptions delivered, by vector (statistics and fault reports).
field('FAULT_COUNTS', 'u32', 256);
// Ring of the last 16 deliveries: vector, error code, CS selector, RIP low.
field('FAULT_LOG', 'u32', 64);
field('FAULT_LOG_NEXT', 'u32');

// --- Exchange area with the host (MSR values, CPUID table address, scratch for 16-byte operands).
field('EXCHANGE', 'u64', 8);
// Features that the CPUID model offers, one bit each, numbered by build/generate-decoder.ts.
field('FEATURE_BITS', 'u32', 4);
field('CPUID_TABLE', 'u32');
field('CPUID_COUNT', 'u32');
field('SCRATCH', 'v128', 32);

// --- More system state (appended: keep the order above).
// NMIs wait until the next IRET.
field('NMI_BLOCKED', 'u32');
// Debug conditions (DR6 bits) that the instruction boundary still has to report as a #DB trap.
field('DEBUG_PENDING', 'u32');
// Page-directory-pointer entries of PAE paging, read when CR3 is loaded.
field('PDPTE', 'u64', 4);
// Vector of the start-up IPI that EVENT.SIPI announces.
field('SIPI_VECTOR', 'u32');
// MONITOR: 1 when armed, and the physical address of the line.
field('MONITOR_ARMED', 'u32');
field('MONITOR_ADDRESS', 'u64');
field('MSR_SPEC_CTRL', 'u64');
field('MSR_BIOS_SIGN', 'u64');
field('MSR_MCG_CTL', 'u64');
// CTL, STATUS, ADDR, MISC of each of the machine-check banks.
field('MSR_MC', 'u64', 16);
// In 64-bit code SEG_BASE of ES CS SS DS is 0; the bases that compatibility-mode code gets back wait here.
field('SEG_SAVED_BASE', 'u64', 4);
// What serviceEvents() still knows of the last boundary: 1 TF was set, 2 RF was set, 4 the interrupt shadow was passed.
field('STEP_STATE', 'u32');
// EVENT.INTR and EVENT.NMI that arrived while masked: they return to EVENTS when the mask falls.
field('EVENTS_HELD', 'i32');

// What compiled regions may rely on without a look-up: CODE_MODE in bits 0-2, 8h not protected mode, not flat are 10h CS, 20h ES,
// 40h SS, 80h DS; 100h registers may have upper halves left over from 64-bit code; a count of removed regions above.
field('JIT_CONTEXT', 'u32');
// TLB of instruction fetches at the current CPL (address).
field('TLB_EXEC', 'u32');
// The op record of the RET or indirect jump that has just been executed, until the block it led to is looked up; else 0.
field('CAME_FROM', 'u32');

export const VCPU_FIELDS: readonly Field[] = fields;
export const VCPU_STATE_BYTES = Math.ceil(end / 4096) * 4096;

const byName = new Map(fields.map((entry) => [entry.name, entry]));

/** Byte offset of element `index` of a field from the vCPU's base. */
export function offsetOf(name: string, index = 0): number {
  const found = byName.get(name);
  if (found === undefined || index >= found.count) throw new Error(`No vCPU field ${name}[${index}]`);
  return found.offset + index * found.stride;
}

/** Bits of EVENTS. */
export const EVENT = {
  /** The interrupt controller wants attention (INTR pin). */
  INTR: 1,
  NMI: 2,
  /** Leave run() as soon as possible with reason YIELD. */
  YIELD: 4,
  /** The running block may have been invalidated: look it up again. */
  CODE_CHANGED: 8,
  /** RFLAGS.TF or a debug trap is pending. */
  SINGLE_STEP: 16,
  INIT: 32,
  SIPI: 64,
  /** The vCPU was reset from outside (CF9, keyboard controller). */
  RESET: 128,
} as const;

/** Why run() returned. */
export const EXIT = {
  BUDGET: 0,
  HALTED: 1,
  YIELD: 2,
  SHUTDOWN: 3,
  RESET: 4,
  DEBUG: 5,
} as const;

// --- The op record: one decoded instruction, 32 bytes (see core/cpu/interp/README.md).
export const OP = {
  BYTES: 32,
  HANDLER: 0, // u16
  LENGTH: 2, // u8, instruction bytes
  FLAGS: 3, // u8, OPF_*
  REG: 4, // u8, ModRM.reg register number (byte registers: see README)
  RM: 5, // u8, ModRM.rm register number when it is a register
  BASE: 6, // u8, 0-15, 16 none, 17 RIP page base
  INDEX: 7, // u8, 0-15, 16 none
  SCALE: 8, // u8, shift 0-3
  SEG: 9, // u8, effective segment 0-5
  SIZE: 10, // u8, bits 0-1 operand size log2 (0 = 8 .. 3 = 64 bit), bits 4-5 address size log2 (1 = 16 .. 3 = 64 bit)
  REP: 11, // u8, 0 none, 2 F2, 3 F3 (as prefix, when it is not a mandatory prefix)
  DISP: 12, // i32, sign-extended when used
  IMM: 16, // u64, sign-extended to 64 bit; second immediate (ENTER, far pointer selector) in SUB
  SUB: 24, // u32, selector inside a handler group (SSE, x87, MMX id) or a second immediate
  END: 28, // u16, offset of the next instruction from the start of the page that the block lies in
  OPCODE: 30, // u16, map << 8 | opcode byte, for traces and for x87's FOP
} as const;

/** Bits of OP.FLAGS. */
export const OPF = {
  MEM: 1, // ModRM operand is memory
  LOCK: 2,
  STACK: 4, // implicit stack access: faults are #SS
  REX: 8, // a REX prefix was present (byte registers SPL BPL SIL DIL)
  LAST: 16, // ends the block
  FLAT: 32, // memory operand without segment and wrap: linear address = base + (index << scale) + disp
  LONG: 64, // decoded as 64-bit code
  LINKED: 128, // direct branch that keeps links in DISP and SUB
} as const;

// --- The vCPU's area behind the register file, byte offsets from its base (size VCPU_AREA_BYTES in core/memory/layout.ts).
export const AREA = {
  /** TLB.AREA_BYTES for the MMU. */
  TLB: 0x1_0000,
  /** 16384 u32: first block of a chain by physical page. */
  PAGE_HASH: 0xc_0000,
  /** Where single steps, page-crossing and uncached instructions are decoded or copied to. */
  STAGING: 0xd_0000,
  /** A booted Linux with its services has some 150,000 blocks of 250 bytes. */
  POOL: 0x10_0000,
  POOL_END: 0x410_0000,
  /** 262144 u32: first block of a hash chain by physical address. */
  BLOCK_HASH: 0x410_0000,
  /** Where indirect jumps of compiled code find compiled code: JIT_TARGET entries by RIP, then the JIT's tables (4 MiB). */
  JIT: 0x420_0000,
  /** 16384 u32: the block that was looked up last, by a hash of RIP; what is found has still to be compared. Free behind, up to 72 MiB. */
  RECENT: 0x470_0000,
} as const;

// --- A block: this header, then its op records, then an END record. A block's address is that of its header. SUB of the END
// record is the last RET or indirect jump that led to the block (op record's address), IMM's low half another one before it.
export const BLOCK = {
  HEADER_BYTES: 32,
  PHYS: 0, // u32, guest physical address of the first byte, bits 0-31; 0xffffffff in a dead block
  KEY: 4, // u32: bits 0-2 CODE_MODE, 3 page partly beyond CS limit, 4 real or V86 mode, 5 dead block, bits 8-31 guest physical address bits 32-55
  HASH_NEXT: 8, // u32, next block with the same hash
  PAGE_NEXT: 12, // u32, next block of the same PAGE_HASH chain
  OPS: 16, // u16, op records that count as instructions
  BYTES: 18, // u16, length of the code
  FLAGS: 20, // u32: bit 31 the block belongs to a region; below, of a region's head, the most that is retired between two looks at the budget
  COUNTER: 24, // i32, counts instructions that the interpreter ran of it, from minus the JIT's threshold on: from 0 on the block is hot
  JIT: 28, // u32, index of compiled code, for the JIT
} as const;

// --- An entry of the table at AREA.JIT.
export const JIT_TARGET = {
  ENTRY_BYTES: 32,
  /** Entries, a power of 2; the low bits of RIP (exclusive or the page number's) choose. */
  COUNT: 4096,
  RIP: 0, // u64
  CONTEXT: 8, // u32, JIT_CONTEXT
  PHYS_PAGE: 12, // u32
  FUNCTION: 16, // u32, table index
  NEED: 20, // u32, most instructions retired between two looks at the budget
} as const;

// --- Software TLB: per privilege one direct-mapped table.
export const TLB = {
  BITS: 11,
  ENTRY_BYTES: 32,
  TAG_READ: 0, // u64 linear page address when reads may go direct, else -1
  TAG_WRITE: 8, // u64 same for writes: page is writable RAM, marked dirty, without cached code
  TAG_EXEC: 16, // u64 same for instruction fetch
  ADDEND: 24, // u32: host (WebAssembly memory) address = low 32 bits of linear address + addend, modulo 2^32
  PHYS_PAGE: 28, // u32 guest physical page number
  TABLE_BYTES: 0x10000,
  /** Tables in order: user, supervisor, supervisor with AC set, one that is always empty (alignment checks). */
  TABLES: 4,
  /** The tables, then bookkeeping of tlb.ts. */
  AREA_BYTES: 0x60000,
} as const;

// --- Physical page map: one u32 per 4 KiB guest physical page below PHYS_PAGES * 4096.
export const PAGE = {
  /** Guest physical pages that the map covers (8 GiB); above lies nothing. */
  PHYS_PAGES: 0x200000,
  /** Bits 31..12: WebAssembly memory address of the backing page. */
  HOST_MASK: 0xfffff000,
  /** Reads and fetches may go direct to the backing page. */
  READ: 1,
  /** Writes may go direct. READ without WRITE is ROM (or a shadow): writes go to the MMIO handler. */
  WRITE: 2,
  /** The backing page has a dirty byte and code granules (it is RAM, index = (host address - RAM_BASE) >> 12). */
  RAM: 4,
  /** The backing page has still to be filled from a saved state: the host is told before the first access. */
  ABSENT: 8,
} as const;
