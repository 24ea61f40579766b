// `nestbox host info`: what this host offers, and what to do about what it lacks.

import type { Command } from 'commander';
import { readHostInfo } from '../host/host-info.ts';
import type { HostInfo } from '../protocol/host-info.ts';
import { EXIT_OK } from './exit-codes.ts';

const VIRTUALIZATION = { vmx: 'Intel VT-x (vmx)', svm: 'AMD-V (svm)', none: 'none shown', unknown: 'not known' } as const;
const STATUS = { ready: 'ready', 'no-device': 'no device', 'no-permission': 'no permission', busy: 'in use by another hypervisor', unsupported: 'not usable', failed: 'failed' } as const;

function row(name: string, value: string): string {
  return `${name.padEnd(18)}${value}`;
}

export function hostInfoText(info: HostInfo): string {
  const { system, processor, kvm } = info;
  const lines = [
    row('system', `${system.platform} ${system.release}, ${system.architecture}, ${system.memoryMib} MiB${system.virtualMachine ? ', itself a virtual machine' : ''}`),
    row('processor', `${processor.model}, ${processor.logicalProcessors} logical`),
    row('virtualization', VIRTUALIZATION[processor.virtualization]),
    row('KVM', `${STATUS[kvm.status]}${kvm.apiVersion === undefined ? '' : `, interface version ${kvm.apiVersion}`}`),
    row('device', kvm.permissions === undefined ? `${kvm.device}: not there` : `${kvm.device}, ${kvm.permissions}`),
  ];
  if (kvm.modules.length > 0) lines.push(row('modules', `${kvm.modules.join(', ')}${kvm.nested === undefined ? '' : kvm.nested ? ', nesting on' : ', nesting off'}`));
  if (kvm.status === 'ready') {
    lines.push(row('virtual CPUs', `${kvm.recommendedVcpus ?? '?'} recommended, ${kvm.maxVcpus ?? '?'} at most`));
    if (kvm.exitMicroseconds !== undefined) lines.push(row('exit', `${kvm.exitMicroseconds} µs a port access`));
    lines.push('', 'Modes that were tried:');
    for (const mode of kvm.modes) {
      const verdict = !mode.works ? `missing: ${mode.detail ?? ''}` : mode.interpreted ? `interpreted by the kernel, ${mode.mips} million instructions a second` : 'on the processor';
      lines.push(`  ${mode.title.padEnd(34)}${verdict}`);
    }
    lines.push('', 'Capabilities:');
    for (const capability of kvm.capabilities) lines.push(`  ${capability.name.padEnd(28)}${(capability.present ? String(capability.value) : 'no').padEnd(8)}${capability.use}`);
  }
  lines.push('', row('--engine auto', `${info.engine.auto === 'kvm' ? 'KVM' : 'the software CPU'}: ${info.engine.reason}`));
  for (const advice of info.advice) lines.push('', `${advice.severity === 'warning' ? 'To do: ' : 'Note: '}${advice.problem}`, `  ${advice.action}`, ...(advice.command === undefined ? [] : [`  ${advice.command}`]));
  return `${lines.join('\n')}\n`;
}

export function addHostCommand(program: Command, finish: (code: number) => void): void {
  const host = program.command('host').description('what this computer offers to virtual machines');
  host
    .command('info')
    .description('KVM, processor, permissions, and what to do about what is missing')
    .option('--json', 'as JSON')
    .allowExcessArguments(false)
    .action(async (flags: { json?: boolean }) => {
      const info = await readHostInfo();
      process.stdout.write(flags.json === true ? `${JSON.stringify(info, undefined, 2)}\n` : hostInfoText(info));
      finish(EXIT_OK);
    });
}
