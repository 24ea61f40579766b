// The boot tests' guests on the KVM engine, wherever this host's KVM has what they begin in; what it lacks goes to the
// interpreter. `when-needed` lets KVM do all that it can.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildDemoImage } from '../../core/firmware/demo/demo-image.ts';
import { hostProbe, offersIrqchip, whyNoKvm } from '../conformance/rig.ts';
import { ownCopy, shared } from '../support/guests.ts';
import { colours, similarity } from '../support/images.ts';
import { startKvm } from '../support/kvm-guest.ts';
import { nestbox, temporaryFolder } from '../support/nestbox.ts';
import { startNestbox, until } from '../support/screens.ts';

const LIMIT = 240;
const MINUTES = 60_000;

async function whySkip(): Promise<string | undefined> {
  const reason = await whyNoKvm();
  if (reason !== undefined) return reason;
  return hostProbe().modes.real.support === 'missing' ? 'this KVM has no real mode' : undefined;
}

const reason = await whySkip();
describe(reason === undefined ? 'guests on KVM' : `guests on KVM (skipped: ${reason})`, () => {
  const withGuest = (name: string): ((title: string, body: (path: string) => Promise<void>, limit?: number) => void) => {
    const path = shared(`guests/${name}`);
    return (title, body, limit = 5 * MINUTES) => it.skipIf(reason !== undefined || path === undefined)(`${name} ${title}`, () => body(ownCopy(path ?? '')), limit);
  };

  /** Through `nestbox run`, as a user does it, with our interrupt controllers, the kernel's, or in turn with both. */
  const steps = (name: string, memory: number, irqchips: readonly ('user' | 'kernel')[], title: string, list: readonly object[]): void => {
    const path = shared(`guests/${name}`);
    for (const irqchip of irqchips) {
      const skip = reason !== undefined || path === undefined || (irqchip === 'kernel' && !offersIrqchip());
      it.skipIf(skip)(`${name} ${title}, interrupt controllers of the ${irqchip}`, async () => {
        const script = join(temporaryFolder(), 'script.json');
        writeFileSync(script, JSON.stringify(list.map((step) => ('wait' in step ? { timeout: LIMIT, ...step } : step))));
        const args = ['--kvm-hand-off', 'when-needed', '--kvm-irqchip', irqchip, '--memory', String(memory), '--floppy', ownCopy(path ?? '')];
        const result = await nestbox(['run', '--engine', 'kvm', ...args, '--script', script, '--timeout', String(LIMIT)]);
        expect(result, result.stderr).toMatchObject({ code: 0 });
        expect(result.stderr).not.toContain('The software CPU runs this machine');
      }, 5 * MINUTES);
    }
  };

  steps('freedos-720K.img', 16, ['user'], 'boots to its prompt and answers dir', [{ wait: 'A:\\\\>' }, { type: 'dir\n' }, { wait: 'bytes free' }]);
  steps('mikeos.img', 1, ['user', 'kernel'], 'shows its box and a command line', [{ wait: 'Thanks for trying out MikeOS!' }, { key: 'right' }, { key: 'ret' }, { wait: '^> ?$' }, { type: 'VER\n' }, { wait: 'MikeOS 4\\.5' }]);
  steps('bootos-all-360k.img', 1, ['kernel'], 'lists its programs', [{ wait: 'bootOS[\\s\\S]*\\$' }, { type: 'dir\n' }, { wait: 'fbird[\\s\\S]*rogue' }]);
  steps('bootbasic.img', 1, ['user', 'kernel'], 'runs a program', [{ wait: '^>' }, { type: '10 print 6*7\n' }, { type: 'run\n' }, { wait: '^42' }]);
  steps('sectorlisp.img', 1, ['kernel'], 'evaluates an expression', [{ wait: 'Booting from' }, { type: '(' }, { wait: '^\\(' }, { type: 'CAR (QUOTE (A B)))\n' }, { wait: '^A$' }]);

  withGuest('kolibri-2020.img')('reaches the desktop that it has on the software CPU', async (path) => {
    const boot = { memoryMib: 64, media: [{ kind: 'floppy' as const, path, snapshot: true }] };
    await using onKvm = await startNestbox({ ...boot, engine: 'kvm', kvmHandOff: 'when-needed' });
    await using onSoftware = await startNestbox({ ...boot, engine: 'software' });
    await until('equal desktops', LIMIT * 2, async () => {
      const [left, right] = await Promise.all([onKvm.screen(), onSoftware.screen()]);
      return colours(left) >= 300 && similarity(left, right) >= 0.99 ? true : undefined;
    });
  }, 9 * MINUTES);

  it.skipIf(reason !== undefined)('the demo guest finds its machine in order', async () => {
    const image = join(temporaryFolder(), 'demo.img');
    writeFileSync(image, buildDemoImage());
    await using machine = await startKvm({ kvmHandOff: 'when-needed', memoryMib: 16, media: [{ kind: 'floppy', path: image, snapshot: true }] });
    await machine.until((serial) => /check: memory .*(passed|failed)/.test(serial));
    const checks = machine.serial().split(/\r?\n/).filter((line) => /^check: (modes|exceptions|arithmetic|memory)/.test(line));
    expect(checks).toHaveLength(4);
    expect(checks.filter((line) => !line.endsWith('passed'))).toEqual([]);
    const exits = machine.exits();
    expect(exits.kvmRuns).toBeGreaterThan(100);
    expect(exits.kvmPort).toBeGreaterThan(100);
  }, 9 * MINUTES);
});
