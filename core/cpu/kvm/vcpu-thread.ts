// The thread of one vCPU of several: enters the guest, carries its accesses to the device thread, and between runs reads
// and writes its state. KVM wants all requests of a vCPU from one thread.

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { PhysicalMemory } from '../../memory/physical-memory.ts';
import type { Vcpu } from '../contract.ts';
import { createSoftwareVcpu } from '../software/software-vcpu.ts';
import { EVENTS, KVM } from './ioctl.ts';
import { KernelApic } from './kernel-apic.ts';
import { KvmCore } from './kvm-core.ts';
import { setCpuid } from './kvm-cpuid.ts';
import { loadLibc } from './libc.ts';
import { SliceTimer } from './slice-timer.ts';
import { Mailboxes } from './vcpu-mailbox.ts';
import type { VcpuCommand, VcpuReport, VcpuStop, VcpuThreadStart, VcpuThreadState } from './vcpu-protocol.ts';
import { AT } from './vcpu-file.ts';

/** Nothing depends on it: a stop is asked for by a signal. */
const SLICE_NS = 1e9;

const start = workerData as VcpuThreadStart;
const port = parentPort;
if (port === null) throw new Error('vcpu-thread.ts is the program of a worker thread');
const report = (message: VcpuReport): void => port.postMessage(message);

const mailboxes = new Mailboxes(start.count, start.mailboxes);
const libc = await loadLibc();
const timer = new SliceTimer(libc);
let cr8 = 0;
const core = new KvmCore(
  {
    device: { libc, runPageBytes: start.runPageBytes, check: (name) => (name === 'xcrs' && start.hasXcrs ? 1 : 0) },
    createVcpu: (index) => {
      const result = libc.ioctl(start.vmDescriptor, KVM.CREATE_VCPU, index);
      if (result < 0) throw new Error(`KVM cannot create virtual CPU ${index} (error ${-result})`);
      return result;
    },
  },
  timer,
  {
    index: start.index,
    io: mailboxes.ioOf(start.index),
    msrs: mailboxes.msrsOf(start.index),
    // The kernel's local APIC does all of it.
    interrupts: { acknowledge: () => -1, readCr8: () => cr8, writeCr8: (value) => (cr8 = value) },
    readHostMs: () => Number(process.hrtime.bigint() / 1000n) / 1000,
    mustStop: () => mailboxes.mustStop(start.index),
  },
);
const { file } = core;
const khz = Math.round(start.tscHz / 1000);
if (file.callPlain(KVM.GET_TSC_KHZ) !== khz) file.callPlain(KVM.SET_TSC_KHZ, khz);
setCpuid(file, start.cpuid);
report({ kind: 'ready', threadId: timer.threadId });

const apic = new KernelApic(file, core.state);

function getState(): { state: VcpuThreadState; externalVector: number } {
  core.collectTimers();
  const externalVector = apic.takeBackInterrupt();
  return { state: { cpu: core.state.read(apic.activity(), 0), apic: apic.read(), tsc: core.state.readTsc() }, externalVector };
}

/** @returns what KVM refused */
function setState(state: VcpuThreadState): string | undefined {
  const refused = core.setState(state.cpu);
  if (refused !== undefined) return refused;
  // Halted or not is the kernel's to know.
  core.halted = false;
  core.state.writeTsc(state.tsc);
  return apic.write(state.apic) ?? (apic.setActivity(state.cpu.activity) ? undefined : 'the activity');
}

let software: Vcpu | undefined;
let interpreted = 0;

/** Made with the first instruction that needs it. */
function interpreter(): Vcpu {
  software ??= createSoftwareVcpu(start.wasm, new PhysicalMemory(start.wasm.buffer as SharedArrayBuffer, start.layout), {
    index: start.index,
    io: mailboxes.ioOf(start.index),
    msrs: mailboxes.msrsOf(start.index),
    interrupts: { acknowledge: () => -1, readCr8: () => cr8, writeCr8: (value) => (cr8 = value) },
    clock: { readTsc: () => core.state.readTsc() },
    random32: () => mailboxes.random32(start.index),
    jit: false,
    tscHz: start.tscHz,
    processorCount: start.count,
    features: start.features,
  });
  return software;
}

/**
 * KVM stopped before an instruction that it does not know: the interpreter runs that one. It sees no interrupt controllers,
 * which are the kernel's; such instructions KVM runs itself. @returns false when it gets nowhere either
 */
function interpretOne(): boolean {
  const { view } = file;
  file.call(KVM.GET_VCPU_EVENTS, AT.EVENTS, 'read pending events');
  const injected = view.getUint8(AT.EVENTS + EVENTS.INTERRUPT_INJECTED) !== 0;
  const vector = view.getUint8(AT.EVENTS + EVENTS.INTERRUPT_NR);
  const cpu = interpreter();
  cpu.setState(core.getState(0));
  const exit = cpu.run(1);
  interpreted++;
  if (exit !== 'budget' && exit !== 'halted' && exit !== 'yield') return false;
  const after = cpu.getState();
  if (after.pendingDebug !== undefined || core.setState(after) !== undefined) return false;
  core.halted = false;
  if (exit === 'halted') apic.setActivity('halted');
  if (!injected) return true;
  // It was acknowledged before, and KVM still owes it to the guest.
  file.call(KVM.GET_VCPU_EVENTS, AT.EVENTS, 'read pending events');
  view.setUint8(AT.EVENTS + EVENTS.INTERRUPT_INJECTED, 1);
  view.setUint8(AT.EVENTS + EVENTS.INTERRUPT_NR, vector);
  view.setUint32(AT.EVENTS + EVENTS.FLAGS, 0, true);
  file.call(KVM.SET_VCPU_EVENTS, AT.EVENTS, 'inject an interrupt');
  return true;
}

function runUntilStopped(command: { readonly tsc: number | undefined; readonly atNs: bigint }): void {
  if (command.tsc !== undefined) {
    const sinceNs = Number(process.hrtime.bigint() - command.atNs);
    core.state.writeTsc(command.tsc + Math.floor(sinceNs * (start.tscHz / 1e9)));
  }
  let why: VcpuStop = 'asked';
  for (;;) {
    const exit = core.run(SLICE_NS);
    if (exit === 'unsupported' && interpretOne()) continue;
    if (exit === 'shutdown' || exit === 'unsupported' || exit === 'debug') {
      why = exit;
      break;
    }
    if (mailboxes.mustStop(start.index)) break;
  }
  core.settle();
  report({ kind: 'stopped', why, detail: core.detail, runs: core.exits.kvmRuns ?? 0, interpreted });
}

for (let seen = 0, ended = false; !ended; ) {
  mailboxes.waitForCommand(start.index, seen);
  const received = receiveMessageOnPort(port) as { readonly message: VcpuCommand } | undefined;
  if (received === undefined) continue;
  seen++;
  const command = received.message;
  try {
    switch (command.kind) {
      case 'run':
        runUntilStopped(command);
        break;
      case 'get-state':
        report({ kind: 'state', ...getState() });
        break;
      case 'set-state':
        report({ kind: 'set', refused: setState(command.state) });
        break;
      case 'end':
        ended = true;
    }
  } catch (error) {
    report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}
software?.dispose();
core.dispose();
timer.dispose();
port.close();
