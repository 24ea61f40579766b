// Whole machines that change engines: saved under one, restored under the other, in both directions, with the same hash
// where nothing has run in between.

import { afterEach, describe, expect, it } from 'vitest';
import type { Logger } from '../../core/base/logger.ts';
import type { Machine } from '../../core/machine/machine.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { vmConfigSchema } from '../../core/protocol/vm-config.ts';
import { NO_SHARED, ownCopy, shared } from '../support/guests.ts';
import { temporaryFolder } from '../support/nestbox.ts';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { echoImage } from './echo-image.ts';
import { type EngineName, whyNoKvm } from './rig.ts';

const reason = await whyNoKvm();
const machines: Machine[] = [];
const messages: string[] = [];
const log: Logger = { enabled: (level) => level !== 'debug' && level !== 'trace', log: (level, text) => messages.push(`${level}: ${text}`), child: () => log };

async function machineOf(engine: EngineName, floppy: string): Promise<Machine> {
  const config = vmConfigSchema.parse({ name: 'test', engine, kvmHandOff: 'when-needed', memoryMib: 8, media: [{ kind: 'floppy', path: floppy, snapshot: true }] });
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

const DIRECTIONS: readonly (readonly [EngineName, EngineName])[] = [['software', 'kvm'], ['kvm', 'software'], ['kvm', 'kvm']];

describe(reason === undefined ? 'machines that change engines' : `machines that change engines (skipped: ${reason})`, () => {
  it.skipIf(reason !== undefined).each(DIRECTIONS)('a machine saved under %s goes on under %s', async (from, to) => {
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
    if (to === 'kvm') expect(second.stats().exits.kvmRuns).toBeGreaterThan(0);
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
