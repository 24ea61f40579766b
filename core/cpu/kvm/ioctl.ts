// Requests, capabilities and exit reasons of /dev/kvm on x86-64, as in the Linux UAPI headers linux/kvm.h and asm/kvm.h.

const KVMIO = 0xae;
const NONE = 0;
const WRITE = 1;
const READ = 2;

/** _IOC() of asm-generic/ioctl.h. */
function request(direction: number, number: number, size: number): number {
  return ((direction << 30) | (size << 16) | (KVMIO << 8) | number) >>> 0;
}
const io = (number: number): number => request(NONE, number, 0);
const iow = (number: number, size: number): number => request(WRITE, number, size);
const ior = (number: number, size: number): number => request(READ, number, size);
const iowr = (number: number, size: number): number => request(READ | WRITE, number, size);

/** Sizes in bytes of the structures that requests carry. */
export const SIZE = {
  REGS: 144,
  SREGS: 312,
  /** Of which the legacy area is the 512-byte FXSAVE image. */
  XSAVE: 4096,
  SEGMENT: 24,
  DTABLE: 16,
  VCPU_EVENTS: 64,
  DEBUGREGS: 128,
  GUEST_DEBUG: 72,
  TRANSLATION: 24,
  MEMORY_REGION: 32,
  DIRTY_LOG: 16,
  MSR_HEADER: 8,
  MSR_ENTRY: 16,
  CPUID_HEADER: 8,
  CPUID_ENTRY: 40,
  XCRS: 392,
  ENABLE_CAP: 104,
  MSR_FILTER: 392,
  MSR_FILTER_RANGE: 24,
  LAPIC: 0x400,
  IRQCHIP: 520,
  IRQ_LEVEL: 8,
  PIT_CONFIG: 64,
  PIT_STATE2: 112,
  MSI: 32,
  IOEVENTFD: 64,
  IRQFD: 32,
  COALESCED_ZONE: 16,
  ROUTING_HEADER: 8,
  ROUTING_ENTRY: 48,
  DEVICE_ATTR: 24,
} as const;

export const KVM = {
  GET_API_VERSION: io(0x00),
  CREATE_VM: io(0x01),
  GET_MSR_INDEX_LIST: iowr(0x02, 4),
  CHECK_EXTENSION: io(0x03),
  GET_VCPU_MMAP_SIZE: io(0x04),
  GET_SUPPORTED_CPUID: iowr(0x05, SIZE.CPUID_HEADER),
  CREATE_VCPU: io(0x41),
  GET_DIRTY_LOG: iow(0x42, SIZE.DIRTY_LOG),
  SET_USER_MEMORY_REGION: iow(0x46, SIZE.MEMORY_REGION),
  SET_TSS_ADDR: io(0x47),
  SET_IDENTITY_MAP_ADDR: iow(0x48, 8),
  CREATE_IRQCHIP: io(0x60),
  IRQ_LINE: iow(0x61, SIZE.IRQ_LEVEL),
  GET_IRQCHIP: iowr(0x62, SIZE.IRQCHIP),
  SET_IRQCHIP: ior(0x63, SIZE.IRQCHIP),
  REGISTER_COALESCED_MMIO: iow(0x67, SIZE.COALESCED_ZONE),
  SET_GSI_ROUTING: iow(0x6a, SIZE.ROUTING_HEADER),
  IRQFD: iow(0x76, SIZE.IRQFD),
  CREATE_PIT2: iow(0x77, SIZE.PIT_CONFIG),
  IOEVENTFD: iow(0x79, SIZE.IOEVENTFD),
  RUN: io(0x80),
  GET_REGS: ior(0x81, SIZE.REGS),
  SET_REGS: iow(0x82, SIZE.REGS),
  GET_SREGS: ior(0x83, SIZE.SREGS),
  SET_SREGS: iow(0x84, SIZE.SREGS),
  TRANSLATE: iowr(0x85, SIZE.TRANSLATION),
  INTERRUPT: iow(0x86, 4),
  GET_MSRS: iowr(0x88, SIZE.MSR_HEADER),
  SET_MSRS: iow(0x89, SIZE.MSR_HEADER),
  SET_SIGNAL_MASK: iow(0x8b, 4),
  GET_LAPIC: ior(0x8e, SIZE.LAPIC),
  SET_LAPIC: iow(0x8f, SIZE.LAPIC),
  SET_CPUID2: iow(0x90, SIZE.CPUID_HEADER),
  GET_MP_STATE: ior(0x98, 4),
  SET_MP_STATE: iow(0x99, 4),
  NMI: io(0x9a),
  SET_GUEST_DEBUG: iow(0x9b, SIZE.GUEST_DEBUG),
  GET_VCPU_EVENTS: ior(0x9f, SIZE.VCPU_EVENTS),
  SET_VCPU_EVENTS: iow(0xa0, SIZE.VCPU_EVENTS),
  GET_DEBUGREGS: ior(0xa1, SIZE.DEBUGREGS),
  SET_DEBUGREGS: iow(0xa2, SIZE.DEBUGREGS),
  SET_TSC_KHZ: io(0xa2),
  GET_TSC_KHZ: io(0xa3),
  ENABLE_CAP: iow(0xa3, SIZE.ENABLE_CAP),
  SIGNAL_MSI: iow(0xa5, SIZE.MSI),
  GET_XSAVE: ior(0xa4, SIZE.XSAVE),
  SET_XSAVE: iow(0xa5, SIZE.XSAVE),
  GET_XCRS: ior(0xa6, SIZE.XCRS),
  SET_XCRS: iow(0xa7, SIZE.XCRS),
  SET_MSR_FILTER: iow(0xc6, SIZE.MSR_FILTER),
  SET_DEVICE_ATTR: iow(0xe1, SIZE.DEVICE_ATTR),
  GET_DEVICE_ATTR: iow(0xe2, SIZE.DEVICE_ATTR),
} as const;

