// What this host offers a hypervisor, as `nestbox host info` prints it and the window shows it: processor, KVM, which
// engine `auto` takes and why, and what to do about each thing that is missing.

/** One capability that the KVM of this host was asked for. */
export interface KvmCapability {
  /** Name without KVM_CAP_, lower case with dashes: "irqchip", "readonly-mem". */
  readonly name: string;
  readonly present: boolean;
  /** What the kernel answered; 0 = absent, 1 = present, more = a count or a set of bits. */
  readonly value: number;
  /** What Nestbox does with it. */
  readonly use: string;
}

/** Modes of the processor that were tried on a scratch vCPU, because some KVMs lack one without saying so. */
export interface KvmMode {
  readonly name: 'real' | 'protected' | 'paging32' | 'virtual8086' | 'long' | 'long-user' | 'fpu';
  readonly title: string;
  readonly works: boolean;
  /** The kernel interprets it: it works, but our software CPU is faster. */
  readonly interpreted: boolean;
  /** Millions of instructions a second in a short trial; 0 when it does not work. */
  readonly mips: number;
  /** Why not, as the trial showed it. */
  readonly detail?: string;
}

/**
 * - `ready`: KVM can run machines
 * - `no-device`: there is no /dev/kvm (other system, no module, virtualization off)
 * - `no-permission`: the device is there, this user may not open it
 * - `busy`: another hypervisor holds the processor's virtualization
 * - `unsupported`: the KVM there is too old, or of another processor
 * - `failed`: it could not be tried; `detail` says why
 */
export type KvmStatus = 'ready' | 'no-device' | 'no-permission' | 'busy' | 'unsupported' | 'failed';

export interface KvmInfo {
  readonly status: KvmStatus;
  readonly device: string;
  /** Owner, group and mode of the device, such as "root:kvm 0660"; absent when there is none. */
  readonly permissions?: string;
  /** What KVM_GET_API_VERSION answers; 12 since 2007. */
  readonly apiVersion?: number;
  /** Loaded modules that belong to KVM: "kvm_amd", "kvm_intel". */
  readonly modules: readonly string[];
  /** Nested virtualization is switched on in the module, so that guests could use KVM themselves; undefined = not known. */
  readonly nested?: boolean;
  readonly recommendedVcpus?: number;
  readonly maxVcpus?: number;
  readonly capabilities: readonly KvmCapability[];
  readonly modes: readonly KvmMode[];
  /** Microseconds of one port access that leaves the guest, as measured by the probe; absent when not measured. */
  readonly exitMicroseconds?: number;
  /** One sentence when status is not `ready`. */
  readonly detail?: string;
}

/** Something missing or limited, and what a user can do about it. */
export interface HostAdvice {
  /** Stable name, for translations: "kvm-permission", "kvm-module", "virtualization-off", "kvm-modes", "container-device". */
  readonly id: string;
  readonly severity: 'info' | 'warning';
  /** What is missing, one sentence. */
  readonly problem: string;
  /** What to do, one sentence; a command to run may follow in `command`. */
  readonly action: string;
  readonly command?: string;
}

export interface HostInfo {
  readonly system: {
    /** As Node names it: "linux", "darwin", "win32". */
    readonly platform: string;
    readonly architecture: string;
    /** Kernel release. */
    readonly release: string;
    readonly memoryMib: number;
    /** This host is itself a virtual machine (the processor shows the hypervisor bit). */
    readonly virtualMachine: boolean;
  };
  readonly processor: {
    readonly model: string;
    readonly vendor: string;
    readonly logicalProcessors: number;
    /** Hardware virtualization that the processor shows: Intel VT-x, AMD-V, or neither. */
    readonly virtualization: 'vmx' | 'svm' | 'none' | 'unknown';
  };
  readonly kvm: KvmInfo;
  readonly engine: {
    /** What `--engine auto` takes on this host. */
    readonly auto: 'software' | 'kvm';
    readonly reason: string;
  };
  readonly advice: readonly HostAdvice[];
}
