// Snapshots as the window and the command line see them: a tree of nodes a VM, and the difference between two nodes.

export interface SnapshotNode {
  readonly id: string;
  readonly vmId: string;
  readonly parentId?: string;
  readonly name: string;
  readonly notes: string;
  /** live: with memory and devices; offline: disks only; saved: the state that the VM was closed with. */
  readonly kind: 'live' | 'offline' | 'saved';
  readonly createdMs: number;
  /** Bytes on the host's disk that only this node needs. */
  readonly ownBytes: number;
  readonly hasThumbnail: boolean;
  /** The present state of the VM continues this node. */
  readonly current: boolean;
}

export interface SnapshotDifference {
  /** By drive slot: changed ranges of the guest's disk, in bytes. At most `EXTENTS_MAX`; `truncated` says that there are more. */
  readonly disks: readonly { readonly slot: string; readonly changedBytes: number; readonly extents: readonly { readonly offset: number; readonly length: number }[]; readonly truncated: boolean }[];
  /** Absent when one of the two has no memory. */
  readonly memory?: { readonly changedPages: number; readonly totalPages: number; readonly ranges: readonly { readonly firstPage: number; readonly pages: number }[]; readonly truncated: boolean };
  readonly devices: readonly { readonly device: string; readonly field: string; readonly before: string; readonly after: string }[];
  readonly registers: readonly { readonly cpu: number; readonly register: string; readonly before: string; readonly after: string }[];
}

export const EXTENTS_MAX = 10_000;
