// What a VM process and its owner say to each other: calls with replies (VmCommands) and events (VmEvents).

import type { VmConfigInput } from './vm-config.ts';

/** Life of a VM as its process sees it. */
export type VmState = 'created' | 'running' | 'paused' | 'stopped';

/**
 * Why a VM stopped: `power-off` by the guest, `debug-exit` by the test port, `fault` = triple fault or lock-up,
 * `host` = switched off from outside, `error` = the VM process could not go on.
 */
export interface VmExit {
  readonly reason: 'power-off' | 'debug-exit' | 'fault' | 'host' | 'error';
  /** Exit status asked for through the debug-exit port. */
  readonly status?: number;
  /** Report of the guest's fault, several lines. */
  readonly report?: string;
  readonly message?: string;
  /** Kind of the NestboxError behind reason `error`. */
  readonly kind?: string;
}

export interface VmStats {
  readonly engine: string;
  /** Why this engine. */
  readonly engineReason?: string;
  readonly instructions: number;
  readonly wallMs: number;
  readonly guestMs: number;
  readonly mips: number;
  readonly exits: Readonly<Record<string, number>>;
  /** Exits of each processor, when there are several. */
  readonly processors?: readonly Readonly<Record<string, number>>[];
  readonly jit: { readonly blocks: number; readonly compiles: number; readonly compileMs: number; readonly cacheBytes: number; readonly compiledShare: number };
  readonly peakRssMib: number;
  readonly diskReadBytes: number;
  readonly diskWrittenBytes: number;
  /** Transfers since power-on. */
  readonly diskReads: number;
  readonly diskWrites: number;
  /** Frames and bytes of all network adapters; 0 without one. */
  readonly netPackets: number;
  readonly netReceivedBytes: number;
  readonly netSentBytes: number;
  /** Processor time of the VM process, user and system. */
  readonly cpuMs: number;
  /** Memory that the VM process holds now. */
  readonly rssMib: number;
}

export interface TextScreenMessage {
  readonly columns: number;
  readonly rows: number;
  readonly lines: readonly string[];
  /** Attribute byte of each cell, row by row. */
  readonly attributes: Uint8Array;
  readonly cursor: { readonly column: number; readonly row: number; readonly visible: boolean };
}

export interface FrameMessage {
  readonly width: number;
  readonly height: number;
  readonly damage: readonly { readonly x: number; readonly y: number; readonly width: number; readonly height: number }[];
  /** Pixels of the damaged rectangles one after the other, R G B A. */
  readonly pixels: Uint8Array;
}

/** An overlay that takes over from a drive's image at the instant of a state. */
export interface OverlayTarget {
  /** "ide0", "floppy0" ... */
  readonly slot: string;
  /** An empty qcow2 overlay on the drive's present image, made by the caller. */
  readonly path: string;
}

/** How a running machine's state goes to files: `<folder>/<id>.state` and, when new pages are needed, `<folder>/<id>.pages`. */
export interface TakeStateSpec {
  readonly folder: string;
  readonly id: string;
  /** Ids of states in the same folder whose pages may be shared; the nearest relative first. */
  readonly relatives: readonly string[];
  /** `packed`: content-addressed and compressed. `plain`: as they are, for a fork that is read once and thrown away. */
  readonly storage: 'packed' | 'plain';
  readonly overlays: readonly OverlayTarget[];
  /** `run`: the guest goes on; `stop`: it stands still after the instant, for good. */
  readonly afterwards: 'run' | 'stop';
}

export interface TakenState {
  /** How long the guest stood still, in milliseconds; 0 with `stop`. */
  readonly pauseMs: number;
  readonly stateBytes: number;
  readonly pageBytes: number;
  /** A small PNG of the screen at the instant. */
  readonly thumbnail: Uint8Array;
}

/** Takes the second image out of the chain of a drive that the guest uses. */
export interface MergeDiskSpec {
  /** Names the work in `stateProgress`. */
  readonly id: string;
  readonly slot: string;
  /** The whole chain of the drive, from the image that is written to down to the base. */
  readonly links: readonly { readonly path: string; readonly format: 'raw' | 'qcow2' }[];
  /** `pull`: the first takes over what the second holds. `commit`: the second takes over what the first holds, and its place. */
  readonly way: 'pull' | 'commit';
}

/** How a running machine goes on in a second process as well: by `<folder>/<id>.handover`, which fills while both run. */
export interface HandOverSpec {
  readonly folder: string;
  readonly id: string;
  readonly overlays: readonly OverlayTarget[];
}

export interface HandedOver {
  /** How long the guest stood still, in milliseconds. */
  readonly pauseMs: number;
}

