// Texts of the window: i18next with two complete catalogues. `t` reads a rune, so every text on screen follows a change of
// the language at once.

import i18next from 'i18next';
import { en } from './en.ts';
import { zhCn } from './zh-cn.ts';

export type Language = 'en' | 'zh-CN';

type Leaves<Tree, Prefix extends string = ''> = {
  [Key in keyof Tree & string]: Tree[Key] extends string ? `${Prefix}${Singular<Key>}` : Leaves<Tree[Key], `${Prefix}${Key}.`>;
}[keyof Tree & string];
/** "disks_one" and "disks_other" are asked for as "disks" with a `count`. */
type Singular<Key extends string> = Key extends `${infer Base}_one` | `${infer Base}_other` ? Base : Key;

export type TextKey = Leaves<typeof en>;
export type TextParams = Readonly<Record<string, string | number>>;

const engine = i18next.createInstance();
void engine.init({
  lng: 'en',
  fallbackLng: 'en',
  initAsync: false,
  showSupportNotice: false,
  resources: { en: { translation: en }, 'zh-CN': { translation: zhCn } },
  interpolation: { escapeValue: false, prefix: '{', suffix: '}' },
  keySeparator: '.',
  nsSeparator: false,
} as Parameters<typeof engine.init>[0]);

let current = $state<Language>('en');

export function language(): Language {
  return current;
}

export function setLanguage(wish: Language): void {
  void engine.changeLanguage(wish);
  current = wish;
  if (typeof document !== 'undefined') document.documentElement.lang = wish;
}

/** Any Chinese of the host takes Simplified Chinese; everything else English. */
export function languageFor(setting: 'auto' | Language, host: string): Language {
  if (setting !== 'auto') return setting;
  return host.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

export function t(key: TextKey, params?: TextParams): string {
  void current;
  return engine.t(key, params as Record<string, unknown>);
}

/** The sentence of a code that comes from the manager, or undefined when the catalogue has none. */
export function sentence(group: 'codes' | 'kinds' | 'fieldNames' | 'advice', code: string, params: TextParams): string | undefined {
  void current;
  const key = `${group}.${code}`;
  return engine.exists(key) ? engine.t(key, params) : undefined;
}
