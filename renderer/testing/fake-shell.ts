// A whole manager inside the page, to develop and look at pages without a host. Development builds only; what it answers is
// as the protocol says, nothing is kept.

import type { HostInfo } from '../../core/protocol/host-info.ts';
import type { FieldProblem, MediumInspection, NewVmSpec, VmDetail, VmPowerState, VmSummary } from '../../core/protocol/library.ts';
import type { AppSettings, ManagerApi } from '../../core/protocol/manager-api.ts';
import type { ConsoleConnection, ConsoleListener, ManagerConnection, ManagerListener, Shell, UploadOptions, VmView } from '../api/shell.ts';
import { FakeConsole } from './fake-console.ts';
import { fakeSnapshots, fakeVms } from './fake-data.ts';

const GIB = 1024 ** 3;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class FakeShell implements Shell {
  readonly kind = 'fake';
  private readonly vms: Map<string, VmDetail>;
  private settings: AppSettings;
  private listener: ManagerListener | undefined;
  private nextId = 1000;

  constructor(query: URLSearchParams) {
    this.vms = new Map(fakeVms(Number(query.get('vms') ?? '8')).map((vm) => [vm.id, vm]));
    this.settings = {
      language: (query.get('language') ?? 'auto') as AppSettings['language'], theme: (query.get('theme') ?? 'auto') as AppSettings['theme'], closeAction: 'ask', libraryView: (query.get('view') ?? 'grid') as AppSettings['libraryView'], librarySort: 'name',
    };
  }

  async connect(listener: ManagerListener): Promise<ManagerConnection> {
    this.listener = listener;
    const timer = setInterval(() => {
      for (const vm of this.vms.values()) {
        if (vm.state !== 'running') continue;
        const wave = 0.5 + 0.4 * Math.sin(Date.now() / 4000);
        listener.events.vmMetrics(vm.id, { atMs: Date.now(), cpuShare: wave, mips: 220 * wave, memoryMib: vm.memoryMib * 0.7, diskReadBytesPerS: 4e6 * wave, diskWrittenBytesPerS: 9e5 * (1 - wave), netReceivedBytesPerS: 2e5 * wave, netSentBytesPerS: 4e4, compiledShare: 0.9 });
      }
    }, 1000);
    return { api: this.api, close: () => clearInterval(timer) };
  }
  async openConsole(_vmId: string, listener: ConsoleListener): Promise<ConsoleConnection> {
    const api = new FakeConsole(listener.events);
    return { api, close: () => api.dispose() };
  }
  async adoptFile(file: File, options: UploadOptions): Promise<string> {
    for (let part = 1; part <= 5; part++) {
      options.progress((file.size * part) / 5, file.size);
      await wait(80);
    }
    return `file:${file.name}:${file.size}`;
  }
  openVmWindow(vmId: string, view: VmView): void {
    location.hash = `#/vm/${vmId}${view === 'serial' ? '/serial' : ''}`;
  }
  closeWindow(): void {
    location.hash = '#/machines';
  }
  async saveFile(): Promise<boolean> {
    return true;
  }
  readClipboard(): Promise<string> {
    return navigator.clipboard.readText();
  }
  writeClipboard(text: string): Promise<void> {
    return navigator.clipboard.writeText(text);
  }

  private put(vm: VmDetail): void {
    this.vms.set(vm.id, vm);
    this.listener?.events.vmChanged(vm);
  }
  private state(id: string, state: VmPowerState): void {
    const vm = this.vms.get(id);
    if (vm !== undefined) this.put({ ...vm, state, changedMs: Date.now(), ...(state === 'running' ? { startedMs: Date.now(), engine: 'software' as const } : {}) });
  }
  private get(id: string): VmDetail {
    const vm = this.vms.get(id);
    if (vm === undefined) throw Object.assign(new Error('gone'), { kind: 'not-found', context: { code: 'vm-unknown' } });
    return vm;
  }
  private problems(name: string | undefined, memoryMib: number | undefined, self?: string): FieldProblem[] {
    const problem = (field: string, code: string, params: FieldProblem['params'] = {}, severity: FieldProblem['severity'] = 'error'): FieldProblem => ({ field, severity, code, text: code, params });
    return [
      ...(name === '' ? [problem('name', 'name-empty')] : []),
      ...(name !== undefined && /["\\/<>|:*?`]/.test(name) ? [problem('name', 'name-characters', { characters: '/ "' })] : []),
      ...(name !== undefined && [...this.vms.values()].some((vm) => vm.name === name && vm.id !== self) ? [problem('name', 'name-taken', { name })] : []),
      ...(memoryMib !== undefined && memoryMib > 16384 ? [problem('memoryMib', 'memory-beyond-host', { host: 16384 })] : []),
      ...(memoryMib !== undefined && memoryMib > 3000 && memoryMib <= 16384 ? [problem('memoryMib', 'memory-beyond-free', { free: 2900 }, 'warning')] : []),
    ];
  }
  private create(spec: NewVmSpec): VmDetail {
    const base = fakeVms(1)[0] as VmDetail;
    const vm: VmDetail = { ...base, id: `vm-${this.nextId++}`, name: spec.name, osId: spec.osId, hardware: spec.hardware, memoryMib: spec.hardware.memoryMib ?? 256, groupPath: spec.groupPath ?? '', tags: spec.tags ?? [], notes: spec.notes ?? '', createdMs: Date.now(), changedMs: Date.now() };
    this.put(vm);
    return vm;
  }
  private inspection(file: string): MediumInspection {
    const [, fileName = 'debian-12.8.0-amd64-netinst.iso', size = '661651456'] = file.split(':');
    if (/\.txt$/.test(fileName)) {
      return { file, fileName, sizeBytes: Number(size), kind: 'unusable', formatName: 'Text', bootable: false, bootWays: [], os: { id: 'unknown', name: '' }, evidence: [], notices: [{ code: 'file-unusable', text: 'A text file cannot be started.', params: { message: 'A text file cannot be started.' } }] };
    }
    return {
      file, fileName, sizeBytes: Number(size), kind: 'iso', formatName: 'ISO 9660 + Joliet + Rock Ridge', volumeId: 'Debian 12.8.0 amd64 n', bootable: true, bootWays: ['bios', 'uefi'], os: { id: 'debian', name: 'Debian GNU/Linux', version: '12.8', architecture: 'x86_64' },
      evidence: [{ where: 'file', path: '.disk/info', text: 'Debian GNU/Linux 12.8.0 "Bookworm" - Official amd64 NETINST' }, { where: 'volume', text: 'Debian 12.8.0 amd64 n' }], notices: [],
      proposal: { name: 'Debian 12', osId: 'debian', hardware: { memoryMib: 1024, cpus: 1, mode: 'paravirt', bootOrder: ['cdrom', 'disk', 'floppy'] }, drives: [{ kind: 'cdrom', source: 'file', file }, { kind: 'disk', source: 'new', sizeBytes: 20 * GIB }] },
    };
  }

  private readonly api: ManagerApi = {
    appInfo: async () => ({ version: '0.1.0', shell: 'browser', platform: 'linux', hostLanguage: navigator.language, startNotices: [], hostMemoryMib: 16384, hostCpus: 8 }),
    hostInfo: async () => HOST,
    settings: async () => this.settings,
    changeSettings: async (change) => {
      this.settings = { ...this.settings, ...change };
      return this.settings;
    },
    cancelTask: async () => undefined,
    listVms: async () => [...this.vms.values()] as VmSummary[],
    vm: async (id) => this.get(id),
    thumbnail: async (id) => {
      const canvas = new OffscreenCanvas(320, 200);
      const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
      context.fillStyle = id === 'vm-2' ? '#0000a8' : '#000';
      context.fillRect(0, 0, 320, 200);
      context.fillStyle = '#bbb';
      context.font = '9px monospace';
      for (let row = 0; row < 14; row++) context.fillText('[    0.0421] Linux version 6.1.0-27-amd64 '.slice(0, 12 + ((row * 17) % 31)), 6, 14 + row * 13);
      return new Uint8Array(await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer());
    },
    checkNewVm: async (spec) => this.problems(spec.name, spec.hardware.memoryMib),
    createVm: async (spec) => {
      await wait(300);
      return this.create(spec);
    },
    checkVmChange: async (id, change) => this.problems(change.name, change.hardware?.memoryMib, id),
    changeVm: async (id, change) => {
      const before = this.get(id);
      this.put({ ...before, name: change.name ?? before.name, notes: change.notes ?? before.notes, groupPath: change.groupPath ?? before.groupPath, tags: change.tags ?? before.tags, hardware: change.hardware ?? before.hardware, memoryMib: change.hardware?.memoryMib ?? before.memoryMib, changedMs: Date.now() });
      return this.get(id);
    },
    cloneVm: async (id, { name }) => {
      await wait(600);
      const vm = { ...this.get(id), id: `vm-${this.nextId++}`, name, state: 'off' as const };
      this.put(vm);
      return vm;
    },
    deleteVm: async (id) => {
      this.vms.delete(id);
      this.listener?.events.vmRemoved(id);
    },
    recoverLibrary: async () => undefined,
    exportToDownloads: async (id) => ({ fileName: `${id}.nestbox`, folder: '/home/user/Downloads' }),
    freeName: async (wish) => {
      const taken = (name: string): boolean => [...this.vms.values()].some((vm) => vm.name === name);
      let name = wish;
      for (let number = 2; taken(name); number++) name = `${wish} ${number}`;
      return name;
    },
    startVm: async (id) => {
      this.state(id, 'starting');
      await wait(400);
      this.state(id, 'running');
    },
    pauseVm: async (id) => this.state(id, 'paused'),
    resumeVm: async (id) => this.state(id, 'running'),
    resetVm: async () => undefined,
    shutDownVm: async (id) => id !== 'vm-2',
    powerOffVm: async (id) => this.state(id, 'off'),
    saveVmState: async (id) => this.state(id, 'saved'),
    discardSavedState: async (id) => this.state(id, 'off'),
    metrics: async () => [],
    logs: async () => ({ lines: Array.from({ length: 40 }, (_, index) => ({ atMs: Date.now() - (40 - index) * 1700, level: (['info', 'debug', 'info', 'warn', 'error'] as const)[index % 5] ?? 'info', source: ['bios', 'ide', 'vga', 'machine'][index % 4] ?? '', message: `Drive ide0: read ${index * 8} sectors at ${index * 977}` })), next: 40 }),
    inspectFile: async (file) => {
      await wait(250);
      return this.inspection(file);
    },
    firmwares: async () => [],
    browseFolder: async (folder) => ({
      path: folder === undefined ? '/home/anna' : '/home/anna/Downloads', ...(folder === undefined ? {} : { parent: 'up' }),
      entries: [{ name: 'Downloads', folder: true, handle: 'd', sizeBytes: 0, changedMs: Date.now() }, { name: 'debian-12.8.0-amd64-netinst.iso', folder: false, handle: 'file:debian-12.8.0-amd64-netinst.iso:661651456', sizeBytes: 661651456, changedMs: Date.now() - 86400000 }, { name: 'notes.txt', folder: false, handle: 'file:notes.txt:1', sizeBytes: 1, changedMs: Date.now() }],
    }),
    listMedia: async () => [...this.vms.values()].flatMap((vm) => vm.drives.flatMap((drive) => (drive.medium === undefined ? [] : [drive.medium]))),
    findMissingMedia: async () => [],
    relocateMedium: async () => Promise.reject(new Error('not in the fake')),
    removeMedium: async () => undefined,
    importDisk: async () => Promise.reject(new Error('not in the fake')),
    insertMedium: async () => undefined,
    ejectMedium: async () => undefined,
    snapshots: async (id) => fakeSnapshots(id),
    snapshotThumbnail: async () => undefined,
    takeSnapshot: async () => Promise.reject(Object.assign(new Error('full'), { kind: 'no-space', context: {} })),
    changeSnapshot: async () => fakeSnapshots('vm-1')[0] as never,
    restoreSnapshot: async () => wait(500),
    deleteSnapshot: async () => undefined,
    forkVm: async (id) => this.get(id),
    diffSnapshots: async () => ({ disks: [{ slot: 'ide0', changedBytes: 42_000_000, extents: [{ offset: 0, length: 65536 }], truncated: false }], memory: { changedPages: 1200, totalPages: 65536, ranges: [], truncated: false }, devices: [{ device: 'pit-8254', field: 'counter0', before: '11932', after: '65536' }], registers: [{ cpu: 0, register: 'rip', before: '0xffffffff81000000', after: '0xffffffff81000421' }] }),
  };
}

const HOST: HostInfo = {
  system: { platform: 'linux', architecture: 'x64', release: '6.12.9', memoryMib: 16384, virtualMachine: false },
  processor: { model: 'AMD Ryzen 7 7840U', vendor: 'AuthenticAMD', logicalProcessors: 16, virtualization: 'svm' },
  kvm: { status: 'no-permission', device: '/dev/kvm', permissions: 'root:kvm 0660', modules: ['kvm_amd'], nested: true, capabilities: [{ name: 'irqchip', present: true, value: 1, use: '' }], modes: [{ name: 'long', title: 'Long mode', works: true, interpreted: false, mips: 4000 }] },
  engine: { auto: 'software', reason: 'no permission' },
  advice: [{ id: 'kvm-permission', severity: 'warning', problem: 'You may not open /dev/kvm.', action: 'Join the group kvm.', command: 'sudo usermod -aG kvm anna' }],
};
