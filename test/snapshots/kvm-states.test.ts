// Live states of a machine under KVM: what the guest writes while its memory is being copied comes from KVM's log of written
// pages. The guest checks its own memory: one stale page, and it says so.

import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nullLogger } from '../../core/base/logger.ts';
import type { Machine } from '../../core/machine/machine.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { vmConfigSchema } from '../../core/protocol/vm-config.ts';
import { hostProbe, whyNoKvm } from '../conformance/rig.ts';
import { floppyWith } from '../support/boot-sector.ts';
import { temporaryFolder } from '../support/nestbox.ts';

async function whySkip(): Promise<string | undefined> {
  const reason = await whyNoKvm();
  if (reason !== undefined) return reason;
  return hostProbe().modes.real.support === 'missing' ? 'this KVM has no real mode' : undefined;
}

const reason = await whySkip();

/** 48 pages hold one counter each. A round finds all equal to DX and writes DX + 1; else X comes on the screen for good. */
const GUEST = `
  mov ax, 0xb800
  mov gs, ax
  mov ax, 0x2000
  mov ds, ax
  mov ax, 0x3000
  mov es, ax
  mov ax, 0x4000
  mov fs, ax
  xor dx, dx
  xor bx, bx
  clear: mov [ds:bx], dx
  mov [es:bx], dx
  mov [fs:bx], dx
  add bx, 4096
  jnz clear
  round: mov cx, dx
  inc cx
  page: cmp [ds:bx], dx
  jne bad
  cmp [es:bx], dx
  jne bad
  cmp [fs:bx], dx
  jne bad
  mov [ds:bx], cx
  mov [es:bx], cx
  mov [fs:bx], cx
  add bx, 4096
  jnz page
  mov dx, cx
  mov al, dl
  and al, 15
  add al, 'a'
  mov [gs:0], al
  jmp round
  bad: mov byte [gs:2], 'X'
  jmp $
`;

async function machineOf(engine: 'kvm' | 'software', floppy: string): Promise<Machine> {
  return createPcMachine(vmConfigSchema.parse({ name: 'state', engine, kvmHandOff: 'when-needed', memoryMib: 32, media: [{ kind: 'floppy', path: floppy, snapshot: true }] }), nullLogger);
}

/** The first two characters of the screen. */
function mark(machine: Machine): string {
  return (machine.textScreen()?.lines[0] ?? '').slice(0, 2);
}

async function expectAtWork(machine: Machine): Promise<void> {
  const seen = new Set<string>();
  for (let i = 0; i < 2000 && seen.size < 3; i++) {
    const now = mark(machine);
    expect(now[1]).not.toBe('X');
    if (/[a-p]/.test(now[0] ?? '')) seen.add(now[0] ?? '');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(seen.size, mark(machine)).toBeGreaterThanOrEqual(3);
}

describe(reason === undefined ? 'live states under KVM' : `live states under KVM (skipped: ${reason})`, () => {
  it.skipIf(reason !== undefined)('are of one instant, and go on under KVM and under the software CPU', async () => {
    const folder = temporaryFolder();
    const states = join(folder, 'states');
    mkdirSync(states);
    const floppy = join(folder, 'guest.img');
    writeFileSync(floppy, floppyWith(GUEST));
    const ids: string[] = [];
    const pauses: number[] = [];
    const first = await machineOf('kvm', floppy);
    try {
      expect(first.stats().engine).toBe('kvm');
      first.start();
      await expectAtWork(first);
      for (let round = 0; round < 3; round++) {
        const id = randomBytes(16).toString('hex');
        const { pauseMs, pageBytes } = await first.takeState({ folder: states, id, relatives: [...ids], storage: 'packed', overlays: [], afterwards: 'run' }, { progress: () => undefined, screen: () => first.refresh().frame });
        ids.push(id);
        pauses.push(pauseMs);
        // What the guest works on is in every state; the rest of its memory only in the first.
        expect(pageBytes).toBeGreaterThan(0);
        expect(first.state).toBe('running');
        await expectAtWork(first);
      }
      expect(first.stats().exits.kvmRuns).toBeGreaterThan(10);
    } finally {
      await first.dispose();
    }
    console.log(`the guest stood still for ${pauses.map((ms) => ms.toFixed(0)).join(', ')} ms`);
    for (const id of ids) {
      for (const engine of ['kvm', 'software'] as const) {
        const machine = await machineOf(engine, floppy);
        try {
          await machine.restore({ folder: states, id, newGeneration: false });
          machine.start();
          await expectAtWork(machine);
          await machine.memoryLoaded();
        } finally {
          await machine.dispose();
        }
      }
    }
  }, 300_000);
});
