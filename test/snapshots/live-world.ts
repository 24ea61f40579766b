// A library in memory with one machine that runs: real snapshots, real states, real disks, real memory; only the processor is
// played, by a guest that counts: the same number goes to memory and to the disk, so that a state and its disks can be seen
// to be of one instant.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { LiveDisk, switchToOverlay } from '../../core/block/live-disk.ts';
import { openChain } from '../../core/block/image-chain.ts';
import { createQcow2 } from '../../core/block/qcow2/create-qcow2.ts';
import { type FilesChange, MemoryHostFiles } from '../../core/host/files/memory-host-files.ts';
import { DiskMerger } from '../../core/machine/disk-merger.ts';
import { LazyMemory } from '../../core/machine/state-restore.ts';
import { type ForkedMachine, StateForker } from '../../core/machine/state-forker.ts';
import { StateTaker } from '../../core/machine/state-taker.ts';
import { DiskLayers } from '../../core/manager/snapshots/disk-layers.ts';
import type { VmControl } from '../../core/manager/snapshots/snapshot-operations.ts';
import { SnapshotService } from '../../core/manager/snapshots/snapshot-service.ts';
import { layOutMemory } from '../../core/memory/layout.ts';
import { PhysicalMemory } from '../../core/memory/physical-memory.ts';
import type { VmCommands } from '../../core/protocol/vm-messages.ts';
import { Registry } from '../../core/registry/registry.ts';
import { storedConfigSchema } from '../../core/registry/rows.ts';
import { HandoverState } from '../../core/state-store/handover.ts';
import { StateStore } from '../../core/state-store/state-store.ts';

export const VM = 'vm';
export const DISK_BYTES = 256 * 1024;
const PAGE = 4096;
const RAM_BYTES = 128 * 1024;
const COUNTER_AT = 3 * PAGE;
const WATCHER = { progress: () => undefined, screen: () => ({ width: 2, height: 2, pixels: new Uint8Array(16) }) };

function freshMemory(): PhysicalMemory {
  const layout = layOutMemory({ ramBytes: RAM_BYTES, romBytes: PAGE, vramBytes: PAGE, vcpus: 0 });
  const memory = new PhysicalMemory(new SharedArrayBuffer(layout.totalBytes), layout);
  memory.mapRam();
  return memory;
}

/** Memories are large, because of the tables around them: one for every role, used again by every world. */
const ownMemory = freshMemory();
const otherMemory = freshMemory();

/** What a VM process is to the manager. */
export class PlayedVm {
  readonly memory: PhysicalMemory;
  readonly disk: LiveDisk;
  private readonly taker: StateTaker;
  private readonly forker: StateForker;
  private readonly merger: DiskMerger;
  /** Last number that was written to the disk and flushed. */
  safe = 0;
  running = true;
  private still: Promise<void> = Promise.resolve();

  constructor(files: MemoryHostFiles, memory: PhysicalMemory, disk: LiveDisk) {
    this.memory = memory;
    this.disk = disk;
    const machine: ForkedMachine = {
      memory,
      files,
      standStill: async (stay, work) => {
        const before = this.still;
        let goOn = (): void => undefined;
        this.still = new Promise((resolve) => (goOn = resolve));
        await before;
        try {
          return await work();
        } finally {
          if (stay) this.running = false;
          goOn();
        }
      },
      goOn: () => {
        this.running = true;
      },
      saveFields: async () => ({ format: 'nestbox-machine', version: 1, configuration: {}, timeNs: 0, random: [1, 2, 3, 4], cpus: [], devices: {} }),
      flushDisks: () => disk.flush(),
      moveDisks: async (overlays) => {
        for (const { path } of overlays) await switchToOverlay(disk, path, files);
      },
      nowMs: () => performance.now(),
      canHold: true,
      ready: async () => undefined,
      marksTaken: () => undefined,
      onFull: () => undefined,
    };
    this.taker = new StateTaker(machine);
    this.forker = new StateForker(machine);
    this.merger = new DiskMerger(() => disk, files);
  }

  /** The guest counts: memory and disk get the number while nothing can come between. */
  async count(value: number): Promise<void> {
    const before = this.still;
    let goOn = (): void => undefined;
    this.still = new Promise((resolve) => (goOn = resolve));
    await before;
    try {
      if (!this.running) return;
      this.memory.write32(COUNTER_AT, value);
      this.memory.write(((value % 20) + 8) * PAGE, new Uint8Array(64).fill(value));
      await this.disk.write(0, numberBlock(value));
      await this.disk.write(65536 * (1 + (value % 3)), new Uint8Array(4096).fill(value));
    } finally {
      goOn();
    }
    await this.disk.flush();
    this.safe = value;
  }

  readonly commands = {
    takeState: (spec: Parameters<VmCommands['takeState']>[0]) => this.taker.take(spec, WATCHER),
    cancelTakeState: async () => this.taker.cancel(),
    handOver: (spec: Parameters<VmCommands['handOver']>[0]) => this.forker.handOver(spec),
    handedOver: () => this.forker.handedOver(),
    memoryLoaded: async () => undefined,
    mergeDisk: (spec: Parameters<VmCommands['mergeDisk']>[0]) => this.merger.merge(spec, () => undefined),
    finishMergeDisk: (slot: string) => this.merger.finish(slot),
    cancelMergeDisk: async () => this.merger.cancel(),
  } as unknown as VmCommands;
}

