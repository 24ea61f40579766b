// Instructions a second of the bare interpreter on the kernels of ../shared/bench: node test/perf/interpreter-kernels.ts
// [32|64] [first kernel …]. No devices and no event loop, so that changes of the interpreter itself show.

import { readFileSync } from 'node:fs';
import { EXIT } from '../../core/cpu/isa/layout.ts';
import { bareInterpreter } from '../cpu/interpreter/bare-interpreter.ts';

const bits = process.argv[2] === '32' ? 32 : 64;
const jitThreshold = Number(process.env['JIT'] ?? 0);
const only = process.argv.slice(3);
const elf = readFileSync(new URL(`../../../shared/bench/bench${bits}.elf`, import.meta.url));

/** CPU time, not wall time: machines that run tests are shared. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

let line = '';
let done = false;
let startMs = 0;
let startCount = 0;
const rows: string[] = [];
let total = 0;
let totalMs = 0;

const cpu = bareInterpreter({
  ramMib: 256,
  jitThreshold,
  portIn: (port) => (port === 0x3fd ? 0x60 : 0xffffffff),
  portOut: (port, _size, value) => {
    if (port === 0xf4) done = true;
    if (port !== 0x3f8) return;
    if (value !== 10) {
      line += String.fromCharCode(value & 0xff);
      return;
    }
    const [word, name] = line.split(' ');
    if (word === 'BEGIN') {
      startMs = cpuMs();
      startCount = cpu.exports.currentInstructionCount();
    } else if (word === 'END' && name !== undefined) {
      const ms = cpuMs() - startMs;
      const count = cpu.exports.currentInstructionCount() - startCount;
      total += count;
      totalMs += ms;
      rows.push(line);
      console.log(
        `${name.padEnd(10)} ${(ms / 1000).toFixed(2).padStart(7)} s ${(count / 1e6).toFixed(0).padStart(6)} M instructions ${(count / ms / 1000).toFixed(1).padStart(7)} M/s  ${line.split(' ')[2] ?? ''}`,
      );
      if (only.length > 0 && only.every((wanted) => rows.some((row) => row.includes(wanted)))) done = true;
    }
    line = '';
  },
});

const { file, ram } = cpu;
const programHeaders =
  elf.readUInt32LE(4) >= 0 && elf[4] === 2
    ? { at: Number(elf.readBigUInt64LE(32)), size: elf.readUInt16LE(54), count: elf.readUInt16LE(56), wide: true }
    : { at: elf.readUInt32LE(28), size: elf.readUInt16LE(42), count: elf.readUInt16LE(44), wide: false };
for (let i = 0; i < programHeaders.count; i++) {
  const at = programHeaders.at + i * programHeaders.size;
  if (elf.readUInt32LE(at) !== 1) continue;
  const offset = programHeaders.wide ? Number(elf.readBigUInt64LE(at + 8)) : elf.readUInt32LE(at + 4);
  const target = programHeaders.wide ? Number(elf.readBigUInt64LE(at + 24)) : elf.readUInt32LE(at + 12);
  const bytes = programHeaders.wide ? Number(elf.readBigUInt64LE(at + 32)) : elf.readUInt32LE(at + 16);
  ram.set(elf.subarray(offset, offset + bytes), target);
}
for (let i = 0; i < 6; i++) {
  file.set32('SEG_SELECTOR', i === 1 ? 8 : 16, i);
  file.set64('SEG_BASE', 0n, i);
  file.set32('SEG_LIMIT', 0xffffffff, i);
  file.set32('SEG_ACCESS', i === 1 ? 0xc09b : 0xc093, i);
}
file.set64('CR0', 0x11n);
file.set64('GPR', 0x2badb002n, 0);
file.set64('RIP', BigInt(programHeaders.wide ? Number(elf.readBigUInt64LE(24)) : elf.readUInt32LE(24)));
cpu.exports.refreshDerived();
while (!done) {
  const reason = cpu.run(1 << 24);
  if (!done && (reason !== EXIT.BUDGET || cpu.faults.length > 0)) {
    console.log('stopped', reason, cpu.faults.slice(-3), file.get64('RIP').toString(16));
    break;
  }
}
if (totalMs > 0)
  console.log(`all        ${(totalMs / 1000).toFixed(2).padStart(7)} s ${(total / totalMs / 1000).toFixed(1)} M/s`);