export const API_VERSION = 12;

/** Capabilities that matter here, with what Nestbox does with each. */
export const CAPABILITIES = [
  { id: 0, name: 'irqchip', use: 'interrupt controllers in the kernel (optional; ours run in user space)' },
  { id: 3, name: 'user-memory', use: 'guest memory shared with the devices (required)' },
  { id: 9, name: 'nr-vcpus', use: 'recommended number of virtual CPUs' },
  { id: 10, name: 'nr-memslots', use: 'number of memory regions' },
  { id: 11, name: 'pit2', use: 'timer in the kernel (optional)' },
  { id: 14, name: 'mp-state', use: 'halted and waiting processors in saved states' },
  { id: 15, name: 'coalesced-mmio', use: 'batched writes to display memory (optional)' },
  { id: 22, name: 'user-nmi', use: 'non-maskable interrupts' },
  { id: 23, name: 'set-guest-debug', use: 'breakpoints and single step' },
  { id: 25, name: 'irq-routing', use: 'message-signalled interrupts with the kernel\'s controllers' },
  { id: 32, name: 'irqfd', use: 'interrupts raised by other threads without a call' },
  { id: 36, name: 'ioeventfd', use: 'doorbells that need no exit' },
  { id: 41, name: 'vcpu-events', use: 'pending exceptions in saved states (required)' },
  { id: 50, name: 'debugregs', use: 'debug registers in saved states (required)' },
  { id: 55, name: 'xsave', use: 'floating-point and vector registers (required)' },
  { id: 56, name: 'xcrs', use: 'extended control registers' },
  { id: 60, name: 'tsc-control', use: 'the guest\'s time-stamp counter runs at the same rate under every engine' },
  { id: 66, name: 'max-vcpus', use: 'most virtual CPUs of a machine' },
  { id: 72, name: 'tsc-deadline-timer', use: 'local APIC timer in the kernel' },
  { id: 77, name: 'signal-msi', use: 'message-signalled interrupts with the kernel\'s controllers' },
  { id: 81, name: 'readonly-mem', use: 'ROM that answers writes as devices do (required)' },
  { id: 119, name: 'guest-debug-hw-bps', use: 'breakpoints at full speed' },
  { id: 121, name: 'split-irqchip', use: 'local APIC in the kernel, the rest in user space' },
  { id: 136, name: 'immediate-exit', use: 'finishing an access without running the guest (required)' },
  { id: 157, name: 'nested-state', use: 'guests that are hypervisors themselves' },
  { id: 162, name: 'coalesced-pio', use: 'batched writes to ports (optional; not used)' },
  { id: 168, name: 'manual-dirty-log-protect2', use: 'cheaper dirty page logs' },
  { id: 188, name: 'x86-user-space-msr', use: 'model-specific registers of the platform (required)' },
  { id: 189, name: 'x86-msr-filter', use: 'model-specific registers of the platform (required)' },
  { id: 192, name: 'dirty-log-ring', use: 'dirty page log by list (optional)' },
] as const;

