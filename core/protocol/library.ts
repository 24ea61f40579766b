// What the window and the command line see of the library: virtual machines, media, inspected files, tasks. Plain data
// that crosses process boundaries; texts for people are codes with parameters, so that the window can say them in its language.

import type { VmConfigInput } from './vm-config.ts';
import type { VmExit } from './vm-messages.ts';

/**
 * A file that the user has chosen (dialog, drop, upload). Opaque: the window never names host paths, the manager keeps
 * what a handle stands for. Valid until the session ends.
 */
export type FileHandle = string;

/** Life of a VM as its owner sees it. `saved` = off with a saved state that the next start continues. */
export type VmPowerState = 'off' | 'saved' | 'starting' | 'running' | 'paused' | 'saving' | 'stopping' | 'failed';

/** A text with its parameters; the window has a sentence for every code. `text` is the English sentence. */
export interface Notice {
  readonly code: string;
  readonly text: string;
  readonly params: Readonly<Record<string, string | number>>;
}

/** What is wrong with one field of a form, by its path in the configuration: "name", "memoryMib", "drives.0.sizeBytes". */
export interface FieldProblem extends Notice {
  readonly field: string;
  /** A warning does not keep the form from being accepted. */
  readonly severity: 'error' | 'warning';
}

export interface VmSummary {
  readonly id: string;
  readonly name: string;
  readonly state: VmPowerState;
  /** "/"-separated; empty = top level. */
  readonly groupPath: string;
  readonly tags: readonly string[];
  /** Entry of the operating-system data file, "unknown" when nothing was recognised. */
  readonly osId: string;
  readonly memoryMib: number;
  readonly cpus: number;
  /** Engine that runs it now; absent when off. */
  readonly engine?: 'software' | 'kvm';
  readonly pid?: number;
  /** Counts up with each new thumbnail; 0 = there is none. Fetch with `thumbnail()`. */
  readonly thumbnailVersion: number;
  readonly createdMs: number;
  readonly changedMs: number;
  readonly startedMs?: number;
  /** Why it cannot start or why it stopped: missing medium, guest fault, VM process died, disk full. */
  readonly notice?: Notice;
  readonly lastExit?: VmExit;
}

export interface DriveInfo {
  /** "floppy0", "ide0" ... */
  readonly slot: string;
  readonly kind: 'floppy' | 'cdrom' | 'disk';
  readonly readOnly: boolean;
  /** Absent: an empty drive. */
  readonly medium?: MediumInfo;
}

export interface MediumInfo {
  readonly id: string;
  readonly kind: 'floppy' | 'cdrom' | 'disk';
  /** File name without its folder, for display. */
  readonly fileName: string;
  /** Folder, for display only. */
  readonly folder: string;
  readonly format: 'raw' | 'qcow2';
  readonly virtualBytes: number;
  /** Bytes that the file takes on the host's disk; absent when the file is missing. */
  readonly allocatedBytes?: number;
  readonly missing: boolean;
  /** Made by Nestbox and deleted with its VM when the user says so. */
  readonly managed: boolean;
  readonly backingId?: string;
  /** Names of the VMs that use it, in a drive or in a snapshot. */
  readonly usedBy: readonly string[];
}

/** The part of the configuration that forms edit; media are drives. `firmware` is `bios` or the handle of a firmware image. */
export type HardwareConfig = Omit<VmConfigInput, 'name' | 'media' | 'tracePath' | 'rtcEpochMs' | 'seed' | 'directBoot' | 'debugExit' | 'generationId'>;

/** A firmware image that a machine can start with, beside the built-in BIOS. */
export interface FirmwareChoice {
  /** Value for HardwareConfig.firmware. */
  readonly firmware: FileHandle;
  readonly kind: 'seabios' | 'ovmf' | 'other';
  readonly fileName: string;
  readonly folder: string;
  readonly missing: boolean;
}

export interface VmDetail extends VmSummary {
  readonly notes: string;
  readonly hardware: HardwareConfig;
  readonly drives: readonly DriveInfo[];
  /** Starts this kernel instead of a boot medium. File names for display. */
  readonly directBoot?: { readonly kernelName: string; readonly initrdName?: string; readonly commandLine: string };
  readonly hasSavedState: boolean;
  readonly currentSnapshotId?: string;
  readonly snapshotCount: number;
  /** Disks, snapshots and saved states together, on the host's disk. */
  readonly allocatedBytes: number;
}