/** What a machine starts from instead of power-on. */
export interface RestoreSpec {
  readonly folder: string;
  readonly id: string;
  /** True: from the memory that a running machine hands over, see HandOverSpec. */
  readonly live?: boolean;
  /** The guest must learn that its state was used before: VM generation id, random stream. */
  readonly newGeneration: boolean;
}

/** Part of VmCommands. */
export interface VmStateCommands {
  /** Builds the machine in a saved state; the guest stands still until resume(), and then runs before all memory is read. */
  startFromState(config: VmConfigInput, restore: RestoreSpec): Promise<void>;
  /**
   * Saves memory, devices, processors and disks of one instant; resolves when everything is on stable storage. Disks move
   * to their overlays at the instant. When it fails before that, nothing has changed; afterwards `context.switched` of the
   * error is true: the guest goes on with the overlays.
   */
  takeState(spec: TakeStateSpec): Promise<TakenState>;
  cancelTakeState(): Promise<void>;
  /**
   * The machine's state at one instant, for a second machine; resolves right after it, when that one can be started. Disks
   * move to their overlays. When it fails before the instant, nothing has changed; afterwards `context.switched` is true.
   */
  handOver(spec: HandOverSpec): Promise<HandedOver>;
  /** Resolves when all of the memory that handOver() promised is in the file; rejects when some of it never will be. */
  handedOver(): Promise<void>;
  /**
   * Resolves when the image that takes over holds everything; after `commit` both go on getting what the guest writes until
   * finishMergeDisk(). When it fails or is cancelled, the disk is on its old chain.
   */
  mergeDisk(spec: MergeDiskSpec): Promise<void>;
  /** After `commit`, when the library has the second image in the place of the first: that one is closed. */
  finishMergeDisk(slot: string): Promise<void>;
  cancelMergeDisk(): Promise<void>;
  /** Resolves when no guest memory is left in the files that the machine was started from. */
  memoryLoaded(): Promise<void>;
}

export interface VmCommands extends VmStateCommands {
  /** Builds the machine and powers it on. Rejects with a NestboxError when the configuration or a medium is bad. */
  start(config: VmConfigInput): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  reset(): Promise<void>;
  /** Presses the power button; false when the guest has not enabled ACPI and so will not react. */
  powerButton(): Promise<boolean>;
  /** Pulls the plug. */
  powerOff(): Promise<void>;
  /** `code` is a DOM KeyboardEvent.code. */
  key(code: string, down: boolean): Promise<void>;
  /** A combination such as "ctrl-alt-delete" or "ret". */
  keyCombination(combination: string): Promise<void>;
  typeText(text: string): Promise<void>;
  mouse(dx: number, dy: number, dz: number, buttons: number): Promise<void>;
  serialInput(bytes: Uint8Array): Promise<void>;
  textScreen(): Promise<TextScreenMessage | undefined>;
  /** PNG of the screen. */
  screenshot(): Promise<Uint8Array>;
  /** A small PNG of the screen that fits the given size; undefined when nothing has changed since the last one. */
  thumbnail(widthMax: number, heightMax: number): Promise<Uint8Array | undefined>;
  /** Everything that changed since the last call, or all of it with `full`. */
  frame(full: boolean): Promise<FrameMessage>;
  insertMedium(kind: 'floppy' | 'cdrom', index: number, path: string): Promise<void>;
  ejectMedium(kind: 'floppy' | 'cdrom', index: number): Promise<void>;
  stats(): Promise<VmStats>;
  /** SHA-256 over the machine's whole state; the machine must be paused or use the instruction clock. */
  stateHash(): Promise<string>;
  /** Runs until exactly this many instructions have retired since power-on, then pauses. Instruction clock only. */
  runUntil(instructions: number): Promise<void>;
  saveState(name: string): Promise<void>;
  loadState(name: string): Promise<void>;
}

export interface VmEvents extends VmStateEvents {
  stateChanged(state: VmState): void;
  exited(exit: VmExit): void;
  serialOutput(bytes: Uint8Array): void;
  log(level: string, source: string, message: string): void;
  /** The host's disk is full and the machine stands still for it, with what is wrong; undefined: there is space again. */
  diskFull(message: string | undefined): void;
}

/** Part of VmEvents. */
export interface VmStateEvents {
  /** Of takeState() and mergeDisk(): `id` is the state's, or the work's. */
  stateProgress(id: string, fraction: number): void;
}

/** A NestboxError on its way through a channel. */
export interface WireError {
  readonly wireError: true;
  readonly kind: string;
  readonly message: string;
  readonly op: string;
  readonly context: Readonly<Record<string, string | number | boolean>>;
}
