// Which of the three themes stands on the root element: the user's choice, or what the host asks for.

import type { AppSettings } from '../../core/protocol/manager-api.ts';

export type Theme = 'light' | 'dark' | 'contrast';

export function themeFor(setting: AppSettings['theme'], host: { readonly dark: boolean; readonly contrast: boolean }): Theme {
  if (setting !== 'auto') return setting;
  if (host.contrast) return 'contrast';
  return host.dark ? 'dark' : 'light';
}

/** Applies the theme now and whenever the host's wish changes. @returns stops following */
export function followTheme(setting: AppSettings['theme']): () => void {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const contrast = matchMedia('(prefers-contrast: more), (forced-colors: active)');
  const apply = (): void => {
    document.documentElement.dataset['theme'] = themeFor(setting, { dark: dark.matches, contrast: contrast.matches });
  };
  apply();
  dark.addEventListener('change', apply);
  contrast.addEventListener('change', apply);
  return () => {
    dark.removeEventListener('change', apply);
    contrast.removeEventListener('change', apply);
  };
}