function numberBlock(value: number): Uint8Array {
  const block = new Uint8Array(512);
  new DataView(block.buffer).setUint32(0, value, true);
  return block;
}

let worlds = 0;
/** In memory where the host has such a folder: SQLite's own promises are its own, and here only cost time. */
const registries = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'nestbox-worlds-'));
afterAll(() => rmSync(registries, { recursive: true, force: true }));

export class LiveWorld {
  files = new MemoryHostFiles();
  readonly registry = new Registry(join(registries, `${worlds++}.db`));
  vm: PlayedVm | undefined;
  /** Counters that the forks of this world began with, by VM. */
  readonly forked = new Map<string, number>();
  private readonly flushed = new Map<number, Uint8Array>();
  changes = 0;

  readonly control: VmControl = {
    commands: (id) => (id === VM ? this.vm?.commands : undefined),
    start: async (id) => {
      if (id !== VM) this.forked.set(id, await this.startFork(id));
    },
    powerOff: async () => {
      // A process that ends tells nobody of what it could not write.
      await this.vm?.disk.close().catch(() => undefined);
      this.vm = undefined;
    },
    diskFolder: () => '/d',
    changed: () => undefined,
    freeName: (name) => name,
  };

  service(): SnapshotService {
    return new SnapshotService({ registry: this.registry, files: this.files, stateFolder: '/s', control: this.control });
  }

  private service_: SnapshotService | undefined;

  /** The one that the running manager has. */
  get running(): SnapshotService {
    return (this.service_ ??= this.service());
  }

  async begin(): Promise<void> {
    const file = await this.files.create('/d/base.qcow2');
    await createQcow2(file, { sizeBytes: DISK_BYTES });
    await file.close();
    this.registry.addMedium({ id: 'base', kind: 'disk', path: '/d/base.qcow2', format: 'qcow2', virtualBytes: DISK_BYTES, backingId: null, managed: true });
    this.registry.addVm({ id: VM, name: 'x', config: storedConfigSchema.parse({}), drives: [{ slot: 'ide0', kind: 'disk', mediumId: 'base', readOnly: false }] });
    ownMemory.ram.fill(0);
    ownMemory.contentsReplaced();
    this.vm = new PlayedVm(this.files, ownMemory, new LiveDisk(await openChain(this.links(this.present(VM)), { files: this.files })));
    await this.vm.count(1);
  }

  present(vmId: string): string {
    return this.registry.vm(vmId)?.drives[0]?.mediumId ?? '';
  }

  links(mediumId: string): { path: string; format: 'raw' | 'qcow2' }[] {
    return new DiskLayers(this.registry, this.files).links(mediumId);
  }

  /** The number on a disk. */
  async onDisk(mediumId: string): Promise<number> {
    const disk = await openChain(this.links(mediumId), { files: this.files, readOnly: true });
    const block = new Uint8Array(512);
    await disk.read(0, block);
    await disk.close();
    return new DataView(block.buffer).getUint32(0, true);
  }

  /** The number in a state's memory; all of it is read. */
  async inState(id: string): Promise<number> {
    const state = await new StateStore(this.files, '/s').open(id);
    const lazy = new LazyMemory(state, otherMemory);
    lazy.attach();
    await lazy.readAllNow();
    return otherMemory.read32(COUNTER_AT);
  }

  /** The second machine reads its memory while the first one runs. @returns the number that it found there */
  private async startFork(vmId: string): Promise<number> {
    let seen = -1;
    const commands = {
      startFromState: async (_config: unknown, spec: { readonly id: string }) => {
        const state = await HandoverState.open(await this.files.open(`/s/${spec.id}.handover`, { readOnly: false }), spec.id, { sleep: () => undefined, patience: 20_000 });
        const lazy = new LazyMemory(state, otherMemory);
        lazy.attach();
        const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
        await lazy.readBehind(turn, () => new Promise((resolve) => setTimeout(resolve, 1)));
        seen = otherMemory.read32(COUNTER_AT);
      },
      resume: async () => undefined,
      memoryLoaded: async () => undefined,
    } as unknown as VmCommands;
    await this.running.startMachine(vmId, commands, { name: vmId });
    return seen;
  }

  /** @returns whether the process was killed, before change number `point`, while `work` was under way */
  async killedAt(point: number, work: () => Promise<unknown>): Promise<boolean> {
    for (const inode of this.files.names.values()) this.flushed.set(inode.number, inode.content());
    this.changes = 0;
    let dead = false;
    const never = new Promise<never>(() => undefined);
    const killed = new Promise<true>((resolve) => {
      this.files.onChange = (change) => {
        if (dead) return never;
        if (this.changes++ === point) {
          dead = true;
          resolve(true);
          return never;
        }
        this.note(change);
        return undefined;
      };
    });
    const outcome = await Promise.race([killed, work().then(() => false)]);
    if (outcome) this.vm = undefined;
    return outcome;
  }

  private note(change: FilesChange): void {
    if (change.op !== 'flush') return;
    for (const inode of this.files.names.values()) if (inode.number === change.inode) this.flushed.set(inode.number, inode.content());
  }

  /** What the next start finds. @param loses whether what was not flushed of that file is gone */
  restart(loses: (inode: number) => boolean): void {
    const old = this.files;
    this.files = new MemoryHostFiles();
    for (const [name, inode] of old.names) this.files.put(name, loses(inode.number) ? (this.flushed.get(inode.number) ?? new Uint8Array(0)) : inode.content());
    this.vm = undefined;
    this.service_ = undefined;
  }
}
