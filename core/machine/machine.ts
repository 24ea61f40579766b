// What a VM process drives: one board with its CPU, devices and media, behind a small surface.

import type { Event } from '../base/emitter.ts';
import type { CpuState } from '../cpu/contract.ts';
import type { Frame, Rect } from '../display/frame-source.ts';
import type { HandOverSpec, HandedOver, RestoreSpec, TakeStateSpec, TakenState, TextScreenMessage, VmExit, VmState, VmStats } from '../protocol/vm-messages.ts';
import type { DiskMerger } from './disk-merger.ts';

/** Everything a machine remembers but its memory, as named parts; see docs of each device for its fields. */
export interface MachineFields {
  readonly format: 'nestbox-machine';
  readonly version: 1;
  readonly configuration: Readonly<Record<string, string | number | boolean>>;
  readonly timeNs: number;
  /** Ticks that the time-stamp counter is ahead of `timeNs`; absent = 0. */
  readonly tscOffset?: number;
  readonly random: readonly [number, number, number, number];
  readonly cpus: readonly unknown[];
  readonly devices: Readonly<Record<string, unknown>>;
  /** Date of the host, milliseconds since 1970: the real-time clock went on meanwhile. Absent with the instruction clock. */
  readonly savedAtMs?: number;
}

/** Who has a state taken. */
export interface StateWatcher {
  /** 0..1 */
  progress(fraction: number): void;
  /** The screen, asked for at the instant. */
  screen(): Frame;
}

/** A whole machine in memory. */
export interface MachineState extends MachineFields {
  /** Non-zero RAM and video RAM pages: page number and 4 KiB content. */
  readonly ram: Uint8Array;
  readonly vram: Uint8Array;
}

/** What comparisons and debuggers look at while a machine stands still. */
export interface MachineView {
  readonly cpu: CpuState;
  /** Guest RAM itself, not a copy. */
  readonly ram: Uint8Array;
  /** The instruction that would run next, as a line of a trace. */
  readonly next: string;
}

export interface Machine {
  readonly state: VmState;
  readonly onStateChanged: Event<VmState>;
  readonly onExit: Event<VmExit>;
  readonly onSerialOutput: Event<Uint8Array>;
  /** The host's disk is full, with what is wrong; undefined: there is space again. */
  readonly onDiskFull: Event<string | undefined>;

  /** Powers on, or goes on after a pause. */
  start(): void;
  pause(): Promise<void>;
  reset(): void;
  /** @returns true when the guest has enabled ACPI and so can react */
  powerButton(): boolean;
  powerOff(): Promise<void>;

  key(code: string, down: boolean): void;
  keyCombination(combination: string): Promise<void>;
  typeText(text: string): Promise<void>;
  mouse(dx: number, dy: number, dz: number, buttons: number): void;
  /** Only while `takesPositions`. @param x, y 0..1 of the screen */
  pointer(x: number, y: number, dz: number, buttons: number): void;
  /** The guest uses the absolute pointer. */
  readonly takesPositions: boolean;
  serialInput(bytes: Uint8Array): void;

  readonly keyboardLeds: { readonly numLock: boolean; readonly capsLock: boolean; readonly scrollLock: boolean };
  textScreen(): TextScreenMessage | undefined;
  refresh(): { readonly frame: Frame; readonly damage: readonly Rect[] };

  insertMedium(kind: 'floppy' | 'cdrom', index: number, path: string): Promise<void>;
  ejectMedium(kind: 'floppy' | 'cdrom', index: number): Promise<void>;

  stats(): VmStats;
  stateHash(): Promise<string>;
  runUntil(instructions: number): Promise<void>;
  /** The machine must be paused. Changes nothing, not even host work under way. */
  inspect(): MachineView;
  save(): Promise<MachineState>;
  /** @throws NestboxError kind `bad-input`; the machine is unchanged then */
  load(state: MachineState): Promise<void>;
  /** Before start(): goes on from a saved state. @throws NestboxError kind `bad-input`, `unsupported`; nothing has changed then */
  restore(spec: RestoreSpec): Promise<void>;
  /** See VmStateCommands. */
  takeState(spec: TakeStateSpec, watcher: StateWatcher): Promise<TakenState>;
  cancelTakeState(): void;
  handOver(spec: HandOverSpec): Promise<HandedOver>;
  handedOver(): Promise<void>;
  memoryLoaded(): Promise<void>;
  /** Merges images of disks that the guest uses. */
  readonly disks: DiskMerger;
  dispose(): Promise<void>;
}
