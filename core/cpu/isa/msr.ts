// Model-specific registers that live in the register file of a vCPU: what saved state and other engines exchange.
// Semantics (reserved bits, read-only values) are in assembly/msr.ts; those of the platform belong to the host.

export interface CoreMsr {
  readonly index: number;
  readonly name: string;
  /** Field of the register file and element in it. */
  readonly field: string;
  readonly element?: number;
}

function range(first: number, count: number, name: string, field: string): CoreMsr[] {
  return Array.from({ length: count }, (_, element) => ({ index: first + element, name: `${name}${element}`, field, element }));
}

const FIXED_RANGES = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];

/** EFER, the FS and GS bases and the TSC are part of the state proper and not listed. */
export const CORE_MSRS: readonly CoreMsr[] = [
  { index: 0x3b, name: 'IA32_TSC_ADJUST', field: 'MSR_TSC_ADJUST' },
  { index: 0x48, name: 'IA32_SPEC_CTRL', field: 'MSR_SPEC_CTRL' },
  { index: 0x8b, name: 'IA32_BIOS_SIGN_ID', field: 'MSR_BIOS_SIGN' },
  { index: 0x174, name: 'IA32_SYSENTER_CS', field: 'MSR_SYSENTER_CS' },
  { index: 0x175, name: 'IA32_SYSENTER_ESP', field: 'MSR_SYSENTER_ESP' },
  { index: 0x176, name: 'IA32_SYSENTER_EIP', field: 'MSR_SYSENTER_EIP' },
  { index: 0x17a, name: 'IA32_MCG_STATUS', field: 'MSR_MCG_STATUS' },
  { index: 0x17b, name: 'IA32_MCG_CTL', field: 'MSR_MCG_CTL' },
  { index: 0x1a0, name: 'IA32_MISC_ENABLE', field: 'MSR_MISC_ENABLE' },
  { index: 0x1d9, name: 'IA32_DEBUGCTL', field: 'MSR_DEBUGCTL' },
  ...range(0x200, 16, 'IA32_MTRR_VAR', 'MSR_MTRR_VAR'),
  ...FIXED_RANGES.map((index, element) => ({ index, name: `IA32_MTRR_FIX${element}`, field: 'MSR_MTRR_FIX', element })),
  { index: 0x277, name: 'IA32_PAT', field: 'MSR_PAT' },
  { index: 0x2ff, name: 'IA32_MTRR_DEF_TYPE', field: 'MSR_MTRR_DEF_TYPE' },
  ...range(0x400, 16, 'IA32_MC', 'MSR_MC'),
  { index: 0xc000_0081, name: 'IA32_STAR', field: 'MSR_STAR' },
  { index: 0xc000_0082, name: 'IA32_LSTAR', field: 'MSR_LSTAR' },
  { index: 0xc000_0083, name: 'IA32_CSTAR', field: 'MSR_CSTAR' },
  { index: 0xc000_0084, name: 'IA32_FMASK', field: 'MSR_FMASK' },
  { index: 0xc000_0102, name: 'IA32_KERNEL_GS_BASE', field: 'MSR_KERNEL_GS_BASE' },
  { index: 0xc000_0103, name: 'IA32_TSC_AUX', field: 'MSR_TSC_AUX' },
];
