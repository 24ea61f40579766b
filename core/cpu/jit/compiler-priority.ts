// Compiling gives way to running guests. A host with few cores shares them between the vCPU's thread and those that compile
// (the JIT's own and V8's); with equal rights the guest stood still for a fifth of its start.

import { readdirSync, readFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/** Name of V8's threads in Node. They compile what the JIT emits, and collect garbage. */
const V8_THREAD = 'V8Worker';
const TASKS = '/proc/self/task';
/** A third of the guest's weight: the guest has a core when it wants one, and other programs of the host do not stop the compiler. */
const NICE = 5;

/**
 * Lowers the calling thread, which must not be the main one, and V8's threads of this process. Linux only: there a priority belongs
 * to a thread (setpriority(2)), elsewhere to the process.
 */
export function lowerCompilers(): void {
  if (process.platform !== 'linux') return;
  try {
    const niceness = Math.min(constants.priority.PRIORITY_LOW, getPriority(process.pid) + NICE);
    // 0 is the calling thread.
    setPriority(0, niceness);
    for (const task of readdirSync(TASKS)) lowerIfV8(task, niceness);
  } catch {
    // Without /proc, or where a sandbox forbids it, all have equal rights.
  }
}

function lowerIfV8(task: string, niceness: number): void {
  try {
    if (readFileSync(`${TASKS}/${task}/comm`, 'latin1').trim() === V8_THREAD) setPriority(Number(task), niceness);
  } catch {
    // The thread has ended meanwhile.
  }
}
