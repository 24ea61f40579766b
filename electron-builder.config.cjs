// Packages the desktop app: AppImage and deb for Linux, dmg for macOS, nsis for Windows. Only the bundle, the window's
// files and the two native packages go in. `NESTBOX_ELECTRON_DIST` names a folder with an unpacked Electron to be used
// instead of a download.

const MEDIA = [
  { ext: 'iso', name: 'Disc image', mimeType: 'application/x-cd-image' },
  { ext: 'qcow2', name: 'qcow2 disk image', mimeType: 'application/x-qemu-disk' },
  { ext: 'img', name: 'Disk image', mimeType: 'application/x-raw-disk-image' },
  { ext: 'ova', name: 'Virtual appliance', mimeType: 'application/x-virtualbox-ova' },
  { ext: 'nestbox', name: 'Nestbox machine', mimeType: 'application/x-nestbox' },
].map((entry) => ({ ...entry, role: 'Viewer' }));

/** @type {import('electron-builder').Configuration} */
module.exports = {
  appId: 'org.nestbox.Nestbox',
  productName: 'Nestbox',
  copyright: 'Apache-2.0',
  electronVersion: require('./package.json').devDependencies.electron,
  ...(process.env.NESTBOX_ELECTRON_DIST === undefined ? {} : { electronDist: process.env.NESTBOX_ELECTRON_DIST }),
  directories: { output: 'dist/packages', buildResources: 'electron/icons' },
  extraMetadata: { main: 'dist/app/electron/main/main.js' },
  files: [
    'package.json',
    'LICENSE',
    'dist/app/**',
    'dist/renderer/**',
    '!**/*.map',
    // The platform packages of Node are for developers; Electron brings its own.
    '!node_modules/node-*/**',
    '!node_modules/better-sqlite3/{deps,src}/**',
    '!node_modules/koffi/{doc,src,vendor}/**',
    // Of the binaries for all platforms, only the target's.
    '!node_modules/better-sqlite3/prebuilds/*',
    'node_modules/better-sqlite3/prebuilds/${platform}-${arch}.node',
    '!**/*.d.ts',
  ],
  asar: true,
  asarUnpack: ['**/*.node'],
  // Both native packages ship binaries for every platform by Node-API: nothing is compiled.
  npmRebuild: false,
  nodeGypRebuild: false,
  fileAssociations: MEDIA,
  // The JIT needs wasmTrapHandlers, which stays at its default (on).
  electronFuses: {
    runAsNode: false,
    enableCookieEncryption: true,
    enableNodeOptionsEnvironmentVariable: false,
    enableNodeCliInspectArguments: false,
    enableEmbeddedAsarIntegrityValidation: true,
    onlyLoadAppFromAsar: true,
    grantFileProtocolExtraPrivileges: false,
  },
  linux: {
    target: ['AppImage', 'deb'],
    category: 'System',
    icon: 'electron/icons/icon.png',
    synopsis: 'Runs PC operating systems in windows',
    maintainer: 'The Nestbox developers',
  },
  deb: { recommends: ['ovmf'] },
  mac: {
    target: ['dmg'],
    category: 'public.app-category.developer-tools',
    icon: 'electron/icons/icon.png',
    hardenedRuntime: true,
    entitlements: 'electron/entitlements.mac.plist',
    entitlementsInherit: 'electron/entitlements.mac.plist',
  },
  win: { target: ['nsis'], icon: 'electron/icons/icon.png' },
  // File associations need an installation for all users.
  nsis: { oneClick: false, perMachine: true, allowToChangeInstallationDirectory: true, deleteAppDataOnUninstall: false },
  publish: null,
};
