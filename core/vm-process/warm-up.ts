// What a process without a machine can do in advance: the BIOS is assembled, the interpreter compiled and the code of a
// machine's start run once, so that the machine which comes is there in a third of the time.

import { nullLogger } from '../base/logger.ts';
import { vmConfigSchema } from '../protocol/vm-config.ts';
import type { MachineFactory } from './vm-server.ts';

const WARM_UP_MEMORY_MIB = 16;

/** Makes a small machine and throws it away. */
export async function warmUp(createMachine: MachineFactory): Promise<void> {
  const machine = await createMachine(vmConfigSchema.parse({ name: 'warm-up', memoryMib: WARM_UP_MEMORY_MIB, engine: 'software' }), nullLogger);
  await machine.dispose();
}
