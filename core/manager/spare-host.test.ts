import { describe, expect, it } from 'vitest';
import type { Port } from '../base/port.ts';
import { SPARE_TITLE, SpareHost } from './spare-host.ts';
import type { VmHost, VmProcess } from './vm-host.ts';

type End = Awaited<VmProcess['ended']>;

class Processes implements VmHost {
  readonly titles: string[] = [];
  readonly ends: ((end: End) => void)[] = [];
  failure: Error | undefined;

  async launch(title: string): Promise<VmProcess> {
    if (this.failure !== undefined) throw this.failure;
    this.titles.push(title);
    const ended = new Promise<End>((resolve) => this.ends.push(resolve));
    const index = this.ends.length - 1;
    const end = (): void => this.ends[index]?.({ code: 0, signal: undefined, stderr: '' });
    return { pid: index, port: { dispose: end } as Port, ended, kill: end };
  }
}

describe('a spare process', () => {
  it('is made once and given to the next machine', async () => {
    const processes = new Processes();
    const host = new SpareHost(processes);
    host.prepare();
    host.prepare();
    expect((await host.launch('first')).pid).toBe(0);
    expect((await host.launch('second')).pid).toBe(1);
    expect(processes.titles).toEqual([SPARE_TITLE, 'second']);
  });

  it('that has died, or could not be made, is replaced', async () => {
    const processes = new Processes();
    const host = new SpareHost(processes);
    host.prepare();
    await Promise.resolve();
    processes.ends[0]?.({ code: 1, signal: undefined, stderr: '' });
    await new Promise((resolve) => setImmediate(resolve));
    expect((await host.launch('first')).pid).toBe(1);
    processes.failure = new Error('no processes');
    host.prepare();
    await expect(host.launch('second')).rejects.toThrow('no processes');
    processes.failure = undefined;
    expect((await host.launch('third')).pid).toBe(2);
  });

  it('ends with its owner', async () => {
    const processes = new Processes();
    const host = new SpareHost(processes);
    host.prepare();
    await host.discard();
    await host.discard();
    expect((await host.launch('first')).pid).toBe(1);
  });
});
