import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { buildDemoImage } from '../../core/firmware/demo/demo-image.ts';
import { connectRpc } from '../../core/protocol/rpc.ts';
import type { VmCommands, VmEvents, VmExit } from '../../core/protocol/vm-messages.ts';
import { forkUtility } from '../testing/utility-fork.ts';
import { UtilityVmHost } from './utility-vm-host.ts';

const source = fileURLToPath(new URL('../vm/main.ts', import.meta.url));
const bundled = fileURLToPath(new URL('../../dist/app/electron/vm/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'nestbox-utility-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const demo = join(folder, 'demo.img');
writeFileSync(demo, buildDemoImage());
const hostFor = (entry: string): UtilityVmHost =>
  new UtilityVmHost(forkUtility, entry, (pid) => process.kill(pid, 'SIGKILL'));

function events(serial: string[], exits: VmExit[]): VmEvents {
  const known: Record<string, (...args: never[]) => void> = {
    serialOutput: (bytes: Uint8Array) => void serial.push(Buffer.from(bytes).toString('latin1')),
    exited: (exit: VmExit) => void exits.push(exit),
  };
  return new Proxy(known, {
    get: (target, name) => target[String(name)] ?? ((): void => undefined),
  }) as unknown as VmEvents;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe.each([
  ['from its sources', source],
  ['from the bundle', bundled],
])('a VM in a utility process, %s', (_name, entry) => {
  const test = existsSync(entry) ? it : it.skip;
  test(
    existsSync(entry)
      ? 'boots the demo guest and ends when its owner lets go'
      : 'boots the demo guest (skipped: no bundle, npm run build makes it)',
    async () => {
      const child = await hostFor(entry).launch('nestbox-test-vm');
      expect(child.pid).toBeGreaterThan(0);
      const serial: string[] = [];
      const vm = connectRpc<VmCommands, VmEvents>(child.port, events(serial, []));
      await vm.start({ name: 'demo', memoryMib: 128, media: [{ kind: 'floppy', path: demo, snapshot: true }] });
      await until(() => serial.join('').includes('NESTBOX DEMO READY'));
      expect((await vm.stats()).instructions).toBeGreaterThan(1e6);
      child.port.dispose();
      expect((await child.ended).code).toBe(0);
    },
  );

  test(
    existsSync(entry) ? 'dies when it is killed, and its owner is told' : 'dies when it is killed (skipped: no bundle)',
    async () => {
      const child = await hostFor(entry).launch('nestbox-test-vm');
      let closed = false;
      child.port.onClose(() => (closed = true));
      child.kill();
      expect((await child.ended).code).not.toBe(0);
      expect(closed).toBe(true);
    },
  );
});

it('a program that cannot start is reported with what it said', async () => {
  await expect(
    hostFor(fileURLToPath(new URL('./no-such-program.js', import.meta.url)))
      .launch('x')
      .then((child) => child.ended),
  ).resolves.toMatchObject({ code: 1 });
});
