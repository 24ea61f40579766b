// Starting, pausing and work on a standing machine, asked for at the same time by several windows and commands.

import { describe, expect, it } from 'vitest';
import { nullLogger } from '../base/logger.ts';
import { TimerQueue } from '../base/timer-queue.ts';
import type { RunExit, Vcpu } from '../cpu/contract.ts';
import { IoQueue } from './io-queue.ts';
import { MachineLife } from './machine-life.ts';
import { RunLoop } from './run-loop.ts';
import { HostTime } from './virtual-clock.ts';

interface Rig {
  readonly life: MachineLife;
  readonly states: string[];
  readonly retired: () => number;
}

function rig(): Rig {
  let retired = 0;
  const time = new HostTime(() => performance.now());
  const timers = new TimerQueue(() => time.nowNs());
  const io = new IoQueue({ nowNs: () => time.nowNs(), deterministic: false, wake: () => undefined });
  const vcpu = {
    instructionCount: () => retired,
    requestYield: () => undefined,
    run: (): RunExit => {
      const until = performance.now() + 2;
      while (performance.now() < until) retired++;
      return 'budget';
    },
  } as unknown as Vcpu;
  const loop = new RunLoop({ vcpu, timers, time, io, readHostMs: () => performance.now(), interruptPending: () => false, onExit: () => true, beforeSlice: () => undefined });
  const life = new MachineLife({ loop: () => loop, flushOutput: () => undefined, log: nullLogger });
  const states: string[] = [];
  life.onStateChanged((state) => states.push(state));
  return { life, states, retired: () => retired };
}

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

async function runs({ retired }: Rig): Promise<boolean> {
  const before = retired();
  await turns(20);
  return retired() > before;
}

describe('life of a machine', () => {
  it('goes on when it is started while a pause is under way', async () => {
    const r = rig();
    r.life.start();
    await turns(3);
    const pause = r.life.pause();
    r.life.start();
    await pause;
    expect(r.life.state).toBe('running');
    expect(await runs(r)).toBe(true);
    const first = r.life.pause();
    r.life.start();
    await Promise.all([first, r.life.pause()]);
    expect(r.life.state).toBe('paused');
    expect(await runs(r)).toBe(false);
  });

  it('stands still until the last work on it is done, whatever is asked for meanwhile', async () => {
    const r = rig();
    r.life.start();
    await turns(3);
    const moved: number[] = [];
    const work = async (): Promise<void> => {
      const before = r.retired();
      await turns(20);
      moved.push(r.retired() - before);
    };
    const first = r.life.whilePaused(work);
    await turns(5);
    const second = r.life.whilePaused(work);
    r.life.start();
    await Promise.all([first, second]);
    expect(moved).toEqual([0, 0]);
    expect(r.life.state).toBe('running');
    expect(await runs(r)).toBe(true);

    const third = r.life.whilePaused(work);
    await turns(2);
    await r.life.pause();
    await third;
    expect([r.life.state, await runs(r)]).toEqual(['paused', false]);
    // Started while somebody works on it: it runs afterwards.
    const fourth = r.life.whilePaused(work);
    r.life.start();
    await fourth;
    expect(moved).toEqual([0, 0, 0, 0]);
    expect(await runs(r)).toBe(true);
    await r.life.pause();
    expect(r.states).toEqual(['running', 'paused', 'running', 'paused']);
  });

  it('leaves work that fails behind', async () => {
    const r = rig();
    r.life.start();
    await turns(2);
    await expect(r.life.whilePaused(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await runs(r)).toBe(true);
    r.life.finish({ reason: 'host' });
    await turns(20);
    expect(r.states).toEqual(['running', 'stopped']);
    expect(() => r.life.start()).toThrow(/switched off/);
  });
});
