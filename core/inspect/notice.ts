// What is said about a medium that was looked into: a code, for the window's languages, and the English text.

import type { Notice } from '../protocol/library.ts';

export function notice(code: string, text: string, params: Notice['params'] = {}): Notice {
  return { code, text, params };
}
