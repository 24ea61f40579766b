// A whole PC: board, software CPU, firmware and media, with power, reset, input, screen and state.

import { Emitter, type Event } from '../base/emitter.ts';
import { NestboxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { TimerQueue } from '../base/timer-queue.ts';
import type { RunExit, Vcpu } from '../cpu/contract.ts';
import type { KvmSmp } from '../cpu/kvm/kvm-smp.ts';
import type { Frame, Rect } from '../display/frame-source.ts';
import { pcMemoryMap } from '../firmware/loaders/memory-map.ts';
import { guidBytes } from '../devices/platform/vm-generation-id.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import { layOutMemory } from '../memory/layout.ts';
import { PhysicalMemory } from '../memory/physical-memory.ts';
import type { VmConfig } from '../protocol/vm-config.ts';
import type { HandOverSpec, HandedOver, RestoreSpec, TakeStateSpec, TakenState, TextScreenMessage, VmExit, VmState, VmStats } from '../protocol/vm-messages.ts';
import { boardToProcessors, debugLines, ferrLine, processorLines } from './board-lines.ts';
import { DirectBoot, type DirectBootFiles, readDirectBootFiles } from './direct-boot.ts';
import { DiskMerger } from './disk-merger.ts';
import { attachDisks } from './disks.ts';
import type { BuiltInFirmware } from './built-in-firmware.ts';
import { type EngineChoice, chooseEngine, createVcpu, prepareEngine, startProcessors } from './engine.ts';
import { guestFault, tellIfHaltedForGood } from './fault-text.ts';
import { type ExternalFirmware, readFirmware } from './firmware-setup.ts';
import { monotonicMs, newUuid, peakRssMib, processUsage, randomSeed, traceFile, wallClockMs } from './host-services.ts';
import { IoQueue } from './io-queue.ts';
import type { Machine, MachineState, MachineView, StateWatcher } from './machine.ts';
import { setUpFirmware } from './machine-firmware.ts';
import { MachineInput } from './machine-input.ts';
import { MachineLife } from './machine-life.ts';
import { hashState, loadMachineState, saveMachineState } from './machine-state.ts';
import { MachineStates } from './machine-states.ts';
import { MediaTrouble } from './media-trouble.ts';
import { MediaSet } from './media-set.ts';
import { PcBoard } from './pc-board.ts';
import { fillCmos } from './pc-cmos.ts';
import { MachineRandom } from './random.ts';
import { RemovableDrives } from './removable-drives.ts';
import { ResetLine } from './reset-line.ts';
import { RunLoop } from './run-loop.ts';
import { SerialOutput } from './serial-output.ts';
import { TscClock } from './tsc-clock.ts';
import { HostTime, InstructionTime, type TimeSource } from './virtual-clock.ts';

const MIB = 1 << 20;
const VRAM_BYTES = 16 * MIB;
const BUILT_IN_ROM_BYTES = 128 * 1024;
/** Power-on date with the instruction clock, so that runs repeat: 2026-01-01 00:00 UTC. */
const FIXED_EPOCH_MS = Date.UTC(2026, 0, 1);
const NOT_APPLICABLE_PORT = 1;

export async function createPcMachine(config: VmConfig, log: Logger): Promise<Machine> {
  const engine = await chooseEngine(config, log);
  let media: MediaSet | undefined;
  try {
    const prepared = prepareEngine(engine);
    const external = config.firmware === 'bios' ? undefined : await readFirmware(config.firmware);
    const kernel = config.directBoot === undefined ? undefined : await readDirectBootFiles(config.directBoot);
    media = await MediaSet.open(config.media, log);
    await prepared;
    return await PcMachine.create(config, log, media, external, kernel, engine);
  } catch (error) {
    if (engine.kind === 'kvm') engine.device.dispose();
    await media?.close();
    throw error;
  }
}

class PcMachine implements Machine {
  private readonly config: VmConfig;
  private readonly log: Logger;
  private readonly trouble: MediaTrouble;
  private readonly media: MediaSet;
  private readonly kernel: DirectBoot | undefined;
  private readonly memory: PhysicalMemory;
  private readonly timers: TimerQueue;
  private readonly time: TimeSource;
  private readonly engine: EngineChoice;
  private readonly tsc: TscClock;
  private readonly io: IoQueue;
  private readonly random: MachineRandom;
  private readonly board: PcBoard;
  private readonly drives: RemovableDrives;
  private readonly vcpu: Vcpu;
  /** Devices drive their outputs while they are made, before there is a CPU. */
  private cpuIfMade: Vcpu | undefined;
  private readonly loop: RunLoop;
  private readonly input: MachineInput;
  private readonly life: MachineLife;
  private readonly resets: ResetLine;
  private readonly states: MachineStates;
  readonly disks: DiskMerger;
  private readonly serial: SerialOutput;
  private readonly firmware: BuiltInFirmware | undefined;
  private readonly trace: { write(line: string): void; close(): void } | undefined;
  private readonly uuid: Uint8Array;
  private readonly startedMs = monotonicMs();

  private readonly serialEmitter = new Emitter<Uint8Array>();
  readonly onStateChanged: Event<VmState>;
  readonly onExit: Event<VmExit>;
  readonly onSerialOutput = this.serialEmitter.event;
  readonly onDiskFull: Event<string | undefined>;

  static async create(config: VmConfig, log: Logger, media: MediaSet, external: ExternalFirmware | undefined, kernel: DirectBootFiles | undefined, engine: EngineChoice): Promise<PcMachine> {
    const layout = layOutMemory({
      ramBytes: config.memoryMib * MIB,
      romBytes: external?.rom.length ?? BUILT_IN_ROM_BYTES,
      vramBytes: VRAM_BYTES,
      // Several processors share one interpreter.
      vcpus: 1,
    });
    const pages = layout.totalBytes / 65536;
    let wasm: WebAssembly.Memory;
    try {
      wasm = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
    } catch (cause) {
      throw new NestboxError('usage', `This host cannot give ${config.memoryMib} MiB of guest memory`, { op: 'make machine', cause });
    }
    const memory = new PhysicalMemory(wasm.buffer as SharedArrayBuffer, layout);
    const smp = await startProcessors(engine, config, memory);
    let machine: PcMachine;
    try {
      machine = new PcMachine(config, log, media, external, kernel, memory, wasm, engine, smp);
    } catch (error) {
      await smp?.close();
      throw error;
    }
    machine.powerOn();
    return machine;
  }

  private constructor(
    config: VmConfig,
    log: Logger,
    media: MediaSet,
    external: ExternalFirmware | undefined,
    kernel: DirectBootFiles | undefined,
    memory: PhysicalMemory,
    wasm: WebAssembly.Memory,
    engine: EngineChoice,
    smp: KvmSmp | undefined,
  ) {
    this.engine = engine;
    this.config = config;
    this.log = log;
    this.media = media;
    this.disks = new DiskMerger((slot) => media.diskAt(slot), nodeHostFiles);
    this.memory = memory;
    this.kernel = kernel === undefined ? undefined : new DirectBoot({ memory, files: kernel, vcpu: () => this.vcpu, beforeEntry: () => this.board.pm.enableAcpi() });
    const deterministic = config.clock === 'instructions';
    this.time = deterministic ? new InstructionTime(() => this.cpuIfMade?.instructionCount() ?? 0) : new HostTime(monotonicMs, engine.kind === 'software' ? () => this.timers.nextDeadlineNs() : undefined);
    this.timers = new TimerQueue(() => this.time.nowNs());
    this.tsc = new TscClock(this.timers, engine.tscHz);
    this.io = new IoQueue({ nowNs: () => this.time.nowNs(), deterministic, wake: () => this.loop.wake() });
    this.random = new MachineRandom(config.seed ?? (deterministic ? 1 : randomSeed()));
    this.uuid = newUuid(deterministic ? this.random : undefined);
    this.serial = new SerialOutput((bytes) => this.serialEmitter.fire(bytes));
    this.life = new MachineLife({ loop: () => this.loop, flushOutput: () => this.serial.flush(), log });
    this.onStateChanged = this.life.onStateChanged;
    this.onExit = this.life.onExit;
    this.board = new PcBoard({
      memory,
      timers: this.timers,
      io: this.io,
      log,
      epochMsAtPowerOn: config.rtcEpochMs ?? (deterministic ? FIXED_EPOCH_MS : wallClockMs()),
      tscToNs: (tsc) => this.tsc.toNs(tsc),
      paravirtualCounter: config.personality === 'kvm' ? this.tsc : undefined,
      floppyDrives: media.floppies.length,
      vgaRom: external?.vgaRom,
      debugExit: config.debugExit,
      generation: generationOf(config, this.uuid),
      registers: { get: (index) => this.vcpu.getRegister32(index), set: (index, value) => this.vcpu.setRegister32(index, value) },
      processors: config.cpus,
      ...boardToProcessors(() => this.cpuIfMade),
      requestReset: () => this.resets.request(),
      powerOff: () => this.life.finish({ reason: 'power-off' }),
      exitWith: (value) => this.life.finish({ reason: 'debug-exit', status: ((value << 1) | 1) & 0xff }),
      panicked: () => log.log('warn', 'The guest reported that it crashed (pvpanic)'),
      serialOutput: (port, byte) => {
        if (port !== NOT_APPLICABLE_PORT) this.serial.push(byte);
      },
      debugOutput: debugLines(log),
    });
    this.tsc.onChanged = (jumped) => this.board.kvmClock?.counterChanged(jumped);
    this.trouble = new MediaTrouble({ media, io: this.io, life: this.life, log, start: () => this.start() });
    this.onDiskFull = this.trouble.onDiskFull;
    this.drives = new RemovableDrives(media, attachDisks({ board: this.board, memory, media, clock: this.timers, io: this.io, log }));
    this.vcpu = this.cpuIfMade = createVcpu(engine, {
      index: 0,
      wasm,
      memory,
      config,
      log,
      readNs: () => this.time.nowNs(),
      ...processorLines(this.board),
      controllers: this.board.controllers,
      smp,
      changePending: () => this.resets.isWanted || this.kernel?.isWanted === true,
      wanted: () => {
        this.loop.forgetHalt();
        this.loop.wake();
      },
      clock: { readTsc: () => this.tsc.now(), counterIs: (ticks, atNs, jumped) => this.tsc.set(ticks, atNs, jumped) },
      random32: () => this.random.next32(),
      onFerr: ferrLine(this.board),
    });
    memory.addListener({
      mapChanged: () => this.vcpu.memoryMapChanged(),
      written: (address, length) => this.vcpu.memoryWritten(address, length),
      dirtyCleared: () => this.vcpu.memoryMapChanged(),
      collectDirty: () => this.vcpu.collectDirty?.(),
      watchRam: () => this.vcpu.watchRam?.(),
    });
    this.trace = config.tracePath === undefined ? undefined : traceFile(config.tracePath);
    this.loop = new RunLoop({
      vcpu: this.vcpu,
      timers: this.timers,
      time: this.time,
      io: this.io,
      readHostMs: monotonicMs,
      interruptPending: () => config.cpus === 1 && this.board.controllers.hasInterrupt(),
      onExit: (exit) => this.handleExit(exit),
      onLongHalt: () => tellIfHaltedForGood(this.vcpu, log),
      beforeSlice: () => this.beforeSlice(),
      beforeInstruction: this.trace === undefined ? undefined : () => this.trace?.write(this.vcpu.describeNext()),
    });
    this.input = new MachineInput(this.board, this.timers, () => this.loop.wake());
    this.firmware = setUpFirmware({ config, board: this.board, memory, media, io: this.io, clock: this.timers, log, uuid: this.uuid, vcpu: () => this.vcpu, kernel: this.kernel, external });
    this.resets = new ResetLine({ board: this.board, vcpu: this.vcpu, restoreRom: () => this.firmware?.restoreRom() });
    this.states = new MachineStates({
      memory,
      vcpu: this.vcpu,
      board: this.board,
      media,
      life: this.life,
      log,
      parts: () => this.stateParts(),
      settle: () => this.beforeSlice(),
      processorChanged: () => this.loop.forgetHalt(),
      deterministic,
      generation: () => generationOf(config, newUuid(undefined)),
    });
  }

  /** Brings everything to its power-on state. */
  private powerOn(): void {
    // A kernel that cannot be started is found before anything runs; it is placed again when the BIOS is done.
    const { lowRamBytes, highRamBytes } = this.memory;
    this.kernel?.place(this.firmware ?? { memoryMap: pcMemoryMap({ lowRamBytes, highRamBytes }) });
    this.board.reset('power');
    fillCmos((index, value) => this.board.rtc.setCmos(index, value), {
      lowRamBytes,
      highRamBytes,
      floppies: this.media.floppies.map((drive) => drive.medium),
      floppyCount: this.media.floppies.length,
      cpus: this.config.cpus,
      bootChoices: this.config.bootOrder.map((kind) => ({ floppy: 1, disk: 2, cdrom: 3, network: 4 })[kind]),
    });
    this.firmware?.restoreRom();
    this.vcpu.reset();
  }

  private beforeSlice(): void {
    this.board.kvmClock?.refresh();
    if (this.resets.performIfWanted()) this.loop.forgetHalt();
    if (this.kernel?.performIfWanted() === true) this.loop.forgetHalt();
  }

  // --- power -----------------------------------------------------------------------------------------------------

  get state(): VmState {
    return this.life.state;
  }

  start(): void {
    this.trouble.forgetPause();
    this.io.unblock();
    this.life.start();
    this.media.space.retryLoudly();
  }

  async pause(): Promise<void> {
    this.trouble.forgetPause();
    await this.life.pause();
  }

  reset(): void {
    this.resets.request();
    this.loop.wake();
  }

  powerButton(): boolean {
    const handled = this.board.pm.handlesPowerButton;
    this.board.pm.pressPowerButton();
    this.loop.wake();
    return handled;
  }

  async powerOff(): Promise<void> {
    await this.loop.stop();
    this.life.finish({ reason: 'host' });
  }

  private handleExit(exit: RunExit): boolean {
    if (exit === 'reset' || (exit === 'shutdown' && this.resets.isIntended())) {
      this.resets.request();
      return true;
    }
    if (exit !== 'shutdown' && exit !== 'fault') return true;
    this.life.finish(guestFault(this.vcpu.faultReport()));
    return false;
  }

  // --- input and output ------------------------------------------------------------------------------------------

  key(code: string, down: boolean): void {
    this.input.key(code, down);
  }

  async keyCombination(combination: string): Promise<void> {
    await this.input.keyCombination(combination);
  }

  async typeText(text: string): Promise<void> {
    await this.input.typeText(text);
  }

  mouse(dx: number, dy: number, dz: number, buttons: number): void {
    this.input.mouse(dx, dy, dz, buttons);
  }

  pointer(x: number, y: number, dz: number, buttons: number): void {
    this.input.pointer(x, y, dz, buttons);
  }

  get takesPositions(): boolean {
    return this.board.pointer.takesPositions;
  }

  serialInput(bytes: Uint8Array): void {
    this.input.serial(bytes);
  }

  textScreen(): TextScreenMessage | undefined {
    return this.board.vga.adapter.textScreen();
  }

  get keyboardLeds(): { readonly numLock: boolean; readonly capsLock: boolean; readonly scrollLock: boolean } {
    const lights = this.board.keyboard.keyboard.lights;
    return { scrollLock: (lights & 1) !== 0, numLock: (lights & 2) !== 0, capsLock: (lights & 4) !== 0 };
  }

  refresh(): { readonly frame: Frame; readonly damage: readonly Rect[] } {
    return this.board.vga.adapter.refresh();
  }

  async insertMedium(kind: 'floppy' | 'cdrom', index: number, path: string): Promise<void> {
    await this.drives.insert(kind, index, path);
  }

  async ejectMedium(kind: 'floppy' | 'cdrom', index: number): Promise<void> {
    await this.drives.eject(kind, index);
  }

  // --- state -----------------------------------------------------------------------------------------------------

  stats(): VmStats {
    const engine = this.vcpu.stats();
    const guestMs = this.loop.guestMs;
    return {
      engine: this.engine.kind,
      engineReason: this.engine.reason,
      instructions: engine.instructions,
      wallMs: monotonicMs() - this.startedMs,
      guestMs,
      mips: guestMs > 0 ? engine.instructions / guestMs / 1000 : 0,
      exits: engine.exits,
      ...(engine.processors === undefined ? {} : { processors: engine.processors }),
      jit: engine.jit,
      peakRssMib: peakRssMib(),
      diskReadBytes: this.media.readBytes,
      diskWrittenBytes: this.media.writtenBytes,
      diskReads: this.media.reads,
      diskWrites: this.media.writes,
      netPackets: 0,
      netReceivedBytes: 0,
      netSentBytes: 0,
      ...processUsage(),
    };
  }

  private stateParts(): Parameters<typeof saveMachineState>[0] {
    return {
      config: this.config,
      memory: this.memory,
      time: this.time,
      tsc: this.tsc,
      random: this.random,
      vcpu: this.vcpu,
      devices: this.board.devicesToLoad,
      io: this.io,
    };
  }

  async stateHash(): Promise<string> {
    return this.life.whilePaused(async () => hashState(await saveMachineState(this.stateParts())));
  }

  async save(): Promise<MachineState> {
    return this.life.whilePaused(() => saveMachineState(this.stateParts()));
  }

  async load(state: MachineState): Promise<void> {
    await this.life.whilePaused(() => loadMachineState(this.stateParts(), state));
    this.loop.forgetHalt();
  }

  restore(spec: RestoreSpec): Promise<void> {
    return this.states.restore(spec);
  }

  takeState(spec: TakeStateSpec, watcher: StateWatcher): Promise<TakenState> {
    return this.states.take(spec, watcher);
  }

  cancelTakeState(): void {
    this.states.cancelTake();
  }

  handOver(spec: HandOverSpec): Promise<HandedOver> {
    return this.states.handOver(spec);
  }

  handedOver(): Promise<void> {
    return this.states.handedOver();
  }

  memoryLoaded(): Promise<void> {
    return this.states.memoryLoaded();
  }

  async runUntil(instructions: number): Promise<void> {
    if (this.config.clock !== 'instructions') throw new NestboxError('usage', 'Running to an instruction count needs --clock instructions', { op: 'run' });
    await this.life.runUntil(instructions);
  }

  inspect(): MachineView {
    return { cpu: this.vcpu.getState(), ram: this.memory.ram, next: this.vcpu.describeNext() };
  }

  async dispose(): Promise<void> {
    await this.loop.stop();
    await this.states.dispose();
    this.media.space.close();
    this.io.unblock();
    await this.io.drain();
    this.input.dispose();
    this.board.dispose();
    this.vcpu.dispose();
    await this.media.close();
    this.trace?.close();
  }
}

/** The VM generation id as it lies in memory: the registry's, else one of this run. @param own 16 bytes */
function generationOf(config: VmConfig, own: Uint8Array): Uint8Array {
  // Not the machine's UUID itself: guests show that one to anybody.
  return config.generationId === undefined ? own.map((byte) => byte ^ 0xff) : guidBytes(config.generationId);
}
