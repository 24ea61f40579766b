// The VM generation id as a stock Linux kernel sees it: where the ACPI tables say, another one when a state is used a second
// time, the same when the machine only goes on; and the kernel's driver hears of it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VmSession } from '../../core/cli/vm-session.ts';
import { guidBytes } from '../../core/devices/platform/vm-generation-id.ts';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import type { VmConfigInput } from '../../core/protocol/vm-config.ts';
import { debianKernel } from '../support/guests.ts';
import { busybox, busyboxInitrd } from '../support/initrd.ts';
import { temporaryFolder } from '../support/nestbox.ts';

const MINUTES = 60_000;
const OWN = '01234567-89ab-cdef-0123-456789abcdef';
const OTHER = 'fedcba98-7654-4210-8edc-ba9876543210';
const THIRD = '11111111-2222-4333-8444-555555555555';
// CONFIG_VMGENID is in this kernel, not in the one for clouds.
const kernel = debianKernel('amd64');
const program = busybox('amd64');
const ready = kernel !== undefined && program !== undefined;

/** Prints the 16 bytes at VM_GENERATION_ID_BASE twice a second. */
const SCRIPT = [
  'b=/bin/busybox; i=0; cat /sys/bus/acpi/devices/NBOX0001:00/path',
  'while true; do echo "id $i $($b devmem 0xfef10000 64) $($b devmem 0xfef10008 64)"; i=$((i+1)); $b sleep 0.5; done',
].join('\n');

/** What `devmem` prints for a GUID: two little-endian numbers of 64 bits. */
function numbers(guid: string): string {
  const bytes = Buffer.from(guidBytes(guid));
  return [0, 8].map((at) => `0x${bytes.readBigUInt64LE(at).toString(16).toUpperCase().padStart(16, '0')}`).join(' ');
}

const ID = /id \d+ (0x\w+ 0x\w+)\r?\n/;

async function until(session: VmSession, pattern: RegExp, from = 0): Promise<RegExpExecArray> {
  const end = Date.now() + 6 * MINUTES;
  for (;;) {
    const found = pattern.exec(session.serialText.slice(from));
    if (found !== null) return found;
    if (Date.now() > end) throw new Error(`${pattern.source} never came:\n${session.serialText.slice(-3000)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe.skipIf(!ready)(ready ? 'VM generation id' : "VM generation id (skipped: Debian's kernel and busybox packages cannot be downloaded here)", () => {
  it('is found by Linux, changes when a state is used again, and stays when the machine goes on', { timeout: 15 * MINUTES }, async () => {
    const folder = temporaryFolder();
    const states = join(folder, 'states');
    mkdirSync(states);
    const initrd = join(folder, 'initrd');
    writeFileSync(initrd, busyboxInitrd(program ?? new Uint8Array(), SCRIPT));
    const config: VmConfigInput = {
      name: 'generation', memoryMib: 192, engine: 'software', generationId: OWN,
      directBoot: { kernel: kernel ?? '', initrd, commandLine: 'console=ttyS0 loglevel=7 panic=-1' },
    };
    const launch = (): Promise<VmSession> => VmSession.launch(new NodeVmHost(), 'nestbox-test-vm', () => undefined);
    const id = randomBytes(16).toString('hex');
    const first = await launch();
    const sessions = [first];
    try {
      await first.start(config);
      expect((await until(first, ID))[1]).toBe(numbers(OWN));
      expect(first.serialText).toContain('\\_SB_.VGEN');
      await first.guard(first.vm.takeState({ folder: states, id, relatives: [], storage: 'packed', overlays: [], afterwards: 'run' }));

      // The lid is opened again: the same machine.
      const resumed = await launch();
      sessions.push(resumed);
      await resumed.guard(resumed.vm.startFromState(config, { folder: states, id, newGeneration: false }));
      await resumed.vm.resume();
      expect((await until(resumed, ID))[1]).toBe(numbers(OWN));
      expect(resumed.serialText).not.toContain('virtual machine fork');
      await resumed.end();

      // Back to a snapshot: another generation, with the id that the registry has for it.
      const again = await launch();
      sessions.push(again);
      await again.guard(again.vm.startFromState({ ...config, generationId: OTHER }, { folder: states, id, newGeneration: true }));
      await again.vm.resume();
      await until(again, /crng reseeded due to virtual machine fork/);
      await until(again, new RegExp(numbers(OTHER)));
      await again.end();

      // A fork of the running machine; that one keeps its own.
      const live = randomBytes(16).toString('hex');
      const forked = await launch();
      sessions.push(forked);
      await first.guard(first.vm.handOver({ folder: states, id: live, overlays: [] }));
      const from = first.serialText.length;
      await forked.guard(forked.vm.startFromState({ ...config, generationId: THIRD }, { folder: states, id: live, newGeneration: true, live: true }));
      await forked.vm.resume();
      await until(forked, /crng reseeded due to virtual machine fork/);
      await until(forked, new RegExp(numbers(THIRD)));
      expect((await until(first, ID, from))[1]).toBe(numbers(OWN));
      expect(first.serialText).not.toContain('virtual machine fork');
    } finally {
      for (const session of sessions) await session.end();
    }
  });
});
