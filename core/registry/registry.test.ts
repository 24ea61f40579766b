import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MIGRATIONS } from './migrations.ts';
import { Registry } from './registry.ts';
import { storedConfigSchema } from './rows.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestbox-registry-'));
  path = join(folder, 'data', 'registry.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const config = storedConfigSchema.parse({ memoryMib: 64 });

function withRegistry<T>(work: (registry: Registry) => T): T {
  let now = 1000;
  const registry = new Registry(path, () => now++);
  try {
    return work(registry);
  } finally {
    registry.dispose();
  }
}

describe('Registry', () => {
  it('keeps VMs with tags and drives across restarts', () => {
    withRegistry((registry) => {
      registry.addMedium({ id: 'm1', kind: 'disk', path: '/d.qcow2', format: 'qcow2', virtualBytes: 1 << 30, backingId: null, managed: true });
      registry.addVm({ id: 'b', name: 'beta', config, tags: ['web', 'Lab'], drives: [{ slot: 'ide0', kind: 'disk', mediumId: 'm1', readOnly: false }] });
      registry.addVm({ id: 'a', name: 'Alpha', config, drives: [{ slot: 'ide2', kind: 'cdrom', mediumId: null, readOnly: true }] });
    });
    withRegistry((registry) => {
      expect(registry.vms().map((vm) => [vm.name, vm.tags, vm.drives.length, vm.config.memoryMib])).toEqual([
        ['Alpha', [], 1, 64],
        ['beta', ['Lab', 'web'], 1, 64],
      ]);
      expect(registry.usersOfMedium('m1')).toEqual(['beta']);
      registry.updateVm('b', { name: 'gamma', tags: [], config: { ...config, memoryMib: 128 } });
      expect(registry.vmByName('GAMMA')).toMatchObject({ id: 'b', tags: [], config: { memoryMib: 128 } });
      expect(() => registry.updateVm('zz', { notes: 'x' })).toThrow(/not in the library/);
    });
  });

  it('refuses a second VM of the same name whatever its case, and changes nothing', () => {
    withRegistry((registry) => {
      registry.addVm({ id: 'a', name: 'Same', config, drives: [] });
      expect(() => registry.addVm({ id: 'b', name: 'same', config, tags: ['t'], drives: [] })).toThrow(/of that name already/);
      expect(registry.vms()).toHaveLength(1);
    });
  });

  it('keeps a medium that is in use', () => {
    withRegistry((registry) => {
      registry.addMedium({ id: 'base', kind: 'disk', path: '/b', format: 'raw', virtualBytes: 512, backingId: null, managed: false });
      registry.addMedium({ id: 'over', kind: 'disk', path: '/o', format: 'qcow2', virtualBytes: 512, backingId: 'base', managed: true });
      expect(() => registry.removeMedium('base')).toThrow(/still uses it/);
      registry.removeMedium('over');
      registry.removeMedium('base');
      expect(registry.media()).toEqual([]);
    });
  });

  it('moves children of a removed snapshot to its parent', () => {
    withRegistry((registry) => {
      registry.addVm({ id: 'v', name: 'v', config, drives: [] });
      const add = (id: string, parentId: string | null): void =>
        registry.addSnapshot({ id, vmId: 'v', parentId, name: id, notes: '', kind: 'offline', config, stateFile: null, sizeBytes: 1, thumbnail: null, media: {}, drives: [] });
      add('s1', null);
      add('s2', 's1');
      add('s3', 's2');
      registry.setCurrentSnapshot('v', 's2');
      registry.removeSnapshot('s2');
      expect(registry.snapshots('v').map((snapshot) => [snapshot.id, snapshot.parentId])).toEqual([['s1', null], ['s3', 's1']]);
      expect(registry.vm('v')?.currentSnapshotId).toBe('s1');
      registry.removeVm('v');
      expect(registry.snapshots('v')).toEqual([]);
    });
  });

  it('keeps the journal until an operation ends', () => {
    const id = withRegistry((registry) => {
      const operation = registry.beginOperation('clone', 'v', 'copy', { target: '/x' });
      registry.advanceOperation(operation, 'register');
      return operation;
    });
    withRegistry((registry) => {
      expect(registry.operations()).toMatchObject([{ id, kind: 'clone', step: 'register', data: { target: '/x' } }]);
      registry.endOperation(id);
      expect(registry.operations()).toEqual([]);
    });
  });
});

describe('opening a registry', () => {
  it('refuses a newer version and leaves the file as it is', () => {
    withRegistry(() => undefined);
    const raw = new Database(path);
    raw.pragma(`user_version = ${MIGRATIONS.length + 1}`);
    raw.close();
    const before = readFileSync(path);
    expect(() => new Registry(path)).toThrow(/newer Nestbox/);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('refuses a file that is no database, or a damaged one, and leaves it as it is', () => {
    withRegistry((registry) => {
      for (let i = 0; i < 200; i++) registry.addVm({ id: `v${i}`, name: `vm ${i}`, config, drives: [] });
    });
    const text = join(folder, 'text.db');
    writeFileSync(text, 'this is not a database, it only looks like a file of some length\n'.repeat(50));
    expect(() => new Registry(text)).toThrow(/is damaged/);
    expect(readFileSync(text, 'utf8')).toContain('not a database');
    const damaged = join(folder, 'damaged.db');
    copyFileSync(path, damaged);
    const bytes = readFileSync(damaged);
    bytes.fill(0xff, 4096 * 3, 4096 * 12);
    writeFileSync(damaged, bytes);
    expect(() => new Registry(damaged)).toThrow(/is damaged.*backup/);
    expect(readFileSync(damaged).equals(bytes)).toBe(true);
  });

  it('is copied at once when the files of the library have become others', () => {
    vi.useFakeTimers();
    try {
      withRegistry((registry) => {
        registry.addVm({ id: 'v', name: 'first', config, drives: [] });
        vi.advanceTimersByTime(10_000);
        const copied = (): string[] => {
          const copy = new Database(`${path}.backup-latest`, { readonly: true });
          const names = copy.prepare('SELECT name FROM vms ORDER BY name').pluck().all() as string[];
          copy.close();
          return names;
        };
        expect(copied()).toEqual(['first']);
        const operation = registry.beginOperation('clone', 'v', 'copy', {});
        registry.transaction(() => {
          registry.addVm({ id: 'w', name: 'second', config, drives: [] });
          registry.endOperation(operation);
        });
        expect(copied()).toEqual(['first']);
        vi.advanceTimersByTime(0);
        expect(copied()).toEqual(['first', 'second']);
      });
    } finally {
      vi.useRealTimers();
    }
  });

  it('keeps a copy before it changes the schema of an older registry', () => {
    withRegistry((registry) => registry.addVm({ id: 'v', name: 'old', config, drives: [] }));
    // An older registry is one that lacks the last step: pretend that there is one more step to take.
    const steps = MIGRATIONS as string[];
    steps.push('CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT;');
    try {
      withRegistry((registry) => expect(registry.vmByName('old')?.id).toBe('v'));
      const copy = `${path}.backup-v${steps.length - 1}`;
      expect(existsSync(copy)).toBe(true);
      const old = new Database(copy, { readonly: true });
      expect(old.pragma('user_version', { simple: true })).toBe(steps.length - 1);
      expect(old.prepare('SELECT name FROM vms').all()).toEqual([{ name: 'old' }]);
      old.close();
    } finally {
      steps.pop();
    }
  });
});
