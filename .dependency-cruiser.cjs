// The layer rules of docs: who may import whom. The build fails on any violation; there is no exemption list.

const pure = '^core/(base|protocol|memory|bus|devices|firmware)/';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    { name: 'core-knows-no-shell', severity: 'error', from: { path: '^core/' }, to: { path: '^(electron|renderer|build|test)/|node_modules/(electron|svelte)/' } },
    { name: 'renderer-sees-protocol-only', severity: 'error', from: { path: '^renderer/' }, to: { path: '^(core/(?!protocol/)|electron/|build/|test/)' } },
    { name: 'pure-layers-use-no-node', severity: 'error', from: { path: pure, pathNot: '\\.test\\.ts$' }, to: { dependencyTypes: ['core'] } },
    { name: 'devices-see-no-machine-no-cpu', severity: 'error', from: { path: '^core/devices/', pathNot: '\\.test\\.ts$' }, to: { path: '^core/(machine|cpu|vm-process|manager|registry|host|cli|net)/' } },
    { name: 'protocol-is-the-floor', severity: 'error', from: { path: '^core/protocol/' }, to: { path: '^core/(?!protocol/|base/)' } },
    { name: 'base-is-the-floor', severity: 'error', from: { path: '^core/base/' }, to: { path: '^core/(?!base/)' } },
    { name: 'bus-below-devices', severity: 'error', from: { path: '^core/bus/' }, to: { path: '^core/(?!base/|bus/)' } },
    { name: 'cpu-sees-no-devices', severity: 'error', from: { path: '^core/cpu/', pathNot: '\\.test\\.ts$' }, to: { path: '^core/(machine|devices(?!/(device|state)\\.ts)|vm-process|manager|registry|firmware|block|net)/' } },
    { name: 'software-cpu-knows-no-kvm', severity: 'error', from: { path: '^core/cpu/(interp|jit|software|isa)/' }, to: { path: '^core/cpu/kvm/' } },
    { name: 'kvm-knows-no-jit', severity: 'error', from: { path: '^core/cpu/kvm/' }, to: { path: '^core/cpu/jit/' } },
    { name: 'only-machine-names-devices', severity: 'error', from: { path: '^core/', pathNot: '^core/(machine|vm-process|devices|firmware)/|\\.test\\.ts$' }, to: { path: '^core/devices/(?!device\\.ts|state\\.ts|display/fonts/|input/)' } },
    { name: 'only-registry-opens-sqlite', severity: 'error', from: { pathNot: '^core/registry/' }, to: { path: 'node_modules/better-sqlite3/' } },
    { name: 'only-host-and-kvm-use-ffi', severity: 'error', from: { pathNot: '^core/(host|cpu/kvm)/' }, to: { path: 'node_modules/koffi/' } },
    { name: 'inspect-only-reads-files', severity: 'error', from: { path: '^core/inspect/' }, to: { path: '^core/(?!inspect/|base/|protocol/|block/(medium-kinds|floppy-sizes)\\.ts|host/files/host-file\\.ts|firmware/loaders/)' } },
    { name: 'preload-sees-protocol-only', severity: 'error', from: { path: '^electron/preload/', pathNot: '\\.test\\.ts$' }, to: { path: '^(core/(?!protocol/)|electron/(?!preload/)|renderer/)' } },
    { name: 'electron-knows-no-renderer', severity: 'error', from: { path: '^electron/' }, to: { path: '^(renderer|build|test)/' } },
    { name: 'machine-below-vm-process', severity: 'error', from: { path: '^core/machine/' }, to: { path: '^core/(vm-process|manager|registry|cli)/' } },
    { name: 'state-store-sees-files-only', severity: 'error', from: { path: '^core/state-store/', pathNot: '\\.test\\.ts$' }, to: { path: '^core/(?!base/|state-store/|host/files/)' } },
    { name: 'product-imports-no-tests', severity: 'error', from: { path: '^(core|electron|renderer)/', pathNot: '\\.test\\.ts$' }, to: { path: '^test/|\\.test\\.ts$' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^core/cpu/interp/assembly/|^dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.node.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.mjs', '.svelte'], exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
