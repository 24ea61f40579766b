// The KVM engine on a stock kernel's KVM: QEMU's TCG emulates a processor with AMD-V, Debian's kernel with kvm-amd runs on
// it, Nestbox runs there and boots its own guests. Slow: everything below is emulated.

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { echoImage } from '../conformance/echo-image.ts';
import { debianKernel } from '../support/guests.ts';
import { busybox, busyboxInitrd } from '../support/initrd.ts';
import { nestedImage } from '../support/nested-image.ts';
import { temporaryFolder } from '../support/nestbox.ts';
import { NO_QEMU, hasQemu } from '../support/screens.ts';

const LIMIT_MS = Number(process.env.NESTBOX_NESTED_LIMIT_MS ?? 3_300_000);

/**
 * Node 24 crashed at its start on `max` of QEMU 7.2; without the newest parts it runs. XSAVE is left out because that QEMU does not
 * intercept XSETBV for KVM: a guest's XCR0 is forgotten at the next exit, and Linux ends a program at its first signal, whose
 * frame cannot be restored.
 */
const CPU = 'max,+svm,-pku,-la57,-avx,-avx2,-f16c,-mpx,-xsave,-xsaveopt,-xsavec,-xsaves,-xgetbv1';

const SCRIPT = `
import { readHostInfo } from '/nest/core/host/host-info.ts';
import { createPcMachine } from '/nest/core/machine/pc-machine.ts';
import { vmConfigSchema } from '/nest/core/protocol/vm-config.ts';
const say = (name, value) => console.log('nest: ' + name + ' ' + JSON.stringify(value));
const info = await readHostInfo();
say('kvm', { status: info.kvm.status, detail: info.kvm.detail, virtualization: info.processor.virtualization, auto: info.engine.auto, reason: info.engine.reason, exit: info.kvm.exitMicroseconds });
for (const mode of info.kvm.modes) say('mode', mode);
const log = { enabled: (level) => level !== 'debug' && level !== 'trace', log: (level, text) => console.log('nest: log ' + level + ' ' + text), child: () => log };
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function run(name, config, found, seconds, during) {
  const started = performance.now();
  const machine = await createPcMachine(vmConfigSchema.parse({ name, engine: 'kvm', kvmHandOff: 'when-needed', ...config }), log);
  let serial = '';
  machine.onSerialOutput((bytes) => { serial += Buffer.from(bytes).toString('latin1'); });
  machine.start();
  let ok = false;
  while (!ok && performance.now() - started < seconds * 1000 && machine.state !== 'stopped') {
    await pause(200);
    const screen = machine.textScreen()?.lines.map((line) => line.trimEnd()).join('\\n') ?? '';
    if (during !== undefined) await during(machine, screen);
    ok = found(screen, serial);
  }
  const { exits, engine } = machine.stats();
  say(name, { ok, seconds: Math.round((performance.now() - started) / 1000), engine, exits, head: serial.slice(0, 300), tail: serial.slice(-600) });
  await machine.dispose();
}
let typed = false;
await run('echo', { memoryMib: 8, media: [{ kind: 'floppy', path: '/nest/files/echo.img', snapshot: true }] }, (screen) => /\\[a\\]/.test(screen), 120, async (machine, screen) => {
  if (!typed && /^>$/m.test(screen)) { typed = true; await machine.typeText('a'); }
});
await run('linux', { memoryMib: 192, directBoot: { kernel: '/nest/files/vmlinuz', initrd: '/nest/files/initrd', commandLine: 'console=ttyS0 panic=-1' } }, (_screen, serial) => /inner guest is up/.test(serial), 2400);
say('done', true);
process.exit(0);
`;

function suite(): { title: string; skip: boolean; kernel: string; cloud: string } {
  const title = 'KVM engine in a guest with nested virtualization';
  if (!hasQemu()) return { title: `${title} (${NO_QEMU})`, skip: true, kernel: '', cloud: '' };
  const kernel = debianKernel('amd64');
  const cloud = debianKernel('cloud-amd64');
  const shell = busybox('amd64');
  if (kernel === undefined || cloud === undefined || shell === undefined) return { title: `${title} (skipped: Debian's kernels or busybox cannot be had)`, skip: true, kernel: '', cloud: '' };
  return { title, skip: false, kernel, cloud };
}

const { title, skip, kernel, cloud } = suite();

describe(title, () => {
  it.skipIf(skip)('runs a boot sector and a stock Linux kernel on hardware-style KVM', async () => {
    const folder = temporaryFolder();
    const shell = busybox('amd64');
    if (shell === undefined) throw new Error('no busybox');
    const image = nestedImage({
      kernelFolder: dirname(dirname(kernel)),
      script: SCRIPT,
      files: { 'echo.img': echoImage(), vmlinuz: readFileSync(cloud), initrd: busyboxInitrd(shell, 'echo "inner guest is up"; sleep 5; poweroff -f') },
    });
    if (image === undefined) throw new Error('Node for Linux is not installed');
    writeFileSync(join(folder, 'image'), image);
    const child = spawn('qemu-system-x86_64', [
      '-accel', 'tcg', '-cpu', CPU, '-m', '1800', '-smp', '2', '-display', 'none', '-monitor', 'none', '-net', 'none', '-no-reboot', '-serial', 'stdio',
      '-kernel', kernel, '-initrd', join(folder, 'image'), '-append', 'console=ttyS0 panic=-1 tsc=reliable',
    ], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (process.env.NESTBOX_NESTED_LOG !== undefined) writeFileSync(process.env.NESTBOX_NESTED_LOG, text);
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    await new Promise<void>((resolve) => child.once('close', () => resolve()));
    clearTimeout(timer);
    const reports = new Map<string, Record<string, unknown>>();
    for (const match of text.matchAll(/^nest: (\w+) (\{.*\})\r?$/gm)) reports.set(match[1] ?? '', JSON.parse(match[2] ?? '{}') as Record<string, unknown>);
    console.log(text.split('\n').filter((line) => line.startsWith('nest: ')).join('\n'));
    expect(reports.get('kvm'), text.slice(-3000)).toMatchObject({ status: 'ready', virtualization: 'svm' });
    expect(reports.get('echo')).toMatchObject({ ok: true, engine: 'kvm' });
    expect(reports.get('linux')).toMatchObject({ ok: true, engine: 'kvm' });
    // The guest stays in KVM but for trials of the watch over lost guests, which such a slow processor looks like, and on a
    // busy host interrupts in flight: a boot takes a thousand times as many instructions.
    const exits = reports.get('linux')?.exits as Record<string, number>;
    expect(exits.kvmRuns).toBeGreaterThan(10_000);
    expect(exits.interpreted).toBeLessThan(5_000_000);
  });
});
