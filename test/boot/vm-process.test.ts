// A VM is an ordinary process of the host: it has a name, a priority that the user sets, and can be killed.

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import { VmSession } from '../../core/cli/vm-session.ts';
import { floppyWith } from '../support/boot-sector.ts';
import { temporaryFolder } from '../support/nestbox.ts';
import { until } from '../support/screens.ts';

const NAME = `nestbox-vm test ${process.pid}`;

/** Numbers of processes whose command line, as ps shows it, begins with the name. */
function processesNamed(name: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((entry) => {
      try {
        return readFileSync(`/proc/${entry}/cmdline`, 'latin1').startsWith(name);
      } catch {
        return false;
      }
    })
    .map(Number);
}

describe(process.platform === 'linux' ? 'the process of a VM' : 'the process of a VM (skipped: looks into /proc)', () => {
  it.skipIf(process.platform !== 'linux')('shows by its name, takes a priority, and dies when it is killed', async () => {
    const path = join(temporaryFolder(), 'boot.img');
    writeFileSync(path, floppyWith('again: inc eax\njmp again'));
    const session = await VmSession.launch(new NodeVmHost(), NAME, () => undefined);
    try {
      await session.start({ name: 'test', memoryMib: 4, media: [{ kind: 'floppy', path }] });
      const [pid] = await until('the process to show its name', 60, () => Promise.resolve(processesNamed(NAME).length === 1 ? processesNamed(NAME) : undefined));
      if (pid === undefined) throw new Error('no process');
      setPriority(pid, 10);
      expect(getPriority(pid)).toBe(10);
      // In the user's own control group: what limits the user or the service limits the VM.
      expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toBe(readFileSync('/proc/self/cgroup', 'utf8'));
      process.kill(pid, 'SIGKILL');
      expect(await session.exited).toMatchObject({ reason: 'error' });
      await until('the process to be gone', 60, () => Promise.resolve(processesNamed(NAME).length === 0 ? true : undefined));
    } finally {
      await session.end();
    }
  });
});
