// What this host offers for virtualization, and what to do about each missing thing.

export interface HostCapability {
  /** "cpu-flag", "kvm-device", "kvm-permission", "kvm-api" ... */
  readonly code: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What the user can do when it is not ok. */
  readonly action?: string;
}

export interface HostInfo {
  readonly platform: string;
  readonly cpuModel: string;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly virtualization: 'vmx' | 'svm' | 'none';
  readonly kvm: {
    readonly available: boolean;
    /** Whether `auto` takes it, and why (not). */
    readonly chosen: boolean;
    readonly reason: string;
    readonly apiVersion?: number;
    readonly capabilities: Readonly<Record<string, number>>;
  };
  readonly checks: readonly HostCapability[];
}
