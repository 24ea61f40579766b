// What a screen reader is told when the guest's text screen changes: the lines that are new, and never a flood.

const LINES_MOST = 6;
const CHARACTERS_MOST = 400;

const clean = (line: string): string => line.replace(/[\u2500-\u259f]/g, ' ').replace(/\s+/g, ' ').trim();

/** @returns '' when nothing worth saying changed */
export function spokenChange(before: readonly string[], after: readonly string[]): string {
  const old = new Set(before.map(clean));
  // A line that only moved up by scrolling is not new.
  const fresh = after.map(clean).filter((line) => line !== '' && !old.has(line));
  const text = fresh.slice(-LINES_MOST).join('\n');
  return text.length > CHARACTERS_MOST ? text.slice(-CHARACTERS_MOST) : text;
}
