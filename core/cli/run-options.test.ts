import { describe, expect, it } from 'vitest';
import { type RunFlags, configOf, parseDisk, planOf, serialTargetOf } from './run-options.ts';
import { parseScript } from './script.ts';

const FLAGS: RunFlags = {
  engine: 'auto', jit: 'on', memory: '256', cpus: '1', machine: 'pc', firmware: 'bios',
  cdrom: [], floppy: [], disk: [], net: 'none', serial: 'none', clock: 'host',
};

describe('run options', () => {
  it('makes a configuration', () => {
    const config = configOf({ ...FLAGS, memory: '64', floppy: ['a.img'], disk: ['d.qcow2,format=qcow2,snapshot,if=ide'], boot: 'disk' });
    expect(config.memoryMib).toBe(64);
    expect(config.media).toEqual([
      { kind: 'floppy', path: 'a.img' },
      { kind: 'disk', path: 'd.qcow2', format: 'qcow2', snapshot: true, interface: 'ide' },
    ]);
    expect(config.bootOrder).toEqual(['disk', 'floppy', 'cdrom']);
  });

  it.each([
    [{ memory: '0' }, /--memory 0: must be at least 1/],
    [{ memory: '-5' }, /--memory -5: must be at least 1/],
    [{ memory: '99999999' }, /--memory 99999999: this host has \d+ MiB/],
    [{ memory: '12.5' }, /--memory 12.5: expected a whole number/],
    [{ memory: '' }, /--memory : expected a whole number/],
    [{ cpus: '0' }, /--cpus 0/],
    [{ engine: 'xen' }, /--engine xen: expected one of auto, software, kvm/],
    [{ initrd: 'i' }, /--initrd needs --kernel/],
    [{ append: 'a' }, /--append needs --kernel/],
    [{ net: 'user' }, /--net user: .*not landed/],
    [{ boot: 'network' }, /--boot network: .*not landed/],
    [{ boot: 'tape' }, /--boot tape/],
    [{ disk: ['x,bogus'] }, /unknown part "bogus"/],
    [{ disk: [',readonly'] }, /path is missing/],
  ] as [Partial<RunFlags>, RegExp][])('refuses %j', (flags, message) => {
    expect(() => configOf({ ...FLAGS, ...flags })).toThrow(message);
  });

  it('keeps a doubled comma as part of a path', () => {
    expect(parseDisk('a,,b.img,readonly')).toEqual({ kind: 'disk', path: 'a,b.img', readOnly: true });
  });

  it('checks expectation, time limit and serial target', () => {
    expect(planOf({ ...FLAGS, expect: 'a+', timeout: '1.5' })).toMatchObject({ timeoutMs: 1500 });
    expect(() => planOf({ ...FLAGS, expect: '(' })).toThrow(/--expect/);
    expect(() => planOf({ ...FLAGS, timeout: '0' })).toThrow(/--timeout 0/);
    expect(() => planOf({ ...FLAGS, timeout: 'soon' })).toThrow(/--timeout soon/);
    expect(serialTargetOf('file:/x')).toEqual({ kind: 'file', path: '/x' });
    expect(() => serialTargetOf('tcp:1')).toThrow(/--serial tcp:1/);
  });
});

describe('run script', () => {
  it('takes every kind of step', () => {
    const steps = [
      { wait: 'A:', timeout: 5 }, { type: 'dir\n' }, { key: 'ctrl-alt-delete' }, { sleep: 0.5 }, { screenshot: 'x.png' },
      { screenText: 'x.txt' }, { savevm: 'a' }, { loadvm: 'a' }, { powerButton: true }, { serial: 'ls\n' },
    ];
    expect(parseScript(JSON.stringify(steps), 's.json')).toEqual(steps);
  });

  it.each([
    ['{', /s.json is not JSON/],
    ['{}', /must be a JSON array/],
    ['[{"wait":"("}]', /step 1/],
    ['[{"type":"a"},{"jump":1}]', /step 2: .*not a valid step/],
    ['[null]', /step 1: null/],
    ['[{"type":"a","extra":1}]', /step 1/],
  ])('refuses %s', (source, message) => {
    expect(() => parseScript(source, 's.json')).toThrow(message);
  });
});
