// Other people's work that ships inside Nestbox, with its licences (test/repo checks them against the packages).

export const NOTICES = {
  own: 'Apache-2.0',
  parts: [
    { name: 'AssemblyScript', package: 'assemblyscript', licence: 'Apache-2.0' },
    { name: 'better-sqlite3', package: 'better-sqlite3', licence: 'MIT' },
    { name: 'birpc', package: 'birpc', licence: 'MIT' },
    { name: 'Bits UI', package: 'bits-ui', licence: 'MIT' },
    { name: 'commander', package: 'commander', licence: 'MIT' },
    { name: 'i18next', package: 'i18next', licence: 'MIT' },
    { name: 'Inter', package: '@fontsource-variable/inter', licence: 'OFL-1.1' },
    { name: 'JetBrains Mono', package: '@fontsource-variable/jetbrains-mono', licence: 'OFL-1.1' },
    { name: 'Koffi', package: 'koffi', licence: 'MIT' },
    { name: 'Lucide', package: '@lucide/svelte', licence: 'ISC' },
    { name: 'Svelte', package: 'svelte', licence: 'MIT' },
    { name: 'Tailwind CSS', package: 'tailwindcss', licence: 'MIT' },
    { name: 'uPlot', package: 'uplot', licence: 'MIT' },
    { name: 'ws', package: 'ws', licence: 'MIT' },
    { name: 'xterm.js', package: '@xterm/xterm', licence: 'MIT' },
    { name: 'zod', package: 'zod', licence: 'MIT' },
  ],
} as const;
