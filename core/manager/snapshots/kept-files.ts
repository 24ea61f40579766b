// Files of states and disk layers that a registry does not know because it is older than they are: it was brought back from a
// copy, or begun anew beside them. They are not remains of an interrupted operation, and nobody removes them.

import type { HostFiles } from '../../host/files/host-file.ts';
import type { Registry } from '../../registry/registry.ts';
import { IS_OLDER_THAN_FILES } from '../../registry/registry-backup.ts';
import type { StateStore } from '../../state-store/state-store.ts';

const SETTING = 'keptFiles';

/** Ids of states and page files, names of layers. */
export function keptFiles(registry: Registry): readonly string[] {
  const kept = registry.setting(SETTING);
  return Array.isArray(kept) ? kept.filter((name) => typeof name === 'string') : [];
}

/** Once, when a registry that is older than the library's files is used for the first time. */
export async function keepUnknownFiles(registry: Registry, store: StateStore, files: HostFiles, diskFolders: ReadonlySet<string>): Promise<void> {
  if (registry.setting(IS_OLDER_THAN_FILES) !== true) return;
  const { states, packs, handovers } = await store.ids();
  const known = new Set(registry.stateFiles());
  const unknown = [...states, ...packs, ...handovers].filter((id) => !known.has(id));
  const paths = new Set(registry.media().map(({ path }) => path.split(/[\\/]/).at(-1)));
  for (const folder of diskFolders) {
    for (const name of await files.list(folder)) if (name.startsWith('layer-') && !paths.has(name)) unknown.push(name);
  }
  registry.transaction(() => {
    registry.setSetting(SETTING, [...new Set([...keptFiles(registry), ...unknown])]);
    registry.setSetting(IS_OLDER_THAN_FILES, false);
  });
}
