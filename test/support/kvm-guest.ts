// One machine on the KVM engine in this process, with its serial output.

import type { Logger } from '../../core/base/logger.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { type VmConfigInput, vmConfigSchema } from '../../core/protocol/vm-config.ts';
import { until } from './screens.ts';

const silent: Logger = { enabled: () => false, log: () => undefined, child: () => silent };
/** Seconds. */
const LIMIT = 480;

export interface KvmGuest extends AsyncDisposable {
  serial(): string;
  exits(): Readonly<Record<string, number>>;
  /** Waits for something in the serial output, or for the guest to power off. */
  until(done: (serial: string, off: boolean) => boolean): Promise<void>;
}

/** Starts it; fails when the software CPU has to stand in. */
export async function startKvm(config: Omit<VmConfigInput, 'name'>): Promise<KvmGuest> {
  const machine = await createPcMachine(vmConfigSchema.parse({ name: 'test', engine: 'kvm', ...config }), silent);
  const { engine, engineReason } = machine.stats();
  if (engine !== 'kvm') {
    await machine.dispose();
    throw new Error(`no KVM: ${engineReason}`);
  }
  let serial = '';
  machine.onSerialOutput((bytes) => (serial += Buffer.from(bytes).toString('latin1')));
  machine.start();
  return {
    serial: () => serial,
    exits: () => machine.stats().exits,
    until: async (done) => {
      await until('the guest to get there', LIMIT, () => Promise.resolve(done(serial, machine.state === 'stopped') ? true : undefined)).catch((cause: unknown) => {
        throw new Error(`${machine.state}; serial: ${serial.slice(-500)}; ${JSON.stringify(machine.stats().exits)}`, { cause });
      });
    },
    [Symbol.asyncDispose]: () => machine.dispose(),
  };
}
