// Every text of the window in English; the shape of this object is the type of all other catalogues. `_one` and `_other`
// are i18next's plural forms. Sentences for what the manager reports are in en-codes.ts.

import { codesEn } from './en-codes.ts';

export const en = {
  ...codesEn,
  app: { name: 'Nestbox', cannotOpen: 'Nestbox cannot open your library', tryAgain: 'Try again', restoreBackup: 'Restore the copy', backupAbout: 'Newest copy: {when}, machines in it: {count}', noBackup: 'There is no copy that could be restored.', startEmpty: 'Start with an empty library', reconnecting: 'Connection lost. Trying again…' },
  common: {
    cancel: 'Cancel', choose: 'Choose…', close: 'Close', copied: 'Copied', copy: 'Copy', delete: 'Delete', dismiss: 'Dismiss', file: 'File', messages: 'Messages',
    no: 'No', off: 'Off', on: 'On', save: 'Save', stop: 'Stop', yes: 'Yes',
  },
  nav: { main: 'Main', machines: 'Machines', media: 'Disks and media', host: 'This computer', settings: 'Settings', about: 'About', back: 'Back to all machines' },
  time: { justNow: 'just now' },
  state: { off: 'Off', saved: 'Saved', starting: 'Starting…', running: 'Running', paused: 'Paused', saving: 'Saving…', stopping: 'Stopping…', failed: 'Failed' },
  library: {
    all: 'All machines', running: 'Running', groups: 'Groups', tags: 'Tags', search: 'Search', clearSearch: 'Clear search', sortBy: 'Sort by', view: 'View', grid: 'Grid', list: 'List',
    new: 'New machine', chooseFile: 'Choose an image…', showAll: 'Show all machines',
    emptyTitle: 'Drop an ISO here to begin', emptyText: 'An installer, a floppy, a disk image or a kernel: Nestbox looks inside and proposes a machine for it.',
    nothingTitle: 'Nothing found', nothingText: 'No machine matches what you search for.',
    sort: { name: 'Name', state: 'State', created: 'Newest first', used: 'Last used' },
  },
  vm: {
    ariaCard: '{name}, {state}', openWindow: 'Open window', openWindowOf: 'Open the window of {name}', openSerial: 'Serial console', edit: 'Edit settings', clone: 'Clone…', export: 'Export…', delete: 'Delete…', more: 'More actions',
    goneTitle: 'This machine is gone', goneText: 'It was deleted, perhaps in another window.',
  },
  power: {
    menu: 'Power', start: 'Start', startName: 'Start {name}', continue: 'Continue', discard: 'Discard saved state', discardTitle: 'Discard the saved state of {name}?',
    discardText: 'The machine will start from its disks, as after a power cut. What was open in it is lost.',
    pause: 'Pause', resume: 'Resume', saveState: 'Save state', shutDown: 'Shut down', reset: 'Reset', powerOff: 'Power off',
    powerOffTitle: 'Power off {name}?', powerOffText: 'This is like pulling the plug: the system in it gets no chance to save anything.',
    resetTitle: 'Reset {name}?', resetText: 'This is like pressing the reset button: the system in it gets no chance to save anything.',
    shutDownSent: 'Asked {name} to shut down', shutDownIgnored: '{name} does not react to its power button. Shut it down from the inside, or power it off.',
  },
  detail: { tabs: 'About this machine', tab: { summary: 'Summary', hardware: 'Hardware', snapshots: 'Snapshots', media: 'Drives', activity: 'Activity', logs: 'Log' } },
  summary: {
    system: 'System', unknownSystem: 'Not recognised', disks: 'Disks', noDisk: 'None', onDisk: 'Space used here', engine: 'Engine', process: 'Process', runningFor: 'Running for', lastStarted: 'Last started', created: 'Created',
  },
  hardware: {
    memory: 'Memory', cpus: 'Processors', cpuUnit: 'CPUs', engine: 'Engine', processor: 'Processor and memory', board: 'Board', mode: 'Devices', firmware: 'Firmware', bootOrder: 'Boot order', clock: 'Clock', jit: 'Compile guest code',
    jitHint: 'Translates hot guest code to WebAssembly. Off is slower and only useful for hunting bugs.', builtInBios: 'Built-in BIOS', firmwareHint: 'The built-in BIOS suits nearly everything; UEFI systems need OVMF.', chooseFirmware: 'Choose a firmware image', otherFirmware: 'Another image',
  },
  engine: { auto: 'Automatic', software: 'Software', kvm: 'KVM' },
  engineHint: { auto: 'KVM where it works, otherwise software.', software: 'Runs anywhere; every instruction is emulated.', kvm: 'Runs at the speed of this computer. Needs Linux and KVM.' },
  mode: { paravirt: 'Standard', full: 'Classic PC' },
  modeHint: { paravirt: 'For systems that know they run in a machine. The devices are those of a classic PC so far.', full: 'IDE, PS/2 and VGA only: for old systems and for Windows without drivers.' },
  firmwareKind: { seabios: 'SeaBIOS, a PC BIOS', ovmf: 'OVMF, for UEFI' },
  clock: { host: 'Real time', instructions: 'Repeatable' },
  clockHint: { host: 'The guest sees the time of day pass.', instructions: 'Time follows executed instructions: every run is the same.' },
  boot: { floppy: 'Floppy', cdrom: 'CD', disk: 'Disk', network: 'Network' },
  form: { drives: 'Drives', system: 'System', organise: 'Group, tags and notes' },
  fields: {
    name: 'Name', newDisk: 'Disk', newDiskHint: 'A new file that grows as it is filled.', commandLine: 'Kernel command line', noInitrd: 'Drop the initial RAM disk together with the kernel to use both.',
    notes: 'Notes', group: 'Group', groupHint: 'Separate levels with “/”.', tags: 'Tags', tagsHint: 'Separate them with commas.',
  },
  driveKind: { floppy: 'Floppy drive', cdrom: 'CD drive', disk: 'Disk' },
  drives: {
    floppy: 'Floppy drive {number}', cdrom: 'CD drive {number}', disk: 'Disk {number}', empty: 'Empty', newDisk: 'New disk', newOf: 'new, {size}', readOnly: 'read-only', copied: 'copied into the library', copiedFrom: 'copied from {member}',
    add: 'Add drive', addDisk: 'New disk', addDiskFile: 'Disk from a file…', addCd: 'CD drive', addFloppy: 'Floppy drive', change: 'Change', changeOf: 'Change {name}', remove: 'Remove {name}',
    choose: 'Choose a file…', chooseFor: 'Insert into {drive}', fromLibrary: 'From the library', makeEmpty: 'Leave empty', eject: 'Eject', inserted: '{name} inserted',
    noDriveFor: 'This machine has no drive that takes {name}', noneTitle: 'No drives', noneText: 'This machine has neither disks nor drives for media.',
    pick: { floppy: 'Choose a floppy image', cdrom: 'Choose a CD image', disk: 'Choose a disk image' },
  },
  drop: {
    title: 'Drop to create a machine', hint: 'Installers (ISO), floppies, disk images, appliances (OVA), or a kernel with its initial RAM disk', insertHint: 'A CD or floppy image goes into the drive of {name}',
    sending: 'Sending the file', looking: 'Looking inside', failedTitle: '{name} cannot be used', uploadFailed: '{name} could not be sent to Nestbox. Check that it is still running.',
  },
  newVm: {
    title: 'New machine', text: 'Choose what you want to run; everything can be changed later.', dropHint: 'Have an installer or a disk? Drop it on this window, or choose it: Nestbox sets everything up for it.',
    system: 'System', unknownSystem: 'Unknown system', evidence: 'How it was recognised', where: { volume: 'Volume name: {text}', publisher: 'Publisher: {text}', application: 'Made with: {text}', system: 'System area: {text}', 'boot-code': 'Boot code: {text}', 'oem-name': 'Formatted by: {text}', kernel: 'Kernel: {text}', file: '{path}: {text}', fileThere: 'File {path}', appliance: 'Appliance for {text}', disk: 'Disk {text}' }, unusable: 'Nestbox found nothing in this file that a PC could start.', create: 'Create', createAndStart: 'Create and start', creating: 'Creating the machine', failed: 'The machine was not created',
  },
  presets: { linux: 'Linux, 64 bit', linux32: 'Linux, 32 bit', windows: 'Windows', bsd: 'BSD', dos: 'DOS', other: 'Other system' },
  edit: {
    title: 'Settings', saved: 'Settings of {name} saved', failed: 'The settings were not saved', offOnly: 'Hardware and drives can be changed while the machine is off.',
    savedOnly: 'This machine has a saved state. Continue it or discard the state before changing its hardware.',
  },
  clone: {
    title: 'Clone {name}', action: 'Clone', nameOf: '{name} copy', done: '{name} created', kind: 'Kind of copy', full: 'Full copy', fullHint: 'Independent of the original; takes as much space.',
    linked: 'Linked copy', linkedHint: 'Made at once; stores only what changes and needs the original’s disks.',
  },
  delete: {
    title: 'Delete {name}?', action: 'Delete', done: '{name} deleted', text: 'The machine and its settings are removed. This cannot be undone.', snapshots_one: 'Its snapshot goes too.', snapshots_other: 'Its {count} snapshots go too.',
    disks: 'Its disks', withDisks_one: 'Delete its disk too', withDisks_other: 'Delete its {count} disks too', frees: '{names}: frees {size}', keepDisks: 'Keep the disks', keepHint: 'They stay in “Disks and media” for other machines.',
  },
  exportVm: { title: 'Export {name}', action: 'Export', text: 'Settings and disks as they are now go into one .nestbox file among your downloads, without snapshots. Drop it on a Nestbox to have the machine there.', done: '{name} is in {folder}' },
  importDisk: { title: 'Import a disk image', text: 'The disk is copied into the library as qcow2; the original stays as it is.', action: 'Import', file: 'Disk image', none: 'No file chosen', done: '{name} imported' },
  browse: { up: 'Parent folder', upload: 'Send from here…', empty: 'This folder is empty.', noneFit: 'Nothing in this folder fits.', all: 'Show all files' },
  media: {
    total_one: '{count} medium, {size} on this computer', total_other: '{count} media, {size} on this computer', kind: { disk: 'Disks', cdrom: 'CDs', floppy: 'Floppies' }, onDisk: '{size} used', unused: 'Not used', usedBy: 'Used by {names}',
    missing: 'The file is missing', missingIn: 'The file is missing from {folder}', someMissing_one: 'A file is missing. Machines that use it cannot start.', someMissing_other: '{count} files are missing. Machines that use them cannot start.',
    findMissing: 'Look for missing files', foundAgain_one: '{count} file found again', foundAgain_other: '{count} files found again', foundNone: 'No missing file was found. Choose its new place from its menu.',
    import: 'Import a disk…', actions: 'Actions for {name}', locate: 'Choose its new place…', locateTitle: 'Where is {name} now?', replace: 'Use another file…', remove: 'Remove from the library', removeTitle: 'Remove {name} from the library?',
    removeText: 'The file itself stays where it is.', delete: 'Delete the file', deleteTitle: 'Delete {name}?', deleteText: 'The file is deleted for good and frees {size}.', noneTitle: 'No disks or media yet', noneText: 'Disks and images of your machines appear here.',
  },
  snapshots: {
    take: 'Take snapshot', takeTitle: 'Snapshot of {name}', takeLive: 'Keeps memory, devices and disks as they are now. The machine goes on running.', takeOff: 'Keeps the disks as they are now.', taken: 'Snapshot {name} taken', nameAt: 'Snapshot {time}',
    here: 'You are here', kind: { live: 'With memory', offline: 'Disks only', saved: 'Saved state' }, restore: 'Restore', restoreTitle: 'Restore {name}?', restoreText: '{vm} goes back to this point.', restored: 'Back at {name}',
    keepPresent: 'Keep the present state first', keepHint: 'As a snapshot of its own, so that nothing is lost.', keepName: 'Name for the present state', beforeRestore: 'Before going back, {time}',
    fork: 'Fork', forkTitle: 'Fork from {name}', forkText: 'A second machine goes on from this point, with disks of its own.', forked: '{name} created', compare: 'Compare', edit: 'Rename', editTitle: 'Rename snapshot',
    deleteTitle: 'Delete snapshot {name}?', deleteText: 'Snapshots that were made after it stay whole.', noneTitle: 'No snapshots yet', noneText: 'A snapshot keeps a machine as it is now, memory and disks, so that you can come back to it.',
  },
  diff: {
    title: 'What changed since {name}', against: 'Compare with', present: 'The present state', comparing: 'Comparing', disk: 'Disk {slot}', places_one: '{count} place', places_other: '{count} places', pages: '{changed} of {total} pages',
    devices: 'Device fields', registers: 'Registers', what: 'Field', before: 'Before', after: 'After', more_one: '{count} more', more_other: '{count} more',
  },
  activity: {
    cpu: 'Processor', memory: 'Memory', disk: 'Disk', network: 'Network', read: 'Read', written: 'Written', noCard: 'None', noNetwork: 'Machines have no network card in this version, so there is nothing to measure.', now: 'now', noneTitle: 'Nothing measured yet', noneText: 'Start the machine to see what it does.', soon: 'The first figures come in a second.',
  },
  logs: {
    search: 'Search the log', level: 'Level', levels: { error: 'Errors only', warn: 'Warnings', info: 'Messages', debug: 'Everything' }, short: { error: 'error', warn: 'warn', info: 'info', debug: 'debug' }, noneTitle: 'The log is empty', noneText: 'What the machine reports while it runs appears here.',
  },
  exit: {
    powerOff: 'The machine has switched itself off', debugExit: 'The guest ended the run with status {status}', fault: 'The guest crashed the processor', host: 'The machine was powered off', error: 'The process of this machine has died', saved: 'The state is saved',
    showReport: 'Show report', hideReport: 'Hide report', openLog: 'Open log', hideLog: 'Hide log', startAgain: 'Start again',
  },
  host: {
    text: 'What this computer offers to virtual machines.', auto: { kvm: 'Machines run on KVM', software: 'Machines run on the software processor' },
    status: {
      ready: 'Hardware virtualization is ready.', 'no-device': 'There is no KVM on this computer.', 'no-permission': 'KVM is there, but you may not use it.', busy: 'Another hypervisor holds the processor’s virtualization.', unsupported: 'The KVM of this computer cannot be used.', failed: 'KVM could not be tried.',
    },
    slowKvm: 'KVM is there, but the software processor is the better choice on this computer.',
    advice: 'What you can do', computer: 'Computer', processor: 'Processor', logical: 'Logical processors', memory: 'Memory', system: 'System', virtualMachine: 'Is itself a virtual machine', virtualization: 'Virtualization', extension: 'Extension',
    extensions: { vmx: 'Intel VT-x', svm: 'AMD-V', none: 'None', unknown: 'Not known' }, device: 'Device', modules: 'Modules', nested: 'Nested virtualization', maxVcpus: 'Processors per machine at most', exit: 'Time of one exit', details: 'What was tried', detailsHint: 'processor modes and capabilities', works: 'Works', interpreted: 'Works, slowly', fails: 'Does not work',
  },
  settings: {
    appearance: 'Appearance', language: 'Language', languages: { auto: 'As this computer', en: 'English', 'zh-CN': '简体中文' }, theme: 'Theme', themes: { auto: 'As this computer', light: 'Light', dark: 'Dark', contrast: 'High contrast' },
    windows: 'Windows of machines', closing: 'When a window is closed', closingHint: 'What happens to the machine in it.', keyboard: 'Keyboard',
  },
  shortcuts: {
    search: { what: 'Search', keys: 'Ctrl+F  /' }, new: { what: 'New machine', keys: 'Alt+N' }, open: { what: 'Show the selected machine', keys: 'Enter' }, start: { what: 'Start it, or open its window', keys: 'Ctrl+Enter' },
    menu: { what: 'Its menu', keys: 'Shift+F10' }, edit: { what: 'Edit its settings', keys: 'F2' }, delete: { what: 'Delete it', keys: 'Del' }, release: { what: 'Get keyboard and mouse back from a machine', keys: 'Ctrl+Alt' },
  },
  about: { what: 'Runs whole PCs in a window.', version: 'Version', shell: 'Runs in', shells: { electron: 'Desktop app', browser: 'Browser' }, platform: 'Platform', licence: 'Licence', parts: 'With the work of others' },
  closing: {
    title: 'Close the window of {name}?', close: 'Close', ask: 'Ask every time', 'keep-running': 'Keep it running', 'save-state': 'Save its state', 'shut-down': 'Shut it down', 'power-off': 'Power it off',
    hint: { 'keep-running': 'It goes on without a window.', 'save-state': 'It is switched off and goes on later exactly here.', 'shut-down': 'Presses its power button; the system in it ends its work.', 'power-off': 'Like pulling the plug.' },
    remember: 'Do this every time', rememberHint: 'Can be changed in the settings.',
  },
  display: {
    window: 'Window of a machine', toolbar: 'Machine', screenOf: 'Screen of {name}', text: 'Text on the screen', releaseHint: 'All keys go to the machine. Press and release Ctrl+Alt to leave.', capturedHint: 'Ctrl+Alt gives the mouse back', capture: 'Capture the mouse',
    typeTitle: 'Type text', typeText: 'Typed into the machine key by key, as on a US keyboard.', typeField: 'Text', typeAction_one: 'Type {count} character', typeAction_other: 'Type {count} characters', media: 'Drives', screenshot: 'Save a screenshot', screenshotSaved: 'Screenshot saved',
    view: 'View', scaling: { auto: 'Automatic size', integer: 'Whole multiples', smooth: 'Fill the window', actual: 'Actual size' }, copyText: 'Copy text of the screen', fullScreen: 'Full screen', leaveFullScreen: 'Leave full screen', fullScreenHint: 'Hold Esc to leave full screen; move to the top edge for the toolbar.',
    close: 'Close', closeWindow: 'Close window',
  },
  keys: { menu: 'Send keys', single: 'Single keys', functions: 'Function keys', consoles: 'Linux consoles', sysrq: 'Magic SysRq' },
  status: {
    line: 'Status', mips: '{mips} MIPS', compiled: '{share} compiled', jit: ' · {blocks} blocks · {seconds} s compiling · {size} of code', jitHint: 'Share of the instructions that ran compiled, blocks of guest code found, time the compiler took beside the machine, compiled code', diskLamp: 'Disk: green reads, orange writes', netLamp: 'Network: this machine has no network card', numLock: 'Num Lock', capsLock: 'Caps Lock', scrollLock: 'Scroll Lock',
    short: { numLock: 'Num', capsLock: 'Caps', scrollLock: 'Scroll' }, captured: 'Mouse captured. Ctrl+Alt gives it back', keyboard: 'Keys go to the machine. Ctrl+Alt gives them back', absolute: 'Mouse follows yours', selectText: 'Click to type, drag to select text', clickToCapture: 'Click to capture the mouse',
  },
  serial: { title: 'Serial console of {name}', off: 'The machine is off.' },
};
