// What every VmHost promises, whatever runs the machine: this process, a Node child, or Electron's utility process (a Node
// child with its interface stands in, from the sources and from the bundle).

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import type { VmHost, VmProcess } from '../../core/manager/vm-host.ts';
import { connectRpc } from '../../core/protocol/rpc.ts';
import type { VmCommands, VmEvents, VmExit } from '../../core/protocol/vm-messages.ts';
import { UtilityVmHost } from '../../electron/main/utility-vm-host.ts';
import { forkUtility } from '../../electron/testing/utility-fork.ts';
import { floppyWith } from '../support/boot-sector.ts';
import { InProcessVmHost } from '../support/in-process-vm-host.ts';
import { temporaryFolder } from '../support/nestbox.ts';

/** Says "up" on the serial port, then counts there for ever: a machine that stands still would show. */
const COUNTING = `
        mov dx, 0x3f8
        mov al, 'u'
        out dx, al
        mov al, 'p'
        out dx, al
again:  mov cx, 2000
wait:   in al, 0x80
        loop wait
        mov dx, 0x3f8
        mov al, '.'
        out dx, al
        jmp again
`;

const utility = (entry: string): VmHost => new UtilityVmHost(forkUtility, fileURLToPath(new URL(entry, import.meta.url)), (pid) => process.kill(pid, 'SIGKILL'));
const bundle = '../../dist/app/electron/vm/main.js';
const HOSTS: readonly (readonly [name: string, host: () => VmHost, missing: boolean])[] = [
  ['in this process', () => new InProcessVmHost(), false],
  ['a child process', () => new NodeVmHost(), false],
  ['a utility process, from its sources', () => utility('../../electron/vm/main.ts'), false],
  ['a utility process, from the bundle', () => utility(bundle), !existsSync(new URL(bundle, import.meta.url))],
];

interface Vm {
  readonly process: VmProcess;
  readonly commands: VmCommands;
  serial: string;
  exit: VmExit | undefined;
}

async function launch(host: VmHost, name: string): Promise<Vm> {
  const child = await host.launch(`nestbox-vm ${name}`);
  const known: Record<string, (...args: never[]) => void> = {
    serialOutput: (bytes: Uint8Array) => {
      vm.serial += Buffer.from(bytes).toString('latin1');
    },
    exited: (exit: VmExit) => {
      vm.exit = exit;
    },
  };
  const events = new Proxy(known, { get: (target, event) => target[String(event)] ?? ((): void => undefined) }) as unknown as VmEvents;
  const vm: Vm = { process: child, commands: connectRpc<VmCommands, VmEvents>(child.port, events), serial: '', exit: undefined };
  return vm;
}

function floppy(): string {
  const path = join(temporaryFolder(), 'counting.img');
  writeFileSync(path, floppyWith(COUNTING));
  return path;
}

const config = (name: string, path: string): Parameters<VmCommands['start']>[0] => ({ name, memoryMib: 8, jit: false, media: [{ kind: 'floppy', path, snapshot: true }] });
const counting = async (vm: Vm): Promise<void> => {
  const before = vm.serial.length;
  await expect.poll(() => vm.serial.length, { timeout: 60_000 }).toBeGreaterThan(before + 3);
};

describe.each(HOSTS)('a VM host: %s', (_name, makeHost, missing) => {
  const test = missing ? it.skip : it;
  const why = missing ? ' (skipped: no bundle, npm run build makes it)' : '';

  test(`runs a machine, answers, and ends it when its owner lets go${why}`, async () => {
    const vm = await launch(makeHost(), 'one');
    expect(vm.process.pid).toBeGreaterThan(0);
    await vm.commands.start(config('one', floppy()));
    await expect.poll(() => vm.serial, { timeout: 60_000 }).toMatch(/up\./);
    await vm.commands.pause();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const still = vm.serial.length;
    expect((await vm.commands.stats()).instructions).toBeGreaterThan(1000);
    expect(vm.serial.length).toBe(still);
    await vm.commands.resume();
    await counting(vm);
    vm.process.port.dispose();
    expect(await vm.process.ended).toMatchObject({ code: 0, signal: undefined });
  });

  test(`runs two at once; one that is killed leaves the other untouched${why}`, async () => {
    const host = makeHost();
    const path = floppy();
    const [first, second] = await Promise.all([launch(host, 'first'), launch(host, 'second')]);
    if (host instanceof InProcessVmHost) expect(first.process.pid).toBe(second.process.pid);
    else expect(first.process.pid).not.toBe(second.process.pid);
    await Promise.all([first.commands.start(config('first', path)), second.commands.start(config('second', path))]);
    await Promise.all([counting(first), counting(second)]);
    let closed = false;
    first.process.port.onClose(() => {
      closed = true;
    });
    first.process.kill();
    const end = await first.process.ended;
    expect(end.signal === 'SIGKILL' || (end.code ?? 0) !== 0).toBe(true);
    expect(closed).toBe(true);
    const dead = first.serial.length;
    await counting(second);
    expect(first.serial.length).toBe(dead);
    expect((await second.commands.stats()).instructions).toBeGreaterThan(1000);
    await second.commands.powerOff();
    expect(second.exit?.reason).toBe('host');
    second.process.port.dispose();
    expect((await second.process.ended).code).toBe(0);
  });

  test(`tells what is wrong with a configuration, as an error of the host side${why}`, async () => {
    const vm = await launch(makeHost(), 'wrong');
    const path = join(temporaryFolder(), 'no such.img');
    await expect(vm.commands.start(config('wrong', path))).rejects.toMatchObject({ name: 'NestboxError', kind: 'bad-input', message: expect.stringContaining('no such.img') as string });
    vm.process.port.dispose();
    expect((await vm.process.ended).code).toBe(0);
  });
});
