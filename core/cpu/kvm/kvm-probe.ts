// Tries each processor mode on a scratch virtual machine and measures it. Takes a few tens of milliseconds; the result
// holds for the life of the process.

import { layOutMemory } from '../../memory/layout.ts';
import { PhysicalMemory } from '../../memory/physical-memory.ts';
import type { CpuState } from '../contract.ts';
import { buildCpuid } from '../isa/cpuid.ts';
import { KVM } from './ioctl.ts';
import { kvmFeatures, setCpuid } from './kvm-cpuid.ts';
import { KvmCore } from './kvm-core.ts';
import type { KvmDevice } from './kvm-device.ts';
import { KvmVm } from './kvm-vm.ts';
import { CPUID_TRIAL, LONG_TRIAL, MIDDLE_TRIAL, MODE_TITLES, SHORT_TRIAL, TRIAL_CODE_ADDRESS, TRIAL_MEMORY_BYTES, TRIAL_MODES, TRIAL_PORT, TRIAL_VALUE, TRIAL_WINDOW, type TrialMode, trialOf, writeTrialTables } from './mode-trials.ts';
import { SliceTimer } from './slice-timer.ts';

/** `native`: on the processor; `emulated`: interpreted by the kernel, slower than our own engine; `missing`: fails. */
export type ModeSupport = 'native' | 'emulated' | 'missing';

export interface ModeResult {
  readonly support: ModeSupport;
  /** Millions of instructions a second in a short loop, without the exit at its end. */
  readonly mips: number;
  readonly detail?: string;
}

export interface KvmProbe {
  readonly modes: Readonly<Record<TrialMode, ModeResult>>;
  /** Microseconds of one port access, exit and entry included. */
  readonly exitMicroseconds: number;
  /** Ticks a second of a guest's TSC: one a nanosecond where KVM can scale it, else the processor's own rate. */
  readonly tscHz: number;
  /** False: guests see the host's counter, wherever it stands. */
  readonly setsTsc: boolean;
  /** False: guests see the host's CPUID, whatever they are told to see. */
  readonly keepsCpuid: boolean;
}

/** In words, or an empty string when every mode runs on the processor. */
export function whyNotComplete(probe: KvmProbe): string {
  const names = (support: ModeSupport): string => TRIAL_MODES.filter((mode) => probe.modes[mode].support === support && probe.modes[mode].detail !== 'not tried').map((mode) => MODE_TITLES[mode]).join(', ');
  const missing = names('missing');
  const emulated = names('emulated');
  return [missing === '' ? '' : `it lacks ${missing}`, emulated === '' ? '' : `it interprets ${emulated}`].filter((part) => part !== '').join('; ');
}

/** Kernel emulators reach 2, processors thousands, and processors that are emulated themselves 15 to 1000. */
const NATIVE_MIPS = 10;
const PLAINLY_SLOW_MIPS = 3;
const NO_PROGRESS = 'the guest makes no progress in it';
const PATIENCE = 10;
const TRIES = 3;
/** Of a mode that is too fast for an emulator and too slow for a processor: the host is busy. */
const MOST_TRIES = 12;
const TRIAL_NS = 50e6;
const EXIT_ROUNDS = 200;
const TSC_HZ = 1e9;
const TSC_TRIAL = 5e12;
/** Follows CR4. */
const OSXSAVE = 0x800_0000;

/**
 * @param stopAtFirstGap one mode that does not run on the processor is enough to know; the others are then called missing
 * @throws NestboxError when no machine can be made at all
 */
