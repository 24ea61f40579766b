// What happened to each VM, one JSON line an entry in vms/<id>/vm.log. A guest can cause messages for ever, so the file is
// rotated once, and a flood is cut: beyond LINES_PER_S the rest of the second is counted, not kept. Lines have numbers
// that go on across rotation and restarts.

import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { LogLine } from '../protocol/library.ts';
import type { ManagerEventHub } from './events.ts';
import type { LibraryFolder } from './library-folder.ts';

export const LOG_FILE_BYTES = 1 << 20;
const LINES_PER_S = 200;
const MESSAGE_CHARACTERS = 4000;
const LINES_MAX = 40_000;
const PAGE_LINES_MAX = 1000;
const FLUSH_MS = 100;

const lineSchema = z.object({ n: z.int(), atMs: z.number(), level: z.enum(['error', 'warn', 'info', 'debug']), source: z.string(), message: z.string() });
type NumberedLine = z.infer<typeof lineSchema>;

class VmLog {
  private readonly path: string;
  private readonly lines: NumberedLine[] = [];
  private next = 0;
  private fileBytes = 0;
  private waiting = '';
  private timer: NodeJS.Timeout | undefined;
  private second = 0;
  private inSecond = 0;
  private dropped = 0;
  /** The log could not be written: kept in memory only, so that a full disk stops nothing. */
  failed = false;

  constructor(folder: string) {
    this.path = join(folder, 'vm.log');
    for (const path of [`${this.path}.1`, this.path]) this.load(path);
  }

  private load(path: string): void {
    if (!existsSync(path)) return;
    const text = readFileSync(path, 'utf8');
    if (path === this.path) this.fileBytes = Buffer.byteLength(text);
    for (const line of text.split('\n')) {
      if (line === '') continue;
      try {
        this.lines.push(lineSchema.parse(JSON.parse(line)));
      } catch {
        // A line that was cut by a crash.
      }
    }
    this.next = (this.lines.at(-1)?.n ?? -1) + 1;
  }

  /** @returns the lines that were taken: none when there are too many, one more when that ends */
  add(level: LogLine['level'], source: string, message: string): LogLine[] {
    const now = Date.now();
    const second = Math.floor(now / 1000);
    const taken: LogLine[] = [];
    if (second !== this.second) {
      if (this.dropped > 0) taken.push(this.put({ atMs: now, level: 'warn', source: 'log', message: `${this.dropped} more messages in one second were left out` }));
      this.second = second;
      this.inSecond = 0;
      this.dropped = 0;
    }
    if (++this.inSecond > LINES_PER_S) this.dropped++;
    else taken.push(this.put({ atMs: now, level, source: source.slice(0, 100), message: message.slice(0, MESSAGE_CHARACTERS) }));
    return taken;
  }

  private put(line: LogLine): LogLine {
    const numbered = { n: this.next++, ...line };
    this.lines.push(numbered);
    if (this.lines.length > LINES_MAX) this.lines.splice(0, LINES_MAX / 4);
    this.waiting += `${JSON.stringify(numbered)}\n`;
    this.timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref();
    return line;
  }

  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const text = this.waiting;
    this.waiting = '';
    if (text === '') return;
    try {
      const bytes = Buffer.byteLength(text);
      if (this.fileBytes + bytes > LOG_FILE_BYTES && this.fileBytes > 0) this.rotate();
      mkdirSync(join(this.path, '..'), { recursive: true, mode: 0o700 });
      appendFileSync(this.path, text, { mode: 0o600 });
      this.fileBytes += bytes;
    } catch {
      this.failed = true;
    }
  }

  private rotate(): void {
    const first = this.firstInFile();
    renameSync(this.path, `${this.path}.1`);
    this.fileBytes = 0;
    // What was in the older file is gone from the host's disk, so it goes from memory too.
    const keep = this.lines.findIndex((line) => line.n >= first);
    if (keep > 0) this.lines.splice(0, keep);
  }

  private firstInFile(): number {
    try {
      const head = readFileSync(this.path, 'utf8').split('\n', 1)[0] ?? '';
      return lineSchema.parse(JSON.parse(head)).n;
    } catch {
      return 0;
    }
  }

  page(from: number, limit: number): { lines: LogLine[]; next: number } {
    const start = this.lines.findIndex((line) => line.n >= from);
    const page = start < 0 ? [] : this.lines.slice(start, start + Math.min(limit, PAGE_LINES_MAX));
    const last = page.at(-1);
    return { lines: page.map(({ atMs, level, source, message }) => ({ atMs, level, source, message })), next: last === undefined ? Math.max(from, this.next) : last.n + 1 };
  }
}

export class VmLogs {
  private readonly folder: LibraryFolder;
  private readonly events: ManagerEventHub;
  private readonly logs = new Map<string, VmLog>();

  constructor(folder: LibraryFolder, events: ManagerEventHub) {
    this.folder = folder;
    this.events = events;
  }

  private log(vmId: string): VmLog {
    const known = this.logs.get(vmId);
    if (known !== undefined) return known;
    const log = new VmLog(this.folder.vm(vmId));
    this.logs.set(vmId, log);
    return log;
  }

  add(vmId: string, level: LogLine['level'], source: string, message: string): void {
    for (const line of this.log(vmId).add(level, source, message)) this.events.emit('logLine', vmId, line);
  }

  page(vmId: string, from: number, limit: number): { readonly lines: readonly LogLine[]; readonly next: number } {
    return this.log(vmId).page(from, limit);
  }

  forget(vmId: string): void {
    this.logs.delete(vmId);
  }

  flush(): void {
    for (const log of this.logs.values()) log.flush();
  }
}
