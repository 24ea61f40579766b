// 界面的全部简体中文文字；形状与 en.ts 相同（中文没有单数形式，省去 `_one`）。

import type { en } from './en.ts';
import { codesZh } from './zh-codes.ts';

type Translated<Tree> = { [Key in keyof Tree as Key extends `${string}_one` ? never : Key]: Tree[Key] extends string ? string : Translated<Tree[Key]> };

export const zhCn: Translated<typeof en> = {
  ...codesZh,
  app: { name: 'Nestbox', cannotOpen: 'Nestbox 无法打开你的库', tryAgain: '重试', restoreBackup: '恢复副本', backupAbout: '最新副本：{when}，其中虚拟机：{count} 台', noBackup: '没有可以恢复的副本。', startEmpty: '从空的库开始', reconnecting: '连接已断开，正在重试…' },
  common: {
    cancel: '取消', choose: '选择…', close: '关闭', copied: '已复制', copy: '复制', delete: '删除', dismiss: '知道了', file: '文件', messages: '消息',
    no: '否', off: '关', on: '开', save: '保存', stop: '停止', yes: '是',
  },
  nav: { main: '主导航', machines: '虚拟机', media: '磁盘与介质', host: '本机', settings: '设置', about: '关于', back: '返回全部虚拟机' },
  time: { justNow: '刚刚' },
  state: { off: '已关闭', saved: '已保存', starting: '正在启动…', running: '运行中', paused: '已暂停', saving: '正在保存…', stopping: '正在停止…', failed: '出错' },
  library: {
    all: '全部虚拟机', running: '运行中', groups: '分组', tags: '标签', search: '搜索', clearSearch: '清除搜索', sortBy: '排序', view: '视图', grid: '网格', list: '列表',
    new: '新建虚拟机', chooseFile: '选择映像…', showAll: '显示全部虚拟机',
    emptyTitle: '把 ISO 拖到这里即可开始', emptyText: '安装光盘、软盘、磁盘映像或内核：Nestbox 会查看其内容并为它建议一台虚拟机。',
    nothingTitle: '没有找到', nothingText: '没有符合搜索条件的虚拟机。',
    sort: { name: '名称', state: '状态', created: '最新创建', used: '最近使用' },
  },
  vm: {
    ariaCard: '{name}，{state}', openWindow: '打开窗口', openWindowOf: '打开“{name}”的窗口', openSerial: '串口控制台', edit: '编辑设置', clone: '克隆…', export: '导出…', delete: '删除…', more: '更多操作',
    goneTitle: '该虚拟机已不存在', goneText: '它已被删除，也许是在另一个窗口中。',
  },
  power: {
    menu: '电源', start: '启动', startName: '启动“{name}”', continue: '继续运行', discard: '丢弃已保存的状态', discardTitle: '丢弃“{name}”已保存的状态？',
    discardText: '虚拟机将像断电之后一样从磁盘启动，其中打开的内容会丢失。',
    pause: '暂停', resume: '恢复运行', saveState: '保存状态', shutDown: '关机', reset: '重置', powerOff: '强制断电',
    powerOffTitle: '强制断开“{name}”的电源？', powerOffText: '这相当于拔掉插头：其中的系统没有机会保存任何内容。',
    resetTitle: '重置“{name}”？', resetText: '这相当于按下重置按钮：其中的系统没有机会保存任何内容。',
    shutDownSent: '已请求“{name}”关机', shutDownIgnored: '“{name}”对电源按钮没有反应。请在其系统内关机，或强制断电。',
  },
  detail: { tabs: '关于此虚拟机', tab: { summary: '概要', hardware: '硬件', snapshots: '快照', media: '驱动器', activity: '活动', logs: '日志' } },
  summary: {
    system: '系统', unknownSystem: '未识别', disks: '磁盘', noDisk: '无', onDisk: '占用空间', engine: '引擎', process: '进程', runningFor: '已运行', lastStarted: '上次启动', created: '创建时间',
  },
  hardware: {
    memory: '内存', cpus: '处理器', cpuUnit: '个', engine: '引擎', processor: '处理器与内存', board: '主板', mode: '设备', firmware: '固件', bootOrder: '启动顺序', clock: '时钟', jit: '编译客户机代码',
    jitHint: '把常用的客户机代码翻译成 WebAssembly。关闭后更慢，只在查找错误时有用。', builtInBios: '内置 BIOS', firmwareHint: '内置 BIOS 几乎适合所有系统；UEFI 系统需要 OVMF。', chooseFirmware: '选择固件映像', otherFirmware: '其他映像',
  },
  engine: { auto: '自动', software: '软件', kvm: 'KVM' },
  engineHint: { auto: 'KVM 可用时使用 KVM，否则使用软件。', software: '到处可用；每条指令都由软件模拟。', kvm: '以本机速度运行，需要 Linux 和 KVM。' },
  mode: { paravirt: '标准', full: '经典 PC' },
  modeHint: { paravirt: '适合知道自己运行在虚拟机中的系统。目前的设备与经典 PC 相同。', full: '只有 IDE、PS/2 和 VGA：适合旧系统和没有驱动的 Windows。' },
  firmwareKind: { seabios: 'SeaBIOS（PC BIOS）', ovmf: 'OVMF（UEFI）' },
  clock: { host: '真实时间', instructions: '可重复' },
  clockHint: { host: '客户机看到真实时间流逝。', instructions: '时间随执行的指令前进：每次运行都相同。' },
  boot: { floppy: '软盘', cdrom: '光盘', disk: '磁盘', network: '网络' },
  form: { drives: '驱动器', system: '系统', organise: '分组、标签与备注' },
  fields: {
    name: '名称', newDisk: '磁盘', newDiskHint: '新建的文件，随内容增长。', commandLine: '内核命令行', noInitrd: '把初始内存盘与内核一起拖入即可同时使用。',
    notes: '备注', group: '分组', groupHint: '用“/”分隔层级。', tags: '标签', tagsHint: '用逗号分隔。',
  },
  driveKind: { floppy: '软盘驱动器', cdrom: '光盘驱动器', disk: '磁盘' },
  drives: {
    floppy: '软盘驱动器 {number}', cdrom: '光盘驱动器 {number}', disk: '磁盘 {number}', empty: '空', newDisk: '新磁盘', newOf: '新建，{size}', readOnly: '只读', copied: '复制到虚拟机库', copiedFrom: '从 {member} 复制',
    add: '添加驱动器', addDisk: '新磁盘', addDiskFile: '来自文件的磁盘…', addCd: '光盘驱动器', addFloppy: '软盘驱动器', change: '更改', changeOf: '更改 {name}', remove: '移除 {name}',
    choose: '选择文件…', chooseFor: '插入{drive}', fromLibrary: '来自库', makeEmpty: '留空', eject: '弹出', inserted: '已插入 {name}',
    noDriveFor: '此虚拟机没有可放入 {name} 的驱动器', noneTitle: '没有驱动器', noneText: '此虚拟机既没有磁盘，也没有放介质的驱动器。',
    pick: { floppy: '选择软盘映像', cdrom: '选择光盘映像', disk: '选择磁盘映像' },
  },
  drop: {
    title: '松开即可创建虚拟机', hint: '安装光盘（ISO）、软盘、磁盘映像、虚拟设备（OVA），或内核及其初始内存盘', insertHint: '光盘或软盘映像将放入“{name}”的驱动器',
    sending: '正在发送文件', looking: '正在查看内容', failedTitle: '{name} 无法使用', uploadFailed: '无法把 {name} 发送给 Nestbox。请确认它仍在运行。',
  },
  newVm: {
    title: '新建虚拟机', text: '选择要运行的系统；所有设置以后都能更改。', dropHint: '有安装光盘或磁盘映像？拖到此窗口，或选择它：Nestbox 会为它准备好一切。',
    system: '系统', unknownSystem: '未知系统', evidence: '如何识别', where: { volume: '卷标：{text}', publisher: '发布者：{text}', application: '制作程序：{text}', system: '系统区：{text}', 'boot-code': '引导代码：{text}', 'oem-name': '格式化程序：{text}', kernel: '内核：{text}', file: '{path}：{text}', fileThere: '文件 {path}', appliance: '设备映像，系统：{text}', disk: '磁盘 {text}' }, unusable: 'Nestbox 在此文件中没有找到 PC 能启动的内容。', create: '创建', createAndStart: '创建并启动', creating: '正在创建虚拟机', failed: '没有创建虚拟机',
  },
  presets: { linux: 'Linux（64 位）', linux32: 'Linux（32 位）', windows: 'Windows', bsd: 'BSD', dos: 'DOS', other: '其他系统' },
  edit: {
    title: '设置', saved: '已保存“{name}”的设置', failed: '设置没有保存', offOnly: '硬件和驱动器可在虚拟机关闭时更改。',
    savedOnly: '此虚拟机有已保存的状态。请先继续运行或丢弃该状态，再更改硬件。',
  },
  clone: {
    title: '克隆“{name}”', action: '克隆', nameOf: '{name} 副本', done: '已创建“{name}”', kind: '副本类型', full: '完整副本', fullHint: '独立于原虚拟机，占用同样多的空间。',
    linked: '链接副本', linkedHint: '立即完成；只保存变化，并依赖原虚拟机的磁盘。',
  },
  delete: {
    title: '删除“{name}”？', action: '删除', done: '已删除“{name}”', text: '虚拟机及其设置将被移除，此操作无法撤销。', snapshots_other: '它的 {count} 个快照也会删除。',
    disks: '它的磁盘', withDisks_other: '同时删除它的 {count} 个磁盘', frees: '{names}：释放 {size}', keepDisks: '保留磁盘', keepHint: '它们留在“磁盘与介质”中，供其他虚拟机使用。',
  },
  exportVm: { title: '导出“{name}”', action: '导出', text: '当前的设置和磁盘将写入下载文件夹中的一个 .nestbox 文件，不含快照。把它拖到另一个 Nestbox 上，即可在那里使用这台虚拟机。', done: '{name} 已保存到 {folder}' },
  importDisk: { title: '导入磁盘映像', text: '磁盘将以 qcow2 格式复制到库中，原文件保持不变。', action: '导入', file: '磁盘映像', none: '未选择文件', done: '已导入 {name}' },
  browse: { up: '上级文件夹', upload: '从此处发送…', empty: '此文件夹为空。', noneFit: '此文件夹中没有合适的文件。', all: '显示所有文件' },
  media: {
    total_other: '{count} 个介质，在本机占用 {size}', kind: { disk: '磁盘', cdrom: '光盘', floppy: '软盘' }, onDisk: '占用 {size}', unused: '未使用', usedBy: '由 {names} 使用',
    missing: '文件不见了', missingIn: '文件不在 {folder} 中', someMissing_other: '有 {count} 个文件不见了，使用它们的虚拟机无法启动。',
    findMissing: '查找不见的文件', foundAgain_other: '重新找到 {count} 个文件', foundNone: '没有找到不见的文件。请从其菜单中选择新的位置。',
    import: '导入磁盘…', actions: '{name} 的操作', locate: '选择新的位置…', locateTitle: '{name} 现在在哪里？', replace: '改用其他文件…', remove: '从库中移除', removeTitle: '从库中移除 {name}？',
    removeText: '文件本身保留在原处。', delete: '删除文件', deleteTitle: '删除 {name}？', deleteText: '文件将被永久删除，释放 {size}。', noneTitle: '还没有磁盘或介质', noneText: '虚拟机的磁盘和映像会显示在这里。',
  },
  snapshots: {
    take: '创建快照', takeTitle: '“{name}”的快照', takeLive: '保留此刻的内存、设备和磁盘，虚拟机继续运行。', takeOff: '保留此刻的磁盘。', taken: '已创建快照“{name}”', nameAt: '快照 {time}',
    here: '当前位置', kind: { live: '含内存', offline: '仅磁盘', saved: '已保存的状态' }, restore: '恢复', restoreTitle: '恢复“{name}”？', restoreText: '“{vm}”将回到这一时刻。', restored: '已回到“{name}”',
    keepPresent: '先保留当前状态', keepHint: '作为单独的快照，不会丢失任何内容。', keepName: '当前状态的名称', beforeRestore: '恢复之前，{time}',
    fork: '分叉', forkTitle: '从“{name}”分叉', forkText: '第二台虚拟机从这一时刻继续，拥有自己的磁盘。', forked: '已创建“{name}”', compare: '比较', edit: '重命名', editTitle: '重命名快照',
    deleteTitle: '删除快照“{name}”？', deleteText: '在它之后创建的快照保持完整。', noneTitle: '还没有快照', noneText: '快照保留虚拟机此刻的内存和磁盘，以便随时回来。',
  },
  diff: {
    title: '自“{name}”以来的变化', against: '比较对象', present: '当前状态', comparing: '正在比较', disk: '磁盘 {slot}', places_other: '{count} 处', pages: '{total} 页中的 {changed} 页',
    devices: '设备字段', registers: '寄存器', what: '字段', before: '之前', after: '之后', more_other: '另有 {count} 项',
  },
  activity: {
    cpu: '处理器', memory: '内存', disk: '磁盘', network: '网络', read: '读取', written: '写入', noCard: '无', noNetwork: '此版本的虚拟机还没有网卡，因此没有可测量的数据。', now: '现在', noneTitle: '还没有数据', noneText: '启动虚拟机后即可查看它的活动。', soon: '一秒后显示第一批数据。',
  },
  logs: {
    search: '搜索日志', level: '级别', levels: { error: '仅错误', warn: '警告', info: '消息', debug: '全部' }, short: { error: '错误', warn: '警告', info: '消息', debug: '调试' }, noneTitle: '日志为空', noneText: '虚拟机运行时报告的内容会显示在这里。',
  },
  exit: {
    powerOff: '虚拟机已自行关机', debugExit: '客户机以状态 {status} 结束运行', fault: '客户机使处理器崩溃', host: '虚拟机已断电', error: '此虚拟机的进程已终止', saved: '状态已保存',
    showReport: '显示报告', hideReport: '隐藏报告', openLog: '打开日志', hideLog: '隐藏日志', startAgain: '重新启动',
  },
  host: {
    text: '本机能为虚拟机提供什么。', auto: { kvm: '虚拟机使用 KVM 运行', software: '虚拟机使用软件处理器运行' },
    status: { ready: '硬件虚拟化已就绪。', 'no-device': '本机没有 KVM。', 'no-permission': '有 KVM，但你没有使用权限。', busy: '另一个虚拟机监控器占用了处理器的虚拟化功能。', unsupported: '本机的 KVM 不可用。', failed: '无法尝试 KVM。' },
    slowKvm: 'KVM 可用，但在本机上软件处理器是更好的选择。',
    advice: '你可以做什么', computer: '计算机', processor: '处理器', logical: '逻辑处理器', memory: '内存', system: '系统', virtualMachine: '本身是虚拟机', virtualization: '虚拟化', extension: '扩展',
    extensions: { vmx: 'Intel VT-x', svm: 'AMD-V', none: '无', unknown: '未知' }, device: '设备', modules: '模块', nested: '嵌套虚拟化', maxVcpus: '每台虚拟机最多处理器数', exit: '一次退出的时间', details: '尝试结果', detailsHint: '处理器模式与能力', works: '可用', interpreted: '可用，但较慢', fails: '不可用',
  },
  settings: {
    appearance: '外观', language: '语言', languages: { auto: '跟随本机', en: 'English', 'zh-CN': '简体中文' }, theme: '主题', themes: { auto: '跟随本机', light: '浅色', dark: '深色', contrast: '高对比度' },
    windows: '虚拟机窗口', closing: '关闭窗口时', closingHint: '窗口中的虚拟机如何处理。', keyboard: '键盘',
  },
  shortcuts: {
    search: { what: '搜索', keys: 'Ctrl+F  /' }, new: { what: '新建虚拟机', keys: 'Alt+N' }, open: { what: '显示所选虚拟机', keys: 'Enter' }, start: { what: '启动它，或打开其窗口', keys: 'Ctrl+Enter' },
    menu: { what: '它的菜单', keys: 'Shift+F10' }, edit: { what: '编辑其设置', keys: 'F2' }, delete: { what: '删除它', keys: 'Del' }, release: { what: '从虚拟机取回键盘和鼠标', keys: 'Ctrl+Alt' },
  },
  about: { what: '在窗口中运行完整的 PC。', version: '版本', shell: '运行于', shells: { electron: '桌面应用', browser: '浏览器' }, platform: '平台', licence: '许可证', parts: '包含以下作品' },
  closing: {
    title: '关闭“{name}”的窗口？', close: '关闭', ask: '每次询问', 'keep-running': '继续运行', 'save-state': '保存状态', 'shut-down': '关机', 'power-off': '强制断电',
    hint: { 'keep-running': '没有窗口也继续运行。', 'save-state': '关闭虚拟机，以后从此处继续。', 'shut-down': '按下电源按钮，由其中的系统结束工作。', 'power-off': '相当于拔掉插头。' },
    remember: '以后都这样做', rememberHint: '可在设置中更改。',
  },
  display: {
    window: '虚拟机窗口', toolbar: '虚拟机', screenOf: '“{name}”的屏幕', text: '屏幕上的文字', releaseHint: '所有按键都发送给虚拟机。按下并松开 Ctrl+Alt 即可离开。', capturedHint: '按 Ctrl+Alt 取回鼠标', capture: '捕获鼠标',
    typeTitle: '输入文字', typeText: '按美式键盘逐键输入到虚拟机。', typeField: '文字', typeAction_other: '输入 {count} 个字符', media: '驱动器', screenshot: '保存截图', screenshotSaved: '截图已保存',
    view: '视图', scaling: { auto: '自动大小', integer: '整数倍', smooth: '填满窗口', actual: '实际大小' }, copyText: '复制屏幕文字', fullScreen: '全屏', leaveFullScreen: '退出全屏', fullScreenHint: '按住 Esc 退出全屏；移到上边缘显示工具栏。',
    close: '关闭', closeWindow: '关闭窗口',
  },
  keys: { menu: '发送按键', single: '单个按键', functions: '功能键', consoles: 'Linux 控制台', sysrq: '魔术 SysRq' },
  status: {
    line: '状态', mips: '{mips} MIPS', compiled: '已编译 {share}', jit: ' · {blocks} 个代码块 · 编译 {seconds} 秒 · 代码 {size}', jitHint: '以编译方式运行的指令比例、找到的客户机代码块数、编译器在旁运行的时间、已编译代码的大小', diskLamp: '磁盘：绿色读取，橙色写入', netLamp: '网络：此虚拟机没有网卡', numLock: '数字锁定', capsLock: '大写锁定', scrollLock: '滚动锁定',
    short: { numLock: 'Num', capsLock: 'Caps', scrollLock: 'Scroll' }, captured: '鼠标已捕获，按 Ctrl+Alt 取回', keyboard: '按键发送给虚拟机，按 Ctrl+Alt 取回', absolute: '鼠标跟随', selectText: '单击输入，拖动选择文字', clickToCapture: '单击捕获鼠标',
  },
  serial: { title: '“{name}”的串口控制台', off: '虚拟机已关闭。' },
};
