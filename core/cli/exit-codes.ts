// Exit codes of the command, and how anything that went wrong is told: one line on stderr, never a stack trace for a
// user's mistake.

import { isNestboxError, messageOf } from '../base/errors.ts';

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_TIMEOUT = 124;

export function exitCodeOf(thrown: unknown): number {
  return isNestboxError(thrown) ? exitCodeOfKind(thrown.kind) : EXIT_FAILED;
}

/** By ErrorKind; what crossed a process boundary is only a string. */
export function exitCodeOfKind(kind: string): number {
  switch (kind) {
    case 'usage':
    case 'bad-input':
    case 'not-found':
    case 'permission':
    case 'unsupported':
    case 'busy':
      return EXIT_USAGE;
    case 'timeout':
      return EXIT_TIMEOUT;
    default:
      return EXIT_FAILED;
  }
}

/** Writes one line to stderr and returns the exit code. `NESTBOX_DEBUG=1` adds the stack. */
export function reportFailure(thrown: unknown): number {
  process.stderr.write(`nestbox: ${messageOf(thrown).split('\n')[0] ?? ''}\n`);
  if (process.env.NESTBOX_DEBUG === '1' && thrown instanceof Error) process.stderr.write(`${thrown.stack ?? ''}\n`);
  return exitCodeOf(thrown);
}
