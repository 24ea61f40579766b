// Registers and bits of the local APIC (Intel SDM volume 3, chapter 11). Offsets in the memory window; the x2APIC MSR
// of a register is 800h + offset / 10h.

export const APIC_ID = 0x020;
export const APIC_VERSION = 0x030;
export const APIC_TPR = 0x080;
export const APIC_APR = 0x090;
export const APIC_PPR = 0x0a0;
export const APIC_EOI = 0x0b0;
export const APIC_LDR = 0x0d0;
export const APIC_DFR = 0x0e0;
export const APIC_SVR = 0x0f0;
export const APIC_ISR = 0x100;
export const APIC_TMR = 0x180;
export const APIC_IRR = 0x200;
export const APIC_ESR = 0x280;
export const APIC_ICR_LOW = 0x300;
export const APIC_ICR_HIGH = 0x310;
export const APIC_LVT_TIMER = 0x320;
export const APIC_LVT_ERROR = 0x370;
export const APIC_INITIAL_COUNT = 0x380;
export const APIC_CURRENT_COUNT = 0x390;
export const APIC_DIVIDE = 0x3e0;
export const APIC_SELF_IPI = 0x3f0;

/** Index of each local vector table entry: (offset - LVT timer) / 10h. */
export const LVT_TIMER = 0;
export const LVT_THERMAL = 1;
export const LVT_PERFORMANCE = 2;
export const LVT_LINT0 = 3;
export const LVT_LINT1 = 4;
export const LVT_ERROR = 5;
export const LVT_COUNT = 6;
export const LVT_MASKED = 0x10000;
export const LVT_LEVEL = 0x8000;
/** Bits that software may write, by entry. */
export const LVT_WRITABLE = [0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff] as const;

export const TIMER_ONE_SHOT = 0;
export const TIMER_PERIODIC = 1;
export const TIMER_TSC_DEADLINE = 2;
export const TIMER_MODE_SHIFT = 17;

export const SVR_ENABLE = 0x100;
export const SVR_WRITABLE = 0x3ff;

/** Version 14h, six local vectors, no EOI broadcast suppression. */
export const VERSION_VALUE = 0x00050014;

export const ESR_SEND_ILLEGAL_VECTOR = 0x20;
export const ESR_RECEIVED_ILLEGAL_VECTOR = 0x40;
export const ESR_ILLEGAL_REGISTER = 0x80;

export const ICR_LOGICAL = 0x0800;
export const ICR_ASSERT = 0x4000;
export const ICR_LEVEL = 0x8000;
export const ICR_WRITABLE = 0x000ccfff;

export const MSR_APIC_BASE = 0x1b;
export const MSR_TSC_DEADLINE = 0x6e0;
export const MSR_X2APIC_FIRST = 0x800;
export const MSR_X2APIC_LAST = 0x83f;

export const BASE_BSP = 0x100;
export const BASE_X2APIC = 0x400;
export const BASE_ENABLE = 0x800;
export const DEFAULT_BASE = 0xfee0_0000;

/** Registers that exist as x2APIC MSRs: DFR, APR and the high half of the ICR do not. */
export function isX2ApicRegister(offset: number): boolean {
  if (offset >= APIC_ISR && offset <= APIC_ESR) return true;
  if (offset >= APIC_LVT_TIMER && offset <= APIC_CURRENT_COUNT) return true;
  switch (offset) {
    case APIC_ID:
    case APIC_VERSION:
    case APIC_TPR:
    case APIC_PPR:
    case APIC_EOI:
    case APIC_LDR:
    case APIC_SVR:
    case APIC_ICR_LOW:
    case APIC_DIVIDE:
    case APIC_SELF_IPI:
      return true;
    default:
      return false;
  }
}

/** Of those, the ones that WRMSR may write. */
export function isX2ApicWritable(offset: number): boolean {
  if (offset >= APIC_ISR && offset < APIC_ESR) return false;
  switch (offset) {
    case APIC_ID:
    case APIC_VERSION:
    case APIC_PPR:
    case APIC_LDR:
    case APIC_CURRENT_COUNT:
      return false;
    default:
      return true;
  }
}
