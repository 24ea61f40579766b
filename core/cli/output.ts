// Text output of commands: aligned tables, names that cannot disturb the terminal, sizes and times for people.

import { formatSize } from './disk-command.ts';

/** Names may come from files: control characters and marks that turn text around must not reach the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '?');
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, 2));
}

/** Columns as wide as they need to be; two spaces between. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const cells = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_title, column) => Math.max(...cells.map((row) => [...(row[column] ?? '')].length)));
  for (const row of cells) print(row.map((cell, column) => (column === row.length - 1 ? cell : cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - [...cell].length)))).join('  '));
}

export function size(bytes: number | undefined): string {
  return bytes === undefined ? '-' : formatSize(bytes);
}

export function time(ms: number | undefined): string {
  return ms === undefined ? '-' : new Date(ms).toISOString().replace('T', ' ').slice(0, 19);
}
