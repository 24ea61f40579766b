// A VmHost without processes: the machine runs in this one, behind the same messages.

import { createPortPair } from '../../core/base/port.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import type { VmHost, VmProcess } from '../../core/manager/vm-host.ts';
import { VmServer } from '../../core/vm-process/vm-server.ts';

type End = Awaited<VmProcess['ended']>;

export class InProcessVmHost implements VmHost {
  async launch(_title: string): Promise<VmProcess> {
    const [owner, own] = createPortPair();
    const server = new VmServer(own, createPcMachine);
    let resolveEnd: (end: End) => void = () => undefined;
    const ended = new Promise<End>((resolve) => {
      resolveEnd = resolve;
    });
    let killed = false;
    const end = (): void => {
      void server.dispose().then(() => resolveEnd(killed ? { code: undefined, signal: 'SIGKILL', stderr: '' } : { code: 0, signal: undefined, stderr: '' }));
    };
    own.onClose(end);
    return {
      pid: process.pid,
      port: owner,
      ended,
      kill: () => {
        killed = true;
        own.dispose();
        end();
      },
    };
  }
}
