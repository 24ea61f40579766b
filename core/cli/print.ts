// What commands write to stdout.

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Names come from images: control characters must not reach the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '?');
}
