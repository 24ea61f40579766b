// What the user looks for in the library; lives as long as the window, so that leaving the page loses nothing.

import type { LibraryFilter } from './library-view.ts';

class LibraryState {
  search = $state('');
  filter = $state.raw<LibraryFilter>({ kind: 'all' });
  current = $state<string | undefined>(undefined);
}

export const library = new LibraryState();
