// `npm run lockstep -- OPTIONS`: interpreter and JIT side by side over one guest, to the first difference. Exit code 0: none,
// 1: a difference, reported with registers, memory and the instructions before it. Options are those of `nestbox run`:
// --memory --kernel --initrd --append --floppy --cdrom --disk --firmware, and
//   --until N             instructions to run (default 1,000,000,000)
//   --registers-every N   instructions between comparisons of registers (default 250,000)
//   --checkpoint-every N  such comparisons between checkpoints (default 100)
//   --threshold N         look-ups after which a block is compiled, at once, so that runs repeat (default 32)
//   --serial              show what the reference sends to its serial port
//   --reference on|off    JIT of the reference machine, for checking the check (default off)

import { parseArgs } from 'node:util';
import { nullLogger } from '../../core/base/logger.ts';
import { parseDisk } from '../../core/cli/run-options.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { type VmConfigInput, vmConfigSchema } from '../../core/protocol/vm-config.ts';
import { Lockstep, describeDivergence } from '../support/lockstep.ts';

const text = { type: 'string' } as const;
const several = { type: 'string', multiple: true } as const;
const { values } = parseArgs({
  options: {
    memory: text, kernel: text, initrd: text, append: text, firmware: text, floppy: several, cdrom: several, disk: several,
    until: text, 'registers-every': text, 'checkpoint-every': text, reference: text, threshold: text, serial: { type: 'boolean' },
  },
});

const config: VmConfigInput = {
  name: 'lockstep',
  engine: 'software',
  clock: 'instructions',
  memoryMib: Number(values.memory ?? 128),
  firmware: values.firmware ?? 'bios',
  media: [
    ...(values.floppy ?? []).map((path) => ({ kind: 'floppy' as const, path, snapshot: true })),
    ...(values.cdrom ?? []).map((path) => ({ kind: 'cdrom' as const, path, readOnly: true })),
    ...(values.disk ?? []).map((path) => ({ ...parseDisk(path), snapshot: true })),
  ],
  ...(values.kernel === undefined ? {} : { directBoot: { kernel: values.kernel, commandLine: values.append ?? '', ...(values.initrd === undefined ? {} : { initrd: values.initrd }) } }),
};
const reference = await createPcMachine(vmConfigSchema.parse({ ...config, jit: values.reference === 'on' }), nullLogger);
const subject = await createPcMachine(vmConfigSchema.parse({ ...config, jit: true, jitThreshold: Number(values.threshold ?? 32) }), nullLogger);
if (values.serial === true) reference.onSerialOutput((bytes) => process.stdout.write(bytes));
const result = await new Lockstep({
  reference,
  subject,
  until: Number(values.until ?? 1e9),
  registersEvery: Number(values['registers-every'] ?? 250_000),
  checkpointEvery: Number(values['checkpoint-every'] ?? 100),
  onProgress: (instructions) => process.stderr.write(`\rlockstep: equal after ${(instructions / 1e6).toFixed(0)} M instructions, ${(subject.stats().jit.compiledShare * 100).toFixed(0)} % compiled `),
}).run();
process.stderr.write('\n');
if (result.divergence === undefined) console.log(`no difference in ${result.instructions} instructions${result.exit === undefined ? '' : `; both ended: ${result.exit}`}`);
else console.log(describeDivergence(result.divergence));
await reference.dispose();
await subject.dispose();
process.exit(result.divergence === undefined ? 0 : 1);
