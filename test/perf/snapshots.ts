// Live states of a Linux guest that keeps writing memory: how long it stands still while its state is taken, and how soon a
// guest of 1 GiB runs again from one, measured by what it says on its serial port. Part of `npm run bench -- --only snapshots`.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VmSession } from '../../core/cli/vm-session.ts';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import { SpareHost } from '../../core/manager/spare-host.ts';
import { newId } from '../../core/manager/snapshots/ids.ts';
import type { TakeStateSpec } from '../../core/protocol/vm-messages.ts';
import type { VmConfigInput } from '../../core/protocol/vm-config.ts';
import { busyboxInitrd } from '../support/initrd.ts';

/** Fills a part of memory with what does not compress, then rewrites some of it for ever and says so ten times a second. */
const script = (fillMib: number): string =>
  [
    'mount -t tmpfs -o size=90% tmp /mnt',
    'dd if=/dev/urandom of=/mnt/seed bs=1M count=8 2>/dev/null',
    `i=0; while [ $i -lt ${Math.floor(fillMib / 8)} ]; do dd if=/mnt/seed of=/mnt/part$i bs=1M 2>/dev/null; echo $i >> /mnt/part$i; i=$((i+1)); done`,
    'echo FILLED',
    'while true; do dd if=/mnt/seed of=/mnt/busy bs=1M count=4 conv=notrunc 2>/dev/null; echo TICK; sleep 0.1; done',
  ].join('\n');

const START_LIMIT_MS = 600_000;
/** The manager has one ready while a machine runs. */
const SPARE_READY_MS = 5000;
const quiet = (): void => undefined;

async function until(condition: () => boolean, limitMs = START_LIMIT_MS): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error('The guest did not get there in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function filledGuest(config: VmConfigInput): Promise<VmSession> {
  const session = await VmSession.launch(new NodeVmHost(), 'nestbox-bench', quiet);
  await session.start(config);
  await until(() => session.serialText.includes('FILLED'));
  return session;
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const spec = (folder: string, id: string, more: Partial<TakeStateSpec>): TakeStateSpec => ({ folder, id, relatives: [], storage: 'packed', overlays: [], afterwards: 'run', ...more });

interface Row {
  readonly memoryMib: number;
  readonly what: string;
  readonly ms: number;
  readonly remark: string;
}

/** @param kernel Debian's cloud kernel; @param program static busybox */
export async function benchSnapshots(kernel: string, program: Uint8Array): Promise<{ print(): void; record(): unknown }> {
  const rows: Row[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'nestbox-bench-states-'));
  try {
    for (const [memoryMib, fillMib] of [[512, 256], [1024, 512]] as const) {
      const initrd = join(folder, `initrd-${memoryMib}`);
      writeFileSync(initrd, busyboxInitrd(program, script(fillMib)));
      const states = join(folder, `states-${memoryMib}`);
      mkdirSync(states);
      const config: VmConfigInput = { name: 'bench', memoryMib, engine: 'software', directBoot: { kernel, initrd, commandLine: 'console=ttyS0 quiet' } };
      const session = await filledGuest(config);
      let relatives: string[] = [];
      for (const name of ['first', 'second', 'third']) {
        const id = newId();
        const started = performance.now();
        const taken = await session.vm.takeState(spec(states, id, { relatives }));
        rows.push({ memoryMib, what: `${name} state, guest stands still`, ms: taken.pauseMs, remark: `on disk after ${((performance.now() - started) / 1000).toFixed(1)} s, ${mib(taken.pageBytes)} of pages` });
        relatives = [id, ...relatives];
      }
      const live = newId();
      // The manager has a process ready while a machine runs.
      const spareHost = new SpareHost(new NodeVmHost());
      spareHost.prepare();
      await new Promise((resolve) => setTimeout(resolve, SPARE_READY_MS));
      const forkStarted = performance.now();
      const launching = VmSession.launch(spareHost, 'nestbox-bench-fork', quiet);
      const { pauseMs } = await session.vm.handOver({ folder: states, id: live, overlays: [] });
      const handOverMs = performance.now() - forkStarted;
      const forked = await launching;
      await forked.guard(forked.vm.startFromState(config, { folder: states, id: live, newGeneration: true, live: true }));
      await forked.vm.resume();
      const forkRunning = performance.now() - forkStarted;
      await until(() => forked.serialText.includes('TICK'));
      const firstWords = performance.now() - forkStarted;
      await Promise.all([session.vm.handedOver(), forked.vm.memoryLoaded()]);
      const whole = performance.now() - forkStarted;
      rows.push({ memoryMib, what: 'second machine from the live state, running', ms: forkRunning, remark: `first words after ${firstWords.toFixed(0)} ms, all memory after ${whole.toFixed(0)} ms; the first one gave its devices after ${handOverMs.toFixed(0)} ms and stood still ${pauseMs.toFixed(0)} ms` });
      await forked.end();
      await session.end();

      for (const spare of [true, false]) {
        const host = new SpareHost(new NodeVmHost());
        if (spare) {
          host.prepare();
          await new Promise((resolve) => setTimeout(resolve, SPARE_READY_MS));
        }
        const started = performance.now();
        const again = await VmSession.launch(host, 'nestbox-bench-restored', quiet);
        await again.guard(again.vm.startFromState(config, { folder: states, id: relatives[0] ?? '', newGeneration: false }));
        await again.vm.resume();
        const running = performance.now() - started;
        await until(() => again.serialText.includes('TICK'));
        rows.push({ memoryMib, what: `restored, running; ${spare ? 'a spare process is there' : 'no spare process'}`, ms: running, remark: `first words after ${(performance.now() - started).toFixed(0)} ms; it speaks every 100 ms` });
        await again.end();
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    print: () => {
      console.log('\nlive states of a guest that keeps writing memory');
      for (const row of rows) console.log(`${`${row.memoryMib} MiB`.padEnd(10)}${row.what.padEnd(52)}${row.ms.toFixed(0).padStart(7)} ms  ${row.remark}`);
    },
    record: () => rows,
  };
}
