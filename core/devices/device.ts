// What every emulated device offers to the machine. A device gets injected only what it needs (IrqLine, Clock,
// DmaMemory, IoScheduler, Logger, a medium); it never sees the machine or a CPU.

/** Values that a saved state may hold. Plain data only. */
export type StateValue =
  | number
  | boolean
  | string
  | null
  | Uint8Array
  | readonly StateValue[]
  | { readonly [name: string]: StateValue | undefined };

/** Saved state of one device: named fields and the version of their meaning. */
export interface DeviceState {
  readonly version: number;
  readonly fields: { readonly [name: string]: StateValue | undefined };
}

/** `power` = power-on reset, `system` = RESET# pin (keyboard controller, CF9, triple fault). */
export type ResetKind = 'power' | 'system';

export interface Device {
  /** Unique in the machine and stable for ever: it names the device in saved states ("pic", "ide0"). */
  readonly id: string;
  reset(kind: ResetKind): void;
  save(): DeviceState;
  /**
   * Takes over a saved state. The state is hostile input: every field, range and length is validated first (zod), and
   * the device changes only when all of it is valid. Timers are re-armed and IRQ outputs driven to match.
   * @throws NestboxError kind `bad-input`
   */
  load(state: DeviceState): void;
  dispose(): void;
}
