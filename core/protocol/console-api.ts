// A window's channel to one running VM: screen, keyboard, mouse, serial port. It is a Port of its own, so that frames and
// keys do not queue behind the manager's calls; how it travels (MessagePort, WebSocket) is the shell's business.

import type { FrameMessage, TextScreenMessage, VmExit, VmState, VmStats } from './vm-messages.ts';

/** Names a window's channel among the channels of a VM process. */
export const CONSOLE_PURPOSE = 'console';

export interface ConsoleStatus {
  readonly state: VmState;
  readonly engine: string;
  readonly mips: number;
  /** Counts of transfers since power-on; a change lights the lamp. */
  readonly diskReads: number;
  readonly diskWrites: number;
  readonly netPackets: number;
  /** What the software CPU's JIT has done since power-on; absent where the engine has none. */
  readonly jit: VmStats['jit'] | undefined;
  /** The guest takes absolute pointer positions: no capture needed. */
  readonly absolutePointer: boolean;
  readonly keyboardLeds: { readonly numLock: boolean; readonly capsLock: boolean; readonly scrollLock: boolean };
}

export interface ConsoleApi {
  /**
   * The next change of the screen: waits until there is damage, at least 1/60 s after the last answer. One call at a time:
   * a slow window gets fewer, larger frames. `full` asks for the whole screen at once.
   */
  nextFrame(full: boolean): Promise<FrameMessage>;
  /** Cells of a text mode, for selection and screen readers; undefined in graphics modes. */
  textScreen(): Promise<TextScreenMessage | undefined>;
  screenshot(): Promise<Uint8Array>;
  /** `code` is a DOM KeyboardEvent.code. */
  key(code: string, down: boolean): Promise<void>;
  /** Lets go of every key that is down: the window lost the focus. */
  releaseKeys(): Promise<void>;
  /** "ctrl-alt-delete", "alt-tab" ... */
  keyCombination(combination: string): Promise<void>;
  typeText(text: string): Promise<void>;
  mouse(dx: number, dy: number, dz: number, buttons: number): Promise<void>;
  /** x, y in 0..1 of the screen; only while `absolutePointer`. */
  pointer(x: number, y: number, dz: number, buttons: number): Promise<void>;
  serialInput(bytes: Uint8Array): Promise<void>;
  /** What the serial port has sent so far (its tail), for a console that opens late. */
  serialHistory(): Promise<Uint8Array>;
  status(): Promise<ConsoleStatus>;
}

export interface ConsoleEvents {
  serialOutput(bytes: Uint8Array): void;
  statusChanged(status: ConsoleStatus): void;
  /** The VM stopped or its process died; the port closes after this. */
  ended(exit: VmExit): void;
}
