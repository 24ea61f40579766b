// The registry's schema as numbered steps; `PRAGMA user_version` counts those that have been taken. A step that has been
// released is never edited: a change is a new step.

export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE media (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('floppy', 'cdrom', 'disk')),
    path TEXT NOT NULL UNIQUE,
    format TEXT NOT NULL CHECK (format IN ('raw', 'qcow2')),
    virtual_bytes INTEGER NOT NULL CHECK (virtual_bytes >= 0),
    -- The image that this one is an overlay of; backing chains are resolved here, never by names in the files.
    backing_id TEXT REFERENCES media (id),
    -- 1: made by Nestbox and deleted with its VM when the user says so.
    managed INTEGER NOT NULL CHECK (managed IN (0, 1)),
    created_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE vms (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    -- JSON of a VmConfig without media.
    config TEXT NOT NULL,
    notes TEXT NOT NULL DEFAULT '',
    group_path TEXT NOT NULL DEFAULT '',
    thumbnail BLOB,
    -- The snapshot that the present state continues.
    current_snapshot_id TEXT REFERENCES snapshots (id) ON DELETE SET NULL,
    -- The saved state that the next start continues, if any.
    saved_state_id TEXT REFERENCES snapshots (id) ON DELETE SET NULL,
    created_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE vm_tags (
    vm_id TEXT NOT NULL REFERENCES vms (id) ON DELETE CASCADE,
    tag TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (vm_id, tag)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE vm_media (
    vm_id TEXT NOT NULL REFERENCES vms (id) ON DELETE CASCADE,
    -- "floppy0", "ide0" ... in the order of the drives.
    slot TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('floppy', 'cdrom', 'disk')),
    -- NULL: an empty drive.
    medium_id TEXT REFERENCES media (id),
    read_only INTEGER NOT NULL DEFAULT 0 CHECK (read_only IN (0, 1)),
    PRIMARY KEY (vm_id, slot)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX vm_media_by_medium ON vm_media (medium_id);

  CREATE TABLE snapshots (
    id TEXT PRIMARY KEY NOT NULL,
    vm_id TEXT NOT NULL REFERENCES vms (id) ON DELETE CASCADE,
    parent_id TEXT REFERENCES snapshots (id),
    name TEXT NOT NULL,
    notes TEXT NOT NULL DEFAULT '',
    -- live: with memory; offline: disks only; saved: the state that the VM was closed with.
    kind TEXT NOT NULL CHECK (kind IN ('live', 'offline', 'saved')),
    config TEXT NOT NULL,
    -- File in the VM's folder with memory and devices, NULL for offline ones.
    state_file TEXT,
    thumbnail BLOB,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX snapshots_by_vm ON snapshots (vm_id);
  CREATE INDEX snapshots_by_parent ON snapshots (parent_id);

  CREATE TABLE snapshot_media (
    snapshot_id TEXT NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
    slot TEXT NOT NULL,
    medium_id TEXT NOT NULL REFERENCES media (id),
    PRIMARY KEY (snapshot_id, slot)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX snapshot_media_by_medium ON snapshot_media (medium_id);

  -- The journal: an operation that changes files and rows together is written here first and finished or undone at the
  -- next start.
  CREATE TABLE operations (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    vm_id TEXT,
    step TEXT NOT NULL,
    data TEXT NOT NULL,
    started_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE settings (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE vms ADD COLUMN os_id TEXT NOT NULL DEFAULT 'unknown';
  -- The last power-on.
  ALTER TABLE vms ADD COLUMN started_ms INTEGER;
  -- JSON of a VmExit and of a Notice: why it stopped, what is wrong with it.
  ALTER TABLE vms ADD COLUMN last_exit TEXT;
  ALTER TABLE vms ADD COLUMN notice TEXT;
  `,
  `
  -- JSON of the drives (DriveRow) that the VM had; their media are in snapshot_media too.
  ALTER TABLE snapshots ADD COLUMN drives TEXT NOT NULL DEFAULT '[]';
  -- 1: a saved state that another VM goes on from too; its guest must learn that.
  ALTER TABLE snapshots ADD COLUMN forked INTEGER NOT NULL DEFAULT 0 CHECK (forked IN (0, 1));
  `,
];
