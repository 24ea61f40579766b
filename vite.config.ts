// Bundles the window (renderer/) into dist/renderer for both shells: the browser host serves that folder, Electron opens
// it. No script or style stands inline in the page, so the page runs under a strict content security policy.

import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const root = fileURLToPath(new URL('./renderer/', import.meta.url));

export default defineConfig(({ mode }) => ({
  root,
  base: './',
  plugins: [tailwindcss(), svelte({ configFile: false, compilerOptions: { runes: true } })],
  define: { __NESTBOX_FAKE__: JSON.stringify(mode === 'fake') },
  build: {
    outDir: fileURLToPath(new URL(mode === 'fake' ? './dist/renderer-fake/' : './dist/renderer/', import.meta.url)),
    emptyOutDir: true,
    target: 'es2024',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    // What the first page needs is one file, not one for every set of later pages that shares something with it.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'app', tags: ['$initial'] }] } } },
    reportCompressedSize: false,
  },
}));