export type CapabilityName = (typeof CAPABILITIES)[number]['name'];

export function capabilityId(name: CapabilityName): number {
  return CAPABILITIES.find((entry) => entry.name === name)?.id ?? -1;
}

/** Without these there is no KVM engine. */
export const REQUIRED_CAPABILITIES: readonly CapabilityName[] = [
  'user-memory', 'vcpu-events', 'debugregs', 'xsave', 'readonly-mem', 'immediate-exit', 'x86-user-space-msr', 'x86-msr-filter',
];

export const EXIT_REASON = {
  UNKNOWN: 0,
  EXCEPTION: 1,
  IO: 2,
  DEBUG: 4,
  HLT: 5,
  MMIO: 6,
  IRQ_WINDOW_OPEN: 7,
  SHUTDOWN: 8,
  FAIL_ENTRY: 9,
  INTR: 10,
  SET_TPR: 11,
  NMI: 16,
  INTERNAL_ERROR: 17,
  SYSTEM_EVENT: 24,
  X86_RDMSR: 29,
  X86_WRMSR: 30,
} as const;

/** Bits of KVM_CAP_X86_USER_SPACE_MSR and of an MSR exit's reason. */
export const MSR_EXIT_INVALID = 1;
export const MSR_EXIT_UNKNOWN = 2;
export const MSR_EXIT_FILTER = 4;

export const MEM_LOG_DIRTY_PAGES = 1;
export const MEM_READONLY = 2;

export const CPUID_SIGNIFICANT_INDEX = 1;

export const GUESTDBG_ENABLE = 1;
export const GUESTDBG_SINGLESTEP = 2;
export const GUESTDBG_USE_HW_BP = 0x20000;

export const EVENTS_VALID_NMI_PENDING = 1;
export const EVENTS_VALID_SHADOW = 4;
export const SHADOW_MOV_SS = 1;
export const SHADOW_STI = 2;

/** Offsets in struct kvm_run. */
export const RUN = {
  REQUEST_INTERRUPT_WINDOW: 0,
  IMMEDIATE_EXIT: 1,
  EXIT_REASON: 8,
  READY_FOR_INTERRUPT: 12,
  IF_FLAG: 13,
  CR8: 16,
  APIC_BASE: 24,
  IO_DIRECTION: 32,
  IO_SIZE: 33,
  IO_PORT: 34,
  IO_COUNT: 36,
  IO_DATA_OFFSET: 40,
  MMIO_ADDRESS: 32,
  MMIO_DATA: 40,
  MMIO_LENGTH: 48,
  MMIO_IS_WRITE: 52,
  MSR_ERROR: 32,
  MSR_REASON: 40,
  MSR_INDEX: 44,
  MSR_DATA: 48,
  DEBUG_EXCEPTION: 32,
  DEBUG_PC: 40,
  DEBUG_DR6: 48,
  FAIL_REASON: 32,
  INTERNAL_SUBERROR: 32,
  HEADER_BYTES: 288,
} as const;

/** Offsets in struct kvm_sregs. */
export const SREGS = { CS: 0, DS: 24, ES: 48, FS: 72, GS: 96, SS: 120, TR: 144, LDT: 168, GDT: 192, IDT: 208, CR0: 224, CR2: 232, CR3: 240, CR4: 248, CR8: 256, EFER: 264, APIC_BASE: 272, BITMAP: 280 } as const;

/** Offsets in struct kvm_vcpu_events. */
export const EVENTS = {
  EXCEPTION_INJECTED: 0,
  EXCEPTION_NR: 1,
  EXCEPTION_HAS_ERROR: 2,
  EXCEPTION_PENDING: 3,
  EXCEPTION_ERROR: 4,
  INTERRUPT_INJECTED: 8,
  INTERRUPT_NR: 9,
  INTERRUPT_SOFT: 10,
  INTERRUPT_SHADOW: 11,
  NMI_INJECTED: 12,
  NMI_PENDING: 13,
  NMI_MASKED: 14,
  SIPI_VECTOR: 16,
  FLAGS: 20,
} as const;

/** KVM_SET_MP_STATE, with the kernel's local APICs. */
export const MP_STATE = { RUNNABLE: 0, UNINITIALIZED: 1, INIT_RECEIVED: 2, HALTED: 3 } as const;