/** A drive that a form asks for: a new disk, a chosen file, a medium of the library, a copy of an image, or an empty drive. */
export type DriveSpec =
  | { readonly kind: 'disk'; readonly source: 'new'; readonly sizeBytes: number }
  | { readonly kind: 'floppy' | 'cdrom' | 'disk'; readonly source: 'file'; readonly file: FileHandle; readonly format?: 'raw' | 'qcow2'; readonly readOnly?: boolean }
  | { readonly kind: 'floppy' | 'cdrom' | 'disk'; readonly source: 'medium'; readonly mediumId: string; readonly readOnly?: boolean }
  /** A copy of the image as a new qcow2 disk of the library; `member` is the image's name inside an appliance. */
  | { readonly kind: 'disk'; readonly source: 'import'; readonly file: FileHandle; readonly member?: string }
  | { readonly kind: 'floppy' | 'cdrom'; readonly source: 'empty' };

/** Everything that the sheet for a new VM holds. */
export interface NewVmSpec {
  readonly name: string;
  readonly osId: string;
  readonly hardware: HardwareConfig;
  readonly drives: readonly DriveSpec[];
  readonly notes?: string;
  readonly groupPath?: string;
  readonly tags?: readonly string[];
  /** A kernel that was dropped: direct boot. */
  readonly directBoot?: { readonly kernel: FileHandle; readonly initrd?: FileHandle; readonly commandLine: string };
}

export interface VmChange {
  readonly name?: string;
  readonly notes?: string;
  readonly groupPath?: string;
  readonly tags?: readonly string[];
  readonly osId?: string;
  readonly hardware?: HardwareConfig;
  /** The whole new list; drives that keep their medium name it by `mediumId`. */
  readonly drives?: readonly DriveSpec[];
}

export type InspectedKind = 'iso' | 'floppy' | 'disk' | 'kernel' | 'initrd' | 'appliance' | 'unusable';

/** What a medium says of its system: where, and the words found there. */
export interface Evidence {
  readonly where: 'volume' | 'publisher' | 'application' | 'system' | 'boot-code' | 'oem-name' | 'kernel' | 'file' | 'appliance' | 'disk';
  /** With `file`: path of the file on the medium. */
  readonly path?: string;
  /** Absent when the file's being there says it. */
  readonly text?: string;
}

/** What the app found inside a dropped file, and what it proposes. */
export interface MediumInspection {
  readonly file: FileHandle;
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly kind: InspectedKind;
  /** "ISO 9660 + Joliet", "qcow2", "Linux bzImage" ... for display. */
  readonly formatName: string;
  readonly volumeId?: string;
  readonly bootable: boolean;
  /** BIOS and/or UEFI boot entries seen. */
  readonly bootWays: readonly ('bios' | 'uefi')[];
  readonly os: { readonly id: string; readonly name: string; readonly version?: string; readonly architecture?: 'x86' | 'x86_64' | 'other' };
  /** What led to that, for the curious. */
  readonly evidence: readonly Evidence[];
  /** Why it cannot be used or what to expect: "made for another processor", "0 bytes". */
  readonly notices: readonly Notice[];
  /** Absent when it cannot be used. */
  readonly proposal?: NewVmSpec;
}

/** One sample a second of a running VM. */
export interface VmMetrics {
  readonly atMs: number;
  /** Share of one host core, 0..1 and more with several. */
  readonly cpuShare: number;
  readonly mips: number;
  readonly memoryMib: number;
  readonly diskReadBytesPerS: number;
  readonly diskWrittenBytesPerS: number;
  readonly netReceivedBytesPerS: number;
  readonly netSentBytesPerS: number;
  /** Share of instructions that ran compiled, 0..1. */
  readonly compiledShare: number;
}

/** Long work: named by the caller's task id, seen by progress events, ended by `cancelTask`. */
export interface TaskProgress {
  readonly taskId: string;
  /** "convert-disk", "take-snapshot", "upload" ... */
  readonly kind: string;
  readonly vmId?: string;
  /** 0..1, or absent when it cannot be told. */
  readonly fraction?: number;
  readonly state: 'running' | 'done' | 'failed' | 'cancelled';
  readonly message?: string;
}

export interface LogLine {
  readonly atMs: number;
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly source: string;
  readonly message: string;
}