export function probeKvm(device: KvmDevice, readHostMs: () => number, stopAtFirstGap = false): KvmProbe {
  const layout = layOutMemory({ ramBytes: TRIAL_MEMORY_BYTES, romBytes: 4096, vramBytes: 4096, vcpus: 1 });
  const wasm = new WebAssembly.Memory({ initial: layout.totalBytes / 65536, maximum: layout.totalBytes / 65536, shared: true });
  const memory = new PhysicalMemory(wasm.buffer as SharedArrayBuffer, layout);
  memory.mapRam();
  const vm = new KvmVm(device, memory, false);
  const timer = new SliceTimer(device.libc);
  let seen = 0;
  let rounds = 0;
  const note = (value: number): void => {
    seen = value;
    if (rounds > 0) rounds--;
    if (rounds === 0) core.yieldWanted = true;
  };
  const core = new KvmCore(vm, timer, {
    index: 0,
    io: {
      portRead: () => 0,
      portWrite: (port, _size, value) => {
        if (port === TRIAL_PORT) note(value);
      },
      mmioRead: () => 0,
      mmioWrite: (address, _size, value) => {
        if (address === TRIAL_WINDOW) note(value);
      },
    },
    interrupts: { acknowledge: () => -1, readCr8: () => 0, writeCr8: () => undefined },
    msrs: { read: () => false, write: () => false },
    readHostMs,
  });
  try {
    const shown = buildCpuid({ apicId: 0, processorCount: 1, tscHz: TSC_HZ, features: kvmFeatures(['fpu', 'pse', 'tsc', 'msr', 'pae', 'cx8', 'cmov', 'fxsr', 'sse', 'sse2', 'lm', 'syscall', 'nx', 'vme'], device.supportedCpuid(), false) });
    setCpuid(core.file, shown);
    const scales = device.check('tsc-control') > 0 && core.file.callPlain(KVM.SET_TSC_KHZ, TSC_HZ / 1000) >= 0;
    const khz = core.file.callPlain(KVM.GET_TSC_KHZ);
    const tscHz = scales || khz <= 0 ? TSC_HZ : khz * 1000;
    const setsTsc = core.state.writeTsc(TSC_TRIAL) && core.state.writeTsc(TSC_TRIAL * 3);
    writeTrialTables(memory.ram);
    const reset = core.getState(0);
    const attempt = (mode: TrialMode): ModeResult => {
      const once = (iterations: number): Trial => {
        seen = 0;
        return tryMode(core, memory, reset, mode, iterations, readHostMs, () => seen);
      };
      let short = once(SHORT_TRIAL);
      // A busy host may not give the trial any time at all.
      for (let i = 0; i < PATIENCE && short.detail === NO_PROGRESS; i++) short = once(SHORT_TRIAL);
      if (short.detail !== undefined) return { support: 'missing', mips: 0, detail: short.detail };
      // The difference of two lengths leaves out the entry and the exit, which may cost far more than the loop.
      let shortMs = short.ms;
      let best = 0;
      for (let i = 0, length = MIDDLE_TRIAL; best < NATIVE_MIPS * 10 && (i < TRIES || (i < MOST_TRIES && best > PLAINLY_SLOW_MIPS && best < NATIVE_MIPS)); i++) {
        const long = once(length);
        if (long.detail !== undefined) continue;
        shortMs = Math.min(shortMs, once(SHORT_TRIAL).ms || shortMs);
        best = Math.max(best, ((length - SHORT_TRIAL) * 2) / Math.max(long.ms - shortMs, long.ms / 20) / 1000);
        // What is not plainly slow gets a long loop: measured against noise of the host.
        if (best > PLAINLY_SLOW_MIPS) length = LONG_TRIAL;
      }
      return { support: best >= NATIVE_MIPS ? 'native' : 'emulated', mips: Math.round(best * 10) / 10 };
    };
    const modes: Partial<Record<TrialMode, ModeResult>> = {};
    let gap = false;
    for (const mode of TRIAL_MODES) {
      modes[mode] = gap && stopAtFirstGap ? { support: 'missing', mips: 0, detail: 'not tried' } : attempt(mode);
      gap ||= modes[mode].support !== 'native';
    }
    memory.ram.set(CPUID_TRIAL, TRIAL_CODE_ADDRESS);
    seen = 0;
    // A KVM without real mode gets the benefit of the doubt.
    const cpuidRan = modes.real?.support !== 'missing' && core.setState(trialOf('real', reset).state) === undefined && core.run(TRIAL_NS) === 'yield';
    const keepsCpuid = !cpuidRan || ((seen ^ (shown.find((entry) => entry.leaf === 1)?.ecx ?? 0)) & ~OSXSAVE) === 0;
    // out 80h, al; jmp to it, in real mode
    memory.ram.set([0xe6, TRIAL_PORT, 0xeb, 0xfc], TRIAL_CODE_ADDRESS);
    core.setState(trialOf('real', reset).state);
    rounds = EXIT_ROUNDS;
    const start = readHostMs();
    core.run(TRIAL_NS);
    const exitMicroseconds = ((readHostMs() - start) * 1000) / Math.max(1, EXIT_ROUNDS - rounds);
    return { modes: modes as Record<TrialMode, ModeResult>, exitMicroseconds, tscHz, setsTsc, keepsCpuid };
  } finally {
    core.dispose();
    vm.dispose();
    timer.dispose();
  }
}

interface Trial {
  readonly ms: number;
  /** Why it came to nothing. */
  readonly detail?: string;
}

function tryMode(core: KvmCore, memory: PhysicalMemory, reset: CpuState, mode: TrialMode, iterations: number, readHostMs: () => number, seen: () => number): Trial {
  const trial = trialOf(mode, reset, iterations);
  memory.ram.set(trial.code, TRIAL_CODE_ADDRESS);
  const refused = core.setState(trial.state);
  if (refused !== undefined) return { ms: 0, detail: `KVM refuses its ${refused}` };
  const start = readHostMs();
  const exit = core.run(TRIAL_NS);
  const ms = Math.max(readHostMs() - start, 1e-6);
  if (seen() === TRIAL_VALUE) return { ms };
  return { ms, detail: exit === 'shutdown' ? 'the guest shuts down in it' : exit === 'unsupported' ? core.detail : NO_PROGRESS };
}
