// Key combinations that the host or the browser would keep for itself, for the keyboard menu. Names are those of
// ConsoleApi.keyCombination; labels are what stands on the keys and so the same in every language.

export interface Combination {
  readonly keys: string;
  readonly label: string;
}

const functionKeys = Array.from({ length: 12 }, (_, index) => index + 1);

export const COMMON: readonly Combination[] = [
  { keys: 'ctrl-alt-delete', label: 'Ctrl+Alt+Del' },
  { keys: 'ctrl-alt-backspace', label: 'Ctrl+Alt+Backspace' },
  { keys: 'alt-tab', label: 'Alt+Tab' },
  { keys: 'alt-f4', label: 'Alt+F4' },
  { keys: 'ctrl-c', label: 'Ctrl+C' },
  { keys: 'ctrl-d', label: 'Ctrl+D' },
  { keys: 'ctrl-w', label: 'Ctrl+W' },
];
export const SINGLE: readonly Combination[] = [
  { keys: 'esc', label: 'Esc' },
  { keys: 'print', label: 'Print Screen' },
  { keys: 'pause', label: 'Pause' },
  { keys: 'meta', label: 'Super / Win' },
  { keys: 'menu', label: 'Menu' },
  { keys: 'insert', label: 'Insert' },
];
export const CONSOLES: readonly Combination[] = functionKeys.map((number) => ({ keys: `ctrl-alt-f${number}`, label: `Ctrl+Alt+F${number}` }));
export const FUNCTIONS: readonly Combination[] = functionKeys.map((number) => ({ keys: `f${number}`, label: `F${number}` }));
export const SYSRQ: readonly Combination[] = ['b', 'e', 'f', 'h', 'i', 'm', 'o', 'r', 's', 't', 'u'].map((letter) => ({ keys: `alt-sysrq-${letter}`, label: `Alt+SysRq+${letter.toUpperCase()}` }));
