// Who may use the browser host: a launch code (single use, short-lived, printed behind "#" so that it is in no request,
// referrer or log) is exchanged for a session: a folder with a name that cannot be guessed and a cookie for that folder.
// Cookies are shared by all ports of a host, but the browser sends this one only to addresses in that folder, which no
// other server can lure it to. Secrets are compared by their hashes in constant time and live as long as the process.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { FAILURES_PER_MINUTE, LAUNCH_CODES_MAX, LAUNCH_CODE_MS, SESSIONS_MAX, TOKEN_BYTES } from './limits.ts';

interface Session {
  readonly folder: Buffer;
  readonly cookie: Buffer;
}

const MINUTE_MS = 60_000;

function hash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

export function newSecret(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

export class Sessions {
  private readonly nowMs: () => number;
  private codes: { readonly hash: Buffer; readonly untilMs: number }[] = [];
  private sessions: Session[] = [];
  private failures: number[] = [];

  constructor(nowMs: () => number = () => performance.now()) {
    this.nowMs = nowMs;
  }

  /** A code for one launch in the next minute. */
  issueCode(): string {
    const code = newSecret();
    this.codes = [...this.codes.filter(({ untilMs }) => untilMs > this.nowMs()), { hash: hash(code), untilMs: this.nowMs() + LAUNCH_CODE_MS }].slice(-LAUNCH_CODES_MAX);
    return code;
  }

  /** @returns the secrets of a new session, or undefined when the code is wrong, used or too old */
  redeem(code: string): { readonly folder: string; readonly cookie: string } | undefined {
    const given = hash(code);
    const found = this.codes.filter((entry) => timingSafeEqual(entry.hash, given) && entry.untilMs > this.nowMs());
    if (found.length === 0) return undefined;
    this.codes = this.codes.filter((entry) => !found.includes(entry));
    const secrets = { folder: newSecret(), cookie: newSecret() };
    this.sessions = [...this.sessions, { folder: hash(secrets.folder), cookie: hash(secrets.cookie) }].slice(-SESSIONS_MAX);
    return secrets;
  }

  isValid(folder: string | undefined, cookie: string | undefined): boolean {
    if (folder === undefined || cookie === undefined) return false;
    const givenFolder = hash(folder);
    const givenCookie = hash(cookie);
    return this.sessions.some((session) => timingSafeEqual(session.folder, givenFolder) && timingSafeEqual(session.cookie, givenCookie));
  }

  /** True while too many attempts have failed: nothing is tried then. */
  get isLockedOut(): boolean {
    const since = this.nowMs() - MINUTE_MS;
    this.failures = this.failures.filter((at) => at > since);
    return this.failures.length >= FAILURES_PER_MINUTE;
  }

  noteFailure(): void {
    this.failures.push(this.nowMs());
  }
}
