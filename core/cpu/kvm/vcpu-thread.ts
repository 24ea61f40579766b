// The thread of one vCPU of several: enters the guest and carries its accesses to the device thread, which also reads and
// writes its state while it stands still.

import { workerData } from 'node:worker_threads';
import { KvmCore } from './kvm-core.ts';
import { loadLibc } from './libc.ts';
import { SliceTimer } from './slice-timer.ts';
import { Mailboxes, type VcpuStop } from './vcpu-mailbox.ts';
import type { VcpuThreadStart } from './vcpu-protocol.ts';

/** Nothing depends on it: a stop is asked for by a signal. */
const SLICE_NS = 1e9;

const { index, count, vcpuDescriptor, runPageBytes, hasXcrs, mailboxes: buffer } = workerData as VcpuThreadStart;
const mailboxes = new Mailboxes(count, buffer);
const libc = await loadLibc();
const timer = new SliceTimer(libc);
let cr8 = 0;
const core = new KvmCore(
  {
    device: { libc, runPageBytes, check: (name) => (name === 'xcrs' && hasXcrs ? 1 : 0) },
    createVcpu: () => vcpuDescriptor,
    keepsDescriptors: true,
  },
  timer,
  {
    index,
    io: mailboxes.ioOf(index),
    msrs: mailboxes.msrsOf(index),
    // The kernel's local APIC does all of it.
    interrupts: { acknowledge: () => -1, readCr8: () => cr8, writeCr8: (value) => (cr8 = value) },
    readHostMs: () => Number(process.hrtime.bigint() / 1000n) / 1000,
    mustStop: () => mailboxes.mustStop(index),
  },
);

/** Until it is told to stand still, or comes back by itself. */
function runGuest(): VcpuStop {
  core.forgetState();
  for (;;) {
    const exit = core.run(SLICE_NS);
    mailboxes.tally(index, core.exits);
    if (exit === 'unsupported' && mailboxes.interpret(index)) continue;
    if (exit === 'shutdown' || exit === 'unsupported' || exit === 'debug') return exit;
    if (!mailboxes.mustStop(index)) continue;
    core.collectTimers();
    return 'asked';
  }
}

function runUntilStopped(): void {
  try {
    const why = runGuest();
    mailboxes.stopping(index, why, core.detail);
  } catch (error) {
    mailboxes.stopping(index, 'failed', error instanceof Error ? error.message : String(error));
  }
}

mailboxes.ready(index, timer.threadId);
while (mailboxes.waitForRun(index)) runUntilStopped();
core.dispose();
timer.dispose();
