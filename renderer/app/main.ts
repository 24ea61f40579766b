// Entry of the window: takes the shell that carries it and mounts the app.

import '../ui/app.css';
import { mount } from 'svelte';
import { BrowserShell } from '../api/browser-shell.ts';
import { electronShell } from '../api/electron-shell.ts';
import type { Shell } from '../api/shell.ts';
import App from './App.svelte';

async function shellOf(): Promise<Shell> {
  if (__NESTBOX_FAKE__) {
    const { FakeShell } = await import('../testing/fake-shell.ts');
    return new FakeShell(new URLSearchParams(location.search));
  }
  return electronShell() ?? new BrowserShell();
}

const target = document.getElementById('app');
if (target !== null) mount(App, { target, props: { shell: await shellOf() } });
