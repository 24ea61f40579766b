// Runs one guest on a Nestbox machine in this process and prints, as JSON lines, when each BEGIN and END line came out of
// the serial port and how many guest instructions had retired by then.
// Usage: node nestbox-child.ts KERNEL [on|off]

import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { nullLogger } from '../../core/base/logger.ts';
import { vmConfigSchema } from '../../core/protocol/vm-config.ts';
import { LineTimer } from './peers.ts';

const [, , kernel, jit] = process.argv;
if (kernel === undefined) throw new Error('kernel path expected');
const machine = await createPcMachine(
  vmConfigSchema.parse({
    name: 'bench',
    engine: 'software',
    jit: jit !== 'off',
    memoryMib: 256,
    directBoot: { kernel },
    debugExit: true,
  }),
  nullLogger,
);
const timer = new LineTimer();
const decoder = new TextDecoder('latin1');
let atBegin = 0;
timer.onMark = (kind, name) => {
  const { instructions } = machine.stats();
  if (kind === 'BEGIN') atBegin = instructions;
  else {
    const line = { name, ms: timer.times.ms.get(name), instructions: instructions - atBegin, checksum: timer.times.checksum.get(name) };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
};
machine.onSerialOutput((bytes) => timer.take(decoder.decode(bytes)));
await new Promise<void>((resolve) => {
  machine.onExit(() => resolve());
  machine.start();
});
await machine.dispose();
process.exit(timer.done ? 0 : 1);
