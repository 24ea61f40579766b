// A VmHost that can have a process ready before there is a machine for it: loading the program takes most of the time that a
// restored or forked machine needs to run. The spare process takes its name when it gets its machine.

import type { VmHost, VmProcess } from './vm-host.ts';

/** What `ps` shows until then; core/vm-process knows a spare process by it. */
export const SPARE_TITLE = 'nestbox-vm';

export class SpareHost implements VmHost {
  private readonly host: VmHost;
  private spare: Promise<VmProcess | undefined> | undefined;

  constructor(host: VmHost) {
    this.host = host;
  }

  /** Begins to make a process ready, unless there is one. */
  prepare(): void {
    if (this.spare !== undefined) return;
    const spare = this.host.launch(SPARE_TITLE).then(
      (process) => {
        void process.ended.then(() => {
          if (this.spare === spare) this.spare = undefined;
        });
        return process;
      },
      // Whoever starts a machine is told what is wrong with starting processes.
      () => undefined,
    );
    this.spare = spare;
  }

  async launch(title: string): Promise<VmProcess> {
    const { spare } = this;
    this.spare = undefined;
    return (await spare) ?? this.host.launch(title);
  }

  /** Ends the spare process. */
  async discard(): Promise<void> {
    const { spare } = this;
    this.spare = undefined;
    const process = await spare;
    process?.port.dispose();
    await process?.ended;
  }
}
