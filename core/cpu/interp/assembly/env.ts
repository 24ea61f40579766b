// Imports from the host (core/cpu/software/). Every call leaves WebAssembly (about 17 ns): keep them off hot paths.

/** Unwinds to the host's run loop by throwing; never returns. Only fault.ts calls it. */
@external("env", "unwind")
export declare function hostUnwind(): void;

@external("env", "portIn")
export declare function hostPortIn(port: u32, size: u32): u32;

@external("env", "portOut")
export declare function hostPortOut(port: u32, size: u32, value: u32): void;

/** Guest physical addresses travel as f64 (exact below 2^53): no BigInt is made. */
@external("env", "mmioRead")
export declare function hostMmioRead(address: f64, size: u32): u32;

@external("env", "mmioWrite")
export declare function hostMmioWrite(address: f64, size: u32, value: u32): void;

/** Time stamp counter ticks since reset, without TSC_ADJUST. */
@external("env", "readTsc")
export declare function hostReadTsc(): f64;

/** INTA cycle: the vector of the interrupt to deliver, or -1 when there is none any more. */
@external("env", "acknowledgeInterrupt")
export declare function hostAcknowledgeInterrupt(): i32;

/** MSRs that the host keeps (APIC, TSC write, paravirtual). Value in EXCHANGE[0]. Returns 1 when known, 0 for #GP. */
@external("env", "msrRead")
export declare function hostMsrRead(index: u32): i32;

@external("env", "msrWrite")
export declare function hostMsrWrite(index: u32): i32;

@external("env", "cr8Read")
export declare function hostCr8Read(): u32;

@external("env", "cr8Write")
export declare function hostCr8Write(value: u32): void;

/** 32 random bits from the machine's seeded stream. */
@external("env", "random32")
export declare function hostRandom32(): u32;

/** Something happened that the host may want to know (code page invalidated, hot block, TLB flush): for the JIT. */
@external("env", "notify")
export declare function hostNotify(kind: u32, a: u32, b: u32): void;
