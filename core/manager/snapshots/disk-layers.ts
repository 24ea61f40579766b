// The images under the disks of VMs and snapshots: new overlays, chains by the registry's word, and taking images out of
// chains that nothing needs any more.

import { dirname, join } from 'node:path';
import { NestboxError, isNestboxError } from '../../base/errors.ts';
import { type ChainLink, createOverlay, storedBackingName } from '../../block/image-chain.ts';
import { diskInfo } from '../../block/disk-tools.ts';
import { mergeIntoChild, mergeIntoParent } from '../../block/merge-disks.ts';
import type { HostFiles } from '../../host/files/host-file.ts';
import { BACKING_CHAIN_MAX } from '../../protocol/vm-config.ts';
import type { VmStateCommands } from '../../protocol/vm-messages.ts';
import type { Registry } from '../../registry/registry.ts';
import type { DriveRow, MediumRow } from '../../registry/rows.ts';
import { newId } from './ids.ts';
import { keptFiles } from './kept-files.ts';

/** An overlay that is made for a drive; the row comes when it is used. */
export interface PlannedOverlay {
  readonly slot: string;
  readonly mediumId: string;
  readonly path: string;
  readonly backingId: string;
}

export type LayerUse = (mediumId: string) => boolean;

/** A drive of a running machine, which can merge images under its guest. */
export interface LiveDrive {
  readonly slot: string;
  readonly commands: Pick<VmStateCommands, 'mergeDisk' | 'finishMergeDisk'>;
  /** Runs `work` with progress and cancelling passed on to the machine. @param id of the work */
  readonly watched: (id: string, options: TidyOptions, work: () => Promise<void>) => Promise<void>;
}

export interface TidyOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((fraction: number) => void) | undefined;
  /** The drive of the only running machine that writes to that image. */
  readonly live?: ((mediumId: string) => LiveDrive | undefined) | undefined;
}

export class DiskLayers {
  private readonly registry: Registry;
  private readonly files: HostFiles;

  constructor(registry: Registry, files: HostFiles) {
    this.registry = registry;
    this.files = files;
  }

  private medium(id: string): MediumRow {
    const row = this.registry.medium(id);
    if (row === undefined) throw new NestboxError('not-found', 'A disk of this virtual machine is not in the library any more', { op: 'find disk', context: { id } });
    return row;
  }

  /** The images of a disk, from the top down. */
  chain(id: string): MediumRow[] {
    const rows = [this.medium(id)];
    for (let below = rows[0]?.backingId ?? null; below !== null; below = rows.at(-1)?.backingId ?? null) {
      if (rows.length > BACKING_CHAIN_MAX) throw new NestboxError('bad-input', 'The images of a disk form an endless chain', { op: 'find disk', context: { id } });
      rows.push(this.medium(below));
    }
    return rows;
  }

  links(id: string): ChainLink[] {
    return this.chain(id).map(({ path, format }) => ({ path, format }));
  }

  /** Plans an overlay for each disk that a guest may write to. @throws NestboxError when a chain would get too long */
  plan(drives: readonly DriveRow[], folder: string): PlannedOverlay[] {
    const plans: PlannedOverlay[] = [];
    for (const { slot, kind, mediumId, readOnly } of drives) {
      if (kind !== 'disk' || readOnly || mediumId === null) continue;
      if (this.chain(mediumId).length >= BACKING_CHAIN_MAX) {
        throw new NestboxError('unsupported', `The disk at ${slot} stands on ${BACKING_CHAIN_MAX} images already; delete snapshots first, or switch the machine off so that they can be merged`, { op: 'make overlay' });
      }
      const id = newId();
      plans.push({ slot, mediumId: id, path: join(folder, `layer-${id}.qcow2`), backingId: mediumId });
    }
    return plans;
  }

  /** Makes planned overlays, complete and durable. */
  async make(plans: readonly PlannedOverlay[]): Promise<void> {
    for (const { path, backingId } of plans) {
      const backing = this.medium(backingId);
      await createOverlay(path, { backing: { path: backing.path, format: backing.format }, sizeBytes: backing.virtualBytes }, this.files);
    }
  }

  /** Removes what make() made. */
  async remove(plans: readonly PlannedOverlay[]): Promise<void> {
    for (const { path } of plans) await this.unlink(path);
  }

  async unlink(path: string): Promise<void> {
    await this.files.unlink(path).catch((error: unknown) => {
      if (!isNestboxError(error) || error.kind !== 'not-found') throw error;
    });
  }

