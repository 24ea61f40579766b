// Monograms of operating systems: two letters on a colour of our own choosing; no one's logo. Ids are those of the
// manager's data file; an unknown one still gets letters and a colour from its name.

export interface OsLook {
  readonly letters: string;
  /** CSS hue of the tile; lightness is fixed so that white letters keep 4.5:1. */
  readonly hue: number;
  readonly muted: boolean;
}

const LOOKS: readonly (readonly [RegExp, string, number])[] = [
  [/^nestbox|^demo/, 'Nb', 190],
  [/^debian/, 'De', 345],
  [/ubuntu/, 'Ub', 18],
  [/mint/, 'Mi', 135],
  [/^fedora/, 'Fe', 218],
  [/^(rhel|centos|rocky|alma|oracle)/, 'El', 150],
  [/^arch|^manjaro/, 'Ar', 200],
  [/alpine/, 'Al', 206],
  [/suse/, 'Su', 120],
  [/gentoo/, 'Ge', 262],
  [/slackware/, 'Sl', 225],
  [/slitaz/, 'Sz', 30],
  [/void/, 'Vo', 150],
  [/nixos/, 'Nx', 212],
  [/kali/, 'Ka', 222],
  [/tails/, 'Ta', 275],
  [/tinycore|tiny-core/, 'Tc', 215],
  [/puppy/, 'Pu', 40],
  [/floppinux/, 'Fl', 200],
  [/systemrescue|rescue|clonezilla|gparted/, 'Rs', 160],
  [/freebsd|ghostbsd/, 'Fb', 0],
  [/openbsd/, 'Ob', 48],
  [/netbsd/, 'Ne', 26],
  [/dragonfly/, 'Df', 330],
  [/windows|^win/, 'Wi', 208],
  [/freedos|msdos|ms-dos|^dos/, 'Fd', 90],
  [/reactos/, 'Re', 205],
  [/haiku/, 'Ha', 42],
  [/kolibri/, 'Ko', 100],
  [/mikeos/, 'Mk', 300],
  [/memtest/, 'Mt', 5],
  [/grub/, 'Gr', 240],
  [/minix/, 'Mx', 285],
  [/plan9|9front/, '9f', 70],
  [/illumos|solaris|omnios|openindiana/, 'Il', 22],
  [/android/, 'An', 110],
  [/linux/, 'Lx', 45],
];

export function osLook(osId: string): OsLook {
  const id = osId.toLowerCase();
  if (id === '' || id === 'unknown') return { letters: '?', hue: 210, muted: true };
  for (const [pattern, letters, hue] of LOOKS) if (pattern.test(id)) return { letters, hue, muted: false };
  let hash = 0;
  for (const char of id) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) % 360;
  return { letters: id.slice(0, 1).toUpperCase() + id.slice(1, 2), hue: hash, muted: false };
}
