// Helpers on text screens: the plain text of one, as --expect and screenText steps use it.

import type { TextScreen } from './frame-source.ts';

/** The lines without trailing blanks, joined by newlines, without the empty lines at the end. */
export function textOf(screen: TextScreen): string {
  const lines = screen.lines.map((line) => line.trimEnd());
  while (lines.length > 0 && lines[lines.length - 1] === '') lines.pop();
  return lines.join('\n');
}
