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
  readonly instructions: number;
  readonly wallMs: number;
  readonly guestMs: number;
  readonly mips: number;
  readonly exits: Readonly<Record<string, number>>;
  readonly jit: { readonly blocks: number; readonly compiles: number; readonly compileMs: number; readonly compiledShare: number };
  readonly peakRssMib: number;
  readonly diskReadBytes: number;
  readonly diskWrittenBytes: number;
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

export interface VmCommands {
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

export interface VmEvents {
  stateChanged(state: VmState): void;
  exited(exit: VmExit): void;
  serialOutput(bytes: Uint8Array): void;
  log(level: string, source: string, message: string): void;
}

/** A NestboxError on its way through a channel. */
export interface WireError {
  readonly wireError: true;
  readonly kind: string;
  readonly message: string;
  readonly op: string;
  readonly context: Readonly<Record<string, string | number | boolean>>;
}
