// Entries of drop-down and context menus, so that both show the same commands from one list.

import type { Component } from 'svelte';

export interface MenuAction {
  readonly label: string;
  readonly icon?: Component<{ size?: number | string; class?: string }>;
  readonly shortcut?: string;
  readonly disabled?: boolean;
  readonly danger?: boolean;
  readonly checked?: boolean;
  readonly select: () => void;
}
export interface MenuGroup {
  readonly label: string;
  readonly icon?: Component<{ size?: number | string; class?: string }>;
  readonly disabled?: boolean;
  readonly entries: readonly MenuEntry[];
}
export type MenuEntry = MenuAction | MenuGroup | 'separator';

/** Leaves out what is not there, and separators that would separate nothing. */
export function menuOf(...entries: readonly (MenuEntry | false | undefined)[]): MenuEntry[] {
  const kept: MenuEntry[] = [];
  for (const entry of entries) {
    if (entry === false || entry === undefined) continue;
    if (entry === 'separator' && (kept.length === 0 || kept.at(-1) === 'separator')) continue;
    kept.push(entry);
  }
  if (kept.at(-1) === 'separator') kept.pop();
  return kept;
}
