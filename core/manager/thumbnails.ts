// Small pictures of screens: fresh ones of running VMs while somebody looks, the last one of stopped VMs from the registry.

import type { Registry } from '../registry/registry.ts';
import type { ManagerEventHub } from './events.ts';

export const THUMBNAIL_WIDTH = 384;
export const THUMBNAIL_HEIGHT = 288;

interface Picture {
  readonly png: Uint8Array;
  readonly version: number;
}

export class Thumbnails {
  private readonly registry: Registry;
  private readonly events: ManagerEventHub;
  private readonly fresh = new Map<string, Picture>();
  /** Counts on over all VMs, so that a version never names two pictures. */
  private lastVersion = Date.now();

  constructor(registry: Registry, events: ManagerEventHub) {
    this.registry = registry;
    this.events = events;
  }

  put(id: string, png: Uint8Array): void {
    const version = ++this.lastVersion;
    this.fresh.set(id, { png, version });
    this.events.emit('thumbnailChanged', id, version);
  }

  /** Keeps the last picture for the time that the VM is off. */
  keep(id: string): void {
    const picture = this.fresh.get(id);
    if (picture !== undefined && this.registry.vm(id) !== undefined) this.registry.setThumbnail(id, picture.png);
  }

  /** 0 = there is none. */
  version(id: string, isStored: boolean): number {
    return this.fresh.get(id)?.version ?? (isStored ? 1 : 0);
  }

  png(id: string): Uint8Array | undefined {
    return this.fresh.get(id)?.png ?? this.registry.thumbnail(id);
  }

  forget(id: string): void {
    this.fresh.delete(id);
  }
}
