// Whole machines that change engines: saved under one, restored under the other, in both directions, with the same hash
// where nothing has run in between; in every mode of the software CPU's JIT.

import { afterEach, describe, expect, it } from 'vitest';
import type { Logger } from '../../core/base/logger.ts';
import type { Machine } from '../../core/machine/machine.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { vmConfigSchema } from '../../core/protocol/vm-config.ts';
import { inEveryJitMode, jitOptionsNow } from '../support/jit-modes.ts';
import { NO_SHARED, ownCopy, shared } from '../support/guests.ts';
import { temporaryFolder } from '../support/nestbox.ts';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apicTimerImage } from './apic-timer-image.ts';
import { echoImage } from './echo-image.ts';
import { type EngineName, offersIrqchip, whyNoKvm } from './rig.ts';

const reason = await whyNoKvm();
const machines: Machine[] = [];
const messages: string[] = [];
const log: Logger = { enabled: (level) => level !== 'debug' && level !== 'trace', log: (level, text) => messages.push(`${level}: ${text}`), child: () => log };

/** `kernel`: KVM with the kernel's interrupt controllers. */
type Way = EngineName | 'kernel';

async function machineOf(way: Way, floppy: string): Promise<Machine> {
  const engine = way === 'kernel' ? 'kvm' : way;
  const config = vmConfigSchema.parse({ name: 'test', engine, ...(engine === 'kvm' ? { kvmIrqchip: way === 'kernel' ? 'kernel' : 'user' } : {}), kvmHandOff: 'when-needed', ...jitOptionsNow(), memoryMib: 8, media: [{ kind: 'floppy', path: floppy, snapshot: true }] });
  const machine = await createPcMachine(config, log);
  machines.push(machine);
  return machine;
}

async function waitForText(machine: Machine, pattern: RegExp): Promise<void> {
  for (let i = 0; i < 6000; i++) {
    const lines = machine.textScreen()?.lines.map((line) => line.trimEnd()).join('\n') ?? '';
    if (pattern.test(lines)) return;
    if (machine.state === 'stopped') throw new Error(`the machine stopped: ${lines}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`no ${String(pattern)} on the screen: ${machine.textScreen()?.lines.join('\n') ?? ''}`);
}

function echoFloppy(): string {
  const path = join(temporaryFolder(), 'echo.img');
  writeFileSync(path, echoImage());
  return path;
}

afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.dispose();
  messages.length = 0;
});

const DIRECTIONS: readonly (readonly [Way, Way])[] = [['software', 'kvm'], ['kvm', 'software'], ['kvm', 'kernel'], ['software', 'kernel'], ['kernel', 'kernel']];

inEveryJitMode(() => {
describe(reason === undefined ? 'machines that change engines' : `machines that change engines (skipped: ${reason})`, () => {
  it.skipIf(reason !== undefined).each(DIRECTIONS.filter((pair) => offersIrqchip() || !pair.includes('kernel')))('a machine saved under %s goes on under %s', async (from, to) => {
    const floppy = echoFloppy();
    const first = await machineOf(from, floppy);
    first.start();
    await waitForText(first, /^>$/m);
    await first.typeText('a');
    await waitForText(first, /\[a\]/);
    await first.pause();
    const saved = await first.save();
    const hash = await first.stateHash();
    const second = await machineOf(to, floppy);
    await second.load(saved);
    expect(await second.stateHash()).toBe(hash);
    second.start();
    await second.typeText('b');
    await waitForText(second, /\[a\]\[b\]/);
    const { kvmRuns, controllerLoans } = second.stats().exits;
    if (to !== 'software') expect(kvmRuns).toBeGreaterThan(0);
    if (to === 'kernel') expect(controllerLoans).toBeGreaterThan(0);
    // And back, after it has run.
    await second.pause();
    const back = await machineOf(from, floppy);
    await back.load(await second.save());
    expect(await back.stateHash()).toBe(await second.stateHash());
    back.start();
    await back.typeText('c');
    await waitForText(back, /\[a\]\[b\]\[c\]/);
  });

  it.skipIf(reason !== undefined || shared('guests/freedos-720K.img') === undefined)(`FreeDOS changes engines at its prompt (${NO_SHARED} where it is not run)`, async () => {
    const floppy = ownCopy(shared('guests/freedos-720K.img') ?? '');
    const first = await machineOf('software', floppy);
    first.start();
    await waitForText(first, /A:\\>$/m);
    await first.pause();
    const second = await machineOf('kvm', floppy);
    await second.load(await first.save());
    expect(await second.stateHash()).toBe(await first.stateHash());
    second.start();
    await second.typeText('dir\n');
    await waitForText(second, /bytes free/);
    expect(second.stats().exits.kvmPort).toBeGreaterThan(0);
    await second.pause();
    const third = await machineOf('software', floppy);
    await third.load(await second.save());
    third.start();
    await third.typeText('ver\n');
    await waitForText(third, /FreeCom version[\s\S]*A:\\>$/m);
  });

  it.skipIf(reason !== undefined || !offersIrqchip())("timers of the local APIC go on between our controllers and the kernel's", async () => {
    const floppy = join(temporaryFolder(), 'timer.img');
    writeFileSync(floppy, apicTimerImage());
    let heard = '';
    let machine = await machineOf('software', floppy);
    let loans = 0;
    for (const way of ['kernel', 'kvm', 'kernel', 'software', 'kernel'] as const) {
      const next = await machineOf(way, floppy);
      const start = heard.length;
      machine.onSerialOutput((bytes) => (heard += Buffer.from(bytes).toString('latin1')));
      machine.start();
      for (let i = 0; heard.length < start + 7; i++) {
        if (i > 6000) throw new Error(`heard ${heard} before ${way}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await machine.pause();
      loans += machine.stats().exits.controllerLoans ?? 0;
      await next.load(await machine.save());
      expect(await next.stateHash()).toBe(await machine.stateHash());
      machine = next;
    }
    expect(loans).toBeGreaterThan(0);
    expect(heard).toBe('123'.repeat(100).slice(0, heard.length));
  });

  it('falls back to the software CPU and says why, or says that KVM is there', async () => {
    const machine = await machineOf('kvm', echoFloppy());
    const { engine, engineReason } = machine.stats();
    if (reason === undefined) expect([engine, engineReason]).toEqual(['kvm', 'KVM works']);
    else {
      expect(engine).toBe('software');
      expect(engineReason).toContain(reason);
      expect(messages.some((message) => message.startsWith('warn: The software CPU runs this machine:'))).toBe(true);
    }
    await expect(createPcMachine(vmConfigSchema.parse({ name: 'x', engine: 'kvm', clock: 'instructions' }), log)).rejects.toThrow(/instruction clock/);
  });
});
});
