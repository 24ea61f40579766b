// Texts of menus, tray and dialogs, by language. The catalogues are data; the Chinese one must have exactly the keys of the
// English one, which the type checker sees to.

import en from './locales/en.json' with { type: 'json' };
import zhCn from './locales/zh-CN.json' with { type: 'json' };

export type TextKey = keyof typeof en;
export type Texts = Readonly<Record<TextKey, string>>;

const CATALOGUES: Readonly<Record<string, Texts>> = { en, 'zh-CN': zhCn };

/** @param language BCP 47 of the host or of the settings; unknown ones get English */
export function textsFor(language: string): Texts {
  return CATALOGUES[language] ?? (/^zh\b/i.test(language) ? zhCn : en);
}