  async exists(path: string): Promise<boolean> {
    try {
      await this.files.status(path);
      return true;
    } catch (error) {
      if (isNestboxError(error) && error.kind === 'not-found') return false;
      throw error;
    }
  }

  /** Rows for overlays that are in use from now on; call in a transaction. @returns the drives on them */
  adopt(plans: readonly PlannedOverlay[], drives: readonly DriveRow[]): DriveRow[] {
    for (const { mediumId, path, backingId } of plans) {
      const { virtualBytes } = this.medium(backingId);
      this.registry.addMedium({ id: mediumId, kind: 'disk', path, format: 'qcow2', virtualBytes, backingId, managed: true });
    }
    return drives.map((drive) => {
      const plan = plans.find(({ slot }) => slot === drive.slot);
      return plan === undefined ? drive : { ...drive, mediumId: plan.mediumId };
    });
  }

  /** Removes layers, whole or half made, that no row knows. Only at the start: nothing is being made then. */
  async removeOrphans(folders: ReadonlySet<string>): Promise<void> {
    const known = new Set(this.registry.media().map(({ path }) => path));
    const kept = new Set(keptFiles(this.registry));
    for (const folder of folders) {
      for (const name of await this.files.list(folder)) {
        const path = join(folder, name);
        if (/^layer-[0-9a-f]{32}\.qcow2(\.[0-9a-f]+\.partial)?$/.test(name) && !known.has(path) && !kept.has(name)) await this.unlink(path);
      }
    }
  }

  private isReferred(id: string): boolean {
    return this.registry.usersOfMedium(id).length > 0;
  }

  private overlaysOn(id: string): MediumRow[] {
    return this.registry.media().filter((row) => row.backingId === id);
  }

  /**
   * Removes layers that neither a VM nor a snapshot refers to: those that nothing stands on go, those below one other image
   * are merged with it, by the machine itself when it runs on them. What is in use otherwise stays for later.
   * @returns how many had to stay for lack of space or because they are in use
   */
  async tidy(inUse: LayerUse, options: TidyOptions = {}): Promise<number> {
    const postponed = new Set<string>();
    for (;;) {
      const next = this.registry.media().find((row) => isLayer(row) && !postponed.has(row.id) && !this.isReferred(row.id) && this.overlaysOn(row.id).length <= 1)
        ?? this.registry.media().find((row) => !isLayer(row) && !postponed.has(row.id) && !this.isReferred(row.id) && this.overlaysOn(row.id).filter(isLayer).length === 1 && this.overlaysOn(row.id).length === 1);
      if (next === undefined) return postponed.size;
      const above = this.overlaysOn(next.id)[0];
      if (above === undefined) await this.drop(next);
      else if (!isLayer(above) || (!isLayer(next) && this.overlaysOn(above.id).length > 0)) postponed.add(next.id);
      else if (inUse(next.id) || inUse(above.id)) {
        const drive = this.overlaysOn(above.id).length === 0 ? options.live?.(above.id) : undefined;
        if (drive === undefined || !(await this.mergeLive(next, above, drive, options))) postponed.add(next.id);
      } else {
        try {
          await this.merge(next, above, options);
        } catch (error) {
          if (!isNestboxError(error) || (error.kind !== 'no-space' && error.kind !== 'busy')) throw error;
          postponed.add(next.id);
        }
      }
    }
  }

  private async drop(row: MediumRow): Promise<void> {
    this.registry.removeMedium(row.id);
    await this.unlink(row.path);
    await this.files.syncDirectory(dirname(row.path));
  }

  /** Takes `gone` out of the chain below `above`, its only overlay, by the way that copies less. */
  private async merge(gone: MediumRow, above: MediumRow, options: TidyOptions): Promise<void> {
    const links = this.links(above.id);
    const onProgress = options.onProgress === undefined ? undefined : (done: number, total: number): void => options.onProgress?.(total === 0 ? 1 : done / total);
    const copy = { files: this.files, ...(options.signal === undefined ? {} : { signal: options.signal }), ...(onProgress === undefined ? {} : { onProgress }) };
    const down = await this.isDown(gone, above);
    const operation = this.registry.beginOperation('merge-disks', null, 'copying', { gone: gone.id, above: above.id, down });
    try {
      if (down) await mergeIntoParent(links, copy);
      else await mergeIntoChild(links, copy);
    } catch (error) {
      // Whatever was copied changes nothing that anybody sees.
      this.registry.endOperation(operation);
      throw error;
    }
    await this.finishMerge(operation, gone, above, down);
  }

