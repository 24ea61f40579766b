// The one error shape of the host side: a stable kind, what was being done, a message for the user, and the cause.
// Guest mistakes are never errors; devices do what hardware does.

/** Stable kinds that callers may match on; the command line maps them to exit codes. */
export type ErrorKind =
  | 'usage' // a wrong option, field or call: exit code 2
  | 'bad-input' // a file, image, state or configuration that cannot be used: exit code 2
  | 'not-found'
  | 'permission'
  | 'busy' // locked by another VM or process
  | 'no-space'
  | 'io'
  | 'unsupported'
  | 'cancelled'
  | 'timeout' // exit code 124
  | 'guest' // the guest failed: exit code 1
  | 'internal';

export interface NestboxErrorOptions {
  /** The operation that failed, as a verb phrase: "open disk", "load state". */
  op?: string;
  /** Names and values that help: { path, offset, option }. */
  context?: Record<string, string | number | boolean>;
  cause?: unknown;
}

export class NestboxError extends Error {
  readonly kind: ErrorKind;
  readonly op: string;
  readonly context: Readonly<Record<string, string | number | boolean>>;

  constructor(kind: ErrorKind, message: string, options: NestboxErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'NestboxError';
    this.kind = kind;
    this.op = options.op ?? '';
    this.context = options.context ?? {};
  }
}

export function isNestboxError(value: unknown): value is NestboxError {
  return value instanceof NestboxError;
}

/** At the places where long work can be cancelled. @param op the work. @throws NestboxError `cancelled` */
export function throwIfCancelled(signal: { readonly aborted: boolean } | undefined, op: string): void {
  if (signal?.aborted === true) throw new NestboxError('cancelled', 'Cancelled', { op });
}

/** The message of anything that was thrown, for a log or a user. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
