// `nestbox run`: a throw-away VM, or a check of one.

import type { Command } from 'commander';
import { NodeVmHost } from '../host/node-vm-host.ts';
import { driveRun } from './run-session.ts';
import { type RunFlags, configOf, planOf, serialTargetOf } from './run-options.ts';
import { connectSerial } from './serial-io.ts';
import { VmSession } from './vm-session.ts';

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

export function addRunCommand(program: Command, finish: (code: number) => void): void {
  program
    .command('run')
    .description('run a throw-away virtual machine, or check that one shows what is expected')
    .option('--engine <auto|software|kvm>', 'CPU engine; auto takes KVM where it works', 'auto')
    .option('--kvm-hand-off <when-faster|when-needed>', "KVM: let the software CPU take over what this host's KVM interprets itself, or only what it cannot do", 'when-faster')
    .option('--kvm-irqchip <auto|kernel|user>', "KVM: whose interrupt controllers; auto takes the kernel's where every mode works in KVM", 'auto')
    .option('--jit <on|off>', 'translate hot guest code', 'on')
    .option('--memory <MIB>', 'guest memory in MiB', '256')
    .option('--cpus <N>', 'number of virtual CPUs', '1')
    .option('--machine <pc>', 'board', 'pc')
    .option('--mode <full|paravirt>', 'full: only devices of a real PC; paravirt (not landed yet): virtio devices and hypervisor interfaces too')
    .option('--personality <none|kvm>', "hypervisor that the guest sees: none, or KVM's CPUID leaves and clock", 'none')
    .option('--firmware <bios|PATH>', "built-in BIOS, or an image such as SeaBIOS' bios-256k.bin or OVMF.fd", 'bios')
    .option('--cdrom <PATH>', 'CD or DVD image (repeatable)', collect, [])
    .option('--floppy <PATH>', 'floppy image (repeatable)', collect, [])
    .option('--disk <PATH[,format=raw|qcow2][,readonly][,snapshot][,if=ide|virtio]>', 'disk image (repeatable)', collect, [])
    .option('--kernel <PATH>', 'boot this kernel directly: Linux bzImage, ELF with a PVH note, Multiboot 1')
    .option('--initrd <PATH>', 'initial RAM disk, or Multiboot module, for --kernel')
    .option('--append <TEXT>', 'command line for --kernel')
    .option('--boot <cdrom|disk|floppy|network>', 'first boot device')
    .option('--net <none|user[,forward=HOST:GUEST]>', 'network', 'none')
    .option('--serial <stdio|none|file:PATH>', 'first serial port', 'none')
    .option('--debug-exit', 'add port 0xF4: writing v ends the run with exit status (v<<1)|1')
    .option('--expect <REGEX>', 'succeed when this text appears on the serial port or the text screen')
    .option('--timeout <SECONDS>', 'give up after this time (exit code 124)')
    .option('--script <FILE>', 'JSON array of steps to run')
    .option('--screenshot <PATH>', 'PNG of the screen when the run ends')
    .option('--stats <PATH>', 'statistics as JSON when the run ends')
    .option('--clock <host|instructions>', 'real time, or deterministic', 'host')
    .option('--trace <PATH>', 'one line per executed instruction (slow)')
    .allowExcessArguments(false)
    .action(async (flags: RunFlags) => {
      finish(await runCommand(flags));
    });
}

export async function runCommand(flags: RunFlags): Promise<number> {
  const config = configOf(flags);
  const plan = planOf(flags);
  const serial = serialTargetOf(flags.serial);
  const session = await VmSession.launch(new NodeVmHost(), 'nestbox-vm run', (level, source, message) => {
    // Which engine runs the machine and why is worth a line to somebody who looks on.
    if (level === 'error' || level === 'warn' || (level === 'info' && process.stderr.isTTY)) process.stderr.write(`nestbox: ${source}: ${message}\n`);
  });
  const quit = (): void => {
    void session.vm.powerOff().catch(() => undefined);
  };
  process.on('SIGINT', quit);
  process.on('SIGTERM', quit);
  let connection;
  try {
    connection = connectSerial(session, serial, quit);
    await session.start(config);
    return await driveRun(session, plan);
  } finally {
    connection?.dispose();
    await session.end();
    process.off('SIGINT', quit);
    process.off('SIGTERM', quit);
  }
}