  /**
   * Down: a layer takes the name of the one above it, so whatever stands on that stays right. An image that was not made for
   * a snapshot keeps its own name, and stays when the VM goes.
   */
  private async isDown(gone: MediumRow, above: MediumRow): Promise<boolean> {
    if (!isLayer(gone)) return true;
    const [upper, lower] = await Promise.all([this.files.status(above.path), this.files.status(gone.path)]);
    return lower.allocatedBytes > upper.allocatedBytes;
  }

  /** The same by the machine that writes to `above`. @returns false when it has to wait */
  private async mergeLive(gone: MediumRow, above: MediumRow, drive: LiveDrive, options: TidyOptions): Promise<boolean> {
    const data = { gone: gone.id, above: above.id, down: await this.isDown(gone, above) };
    const operation = this.registry.beginOperation('merge-disks', null, 'copying', data);
    const id = newId();
    try {
      await drive.watched(id, options, () => drive.commands.mergeDisk({ id, slot: drive.slot, links: this.links(above.id), way: data.down ? 'commit' : 'pull' }));
    } catch (error) {
      await this.failedLive(operation, data);
      if (!isNestboxError(error) || error.kind === 'cancelled') throw error;
      return false;
    }
    await this.finishMerge(operation, gone, above, data.down);
    // A machine that has ended meanwhile needs no word any more.
    if (data.down) await drive.commands.finishMergeDisk(drive.slot).catch(() => undefined);
    return true;
  }

  /** A machine that still runs is on its old chain; one that has ended may have come as far as the header. */
  private async failedLive(operation: number, data: { readonly gone: string; readonly above: string; readonly down: boolean }): Promise<void> {
    try {
      await this.recoverMerge({ id: operation, step: 'copying' }, data);
    } catch (error) {
      if (!isNestboxError(error) || error.kind !== 'busy') throw error;
      this.registry.endOperation(operation);
    }
  }

  /** Everything after the copying; may be done again from the start. */
  private async finishMerge(operation: number, gone: MediumRow, above: MediumRow, down: boolean): Promise<void> {
    const { registry, files } = this;
    if (!down) {
      registry.transaction(() => {
        registry.updateMedium(above.id, { backingId: gone.backingId });
        registry.removeMedium(gone.id);
        registry.endOperation(operation);
      });
      await this.unlink(gone.path);
    } else if (isLayer(gone)) {
      registry.advanceOperation(operation, 'renaming');
      if (await this.exists(gone.path)) await files.rename(gone.path, above.path);
      await files.syncDirectory(dirname(above.path));
      registry.transaction(() => {
        registry.updateMedium(above.id, { backingId: gone.backingId, format: gone.format });
        registry.removeMedium(gone.id);
        registry.endOperation(operation);
      });
    } else {
      registry.transaction(() => {
        registry.replaceMedium(above.id, gone.id);
        registry.removeMedium(above.id);
        registry.endOperation(operation);
      });
      await this.unlink(above.path);
    }
  }

  /** After a crash: a merge whose copying was not finished is forgotten (it will be tried again), another one completed. */
  async recoverMerge(operation: { readonly id: number; readonly step: string }, data: { readonly gone: string; readonly above: string; readonly down: boolean }): Promise<void> {
    const gone = this.registry.medium(data.gone);
    const above = this.registry.medium(data.above);
    if (gone === undefined || above === undefined) {
      this.registry.endOperation(operation.id);
      return;
    }
    const renamed = operation.step === 'renaming';
    if (data.down ? renamed : await this.isRebased(above, gone)) await this.finishMerge(operation.id, gone, above, data.down);
    else this.registry.endOperation(operation.id);
  }

  /** Whether the image names what is below its former backing file. */
  private async isRebased(above: MediumRow, gone: MediumRow): Promise<boolean> {
    const { qcow2 } = await diskInfo(above.path, above.format, this.files);
    return qcow2?.backingName !== storedBackingName(above.path, gone.path);
  }
}

/** Images that snapshots have made; others were made or chosen by the user and are never thrown away by themselves. */
export function isLayer(row: MediumRow): boolean {
  return row.managed && /(^|[/\\])layer-[0-9a-f]{32}\.qcow2$/.test(row.path);
}
