// From what a host lacks to what its user can do about it.

import type { HostAdvice, HostInfo } from '../protocol/host-info.ts';

export interface Findings extends Omit<HostInfo, 'advice'> {
  /** Nestbox runs inside a container. */
  readonly container: boolean;
}

function noDevice({ system, processor, kvm, container }: Findings): HostAdvice {
  if (container) {
    return { id: 'container-device', severity: 'warning', problem: `This container has no ${kvm.device}.`, action: 'Start the container with the device.', command: `docker run --device ${kvm.device} …` };
  }
  if (processor.virtualization === 'none') {
    return system.virtualMachine
      ? { id: 'nested-off', severity: 'warning', problem: 'This host is a virtual machine without nested virtualization.', action: 'Switch nested virtualization on in the settings of the hypervisor below, then start this virtual machine anew.' }
      : { id: 'virtualization-off', severity: 'warning', problem: 'The processor shows neither VT-x nor AMD-V.', action: 'Switch virtualization on in the computer\'s firmware setup (often called VT-x, SVM or "virtualization technology"); some processors have none.' };
  }
  const module = processor.virtualization === 'svm' ? 'kvm_amd' : 'kvm_intel';
  return { id: 'kvm-module', severity: 'warning', problem: 'The processor can virtualize, but the kernel\'s KVM module is not loaded.', action: 'Load it.', command: `sudo modprobe ${module}` };
}

export function adviceFor(findings: Findings): HostAdvice[] {
  const { system, kvm } = findings;
  if (system.platform !== 'linux') {
    return [{ id: 'other-system', severity: 'info', problem: 'Hardware virtualization is used on Linux only so far.', action: 'Nothing is needed: the software CPU runs all machines.' }];
  }
  if (system.architecture !== 'x64') {
    return [{ id: 'other-processor', severity: 'info', problem: `A PC cannot be virtualized on a ${system.architecture} processor.`, action: 'Nothing is needed: the software CPU runs all machines.' }];
  }
  const detail = kvm.detail ?? 'KVM cannot be used.';
  switch (kvm.status) {
    case 'no-device':
      return [noDevice(findings)];
    case 'no-permission': {
      const group = kvm.permissions?.split(' ')[0]?.split(':')[1];
      const joinable = group !== undefined && group !== 'root';
      return [{ id: 'kvm-permission', severity: 'warning', problem: `This user may not open ${kvm.device}.`, action: joinable ? `Join the group ${group} and log in again.` : 'Let the group kvm have the device, join it and log in again.', command: joinable ? `sudo usermod -aG ${group} $USER` : `sudo chgrp kvm ${kvm.device} && sudo chmod 660 ${kvm.device} && sudo usermod -aG kvm $USER` }];
    }
    case 'busy':
      return [{ id: 'kvm-busy', severity: 'warning', problem: 'Another hypervisor holds the processor\'s virtualization.', action: 'Stop its machines, or unload its kernel modules.', command: 'lsmod | grep -E "vbox|vmmon"' }];
    case 'unsupported':
      return [{ id: 'kvm-old', severity: 'warning', problem: detail, action: 'Update the kernel; Linux 5.10 or newer is needed.' }];
    case 'failed':
      return [{ id: 'kvm-failed', severity: 'warning', problem: detail, action: 'Look into the kernel\'s log.', command: 'sudo dmesg | grep -i kvm' }];
    case 'ready': {
      const advice: HostAdvice[] = [];
      if (findings.engine.auto === 'software') {
        advice.push({ id: 'kvm-modes', severity: 'info', problem: `KVM is there but ${findings.engine.reason.replace(/^this host's KVM is /, '')}.`, action: 'Nothing is needed: the software CPU runs machines faster here. With --engine kvm it takes over only where KVM cannot go on.' });
      }
      if (kvm.nested === false) {
        const module = kvm.modules.includes('kvm_amd') ? 'kvm_amd' : 'kvm_intel';
        advice.push({ id: 'nested-guests', severity: 'info', problem: 'Guests cannot use virtualization themselves.', action: 'Switch nesting on when guests are hypervisors.', command: `echo "options ${module} nested=1" | sudo tee /etc/modprobe.d/kvm-nested.conf` });
      }
      return advice;
    }
  }
}
