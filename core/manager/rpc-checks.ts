// What may come in over a channel: one schema for the arguments of each method of ManagerApi. A window is not trusted: it
// names no paths, only handles and ids, and everything has a size.

import { z } from 'zod';
import type { ManagerApi } from '../protocol/manager-api.ts';
import { hardwareSchema } from '../registry/rows.ts';
import { settingsChangeSchema } from './settings.ts';

const id = z.string().min(1).max(100);
const handle = z.string().min(1).max(100);
const taskOptions = z.strictObject({ taskId: id.exactOptional() });
const name = z.string().max(1000);
const notes = z.string().max(200_000);
const kind = z.enum(['floppy', 'cdrom', 'disk']);
const format = z.enum(['raw', 'qcow2']);

const driveSchema = z.union([
  z.strictObject({ kind: z.literal('disk'), source: z.literal('new'), sizeBytes: z.number() }),
  z.strictObject({ kind, source: z.literal('file'), file: handle, format: format.exactOptional(), readOnly: z.boolean().exactOptional() }),
  z.strictObject({ kind: z.literal('disk'), source: z.literal('import'), file: handle, member: z.string().min(1).max(1000).exactOptional() }),
  z.strictObject({ kind, source: z.literal('medium'), mediumId: id, readOnly: z.boolean().exactOptional() }),
  z.strictObject({ kind: z.enum(['floppy', 'cdrom']), source: z.literal('empty') }),
]);
const drives = z.array(driveSchema).max(64);

/** Fields of forms may be wrong in value (the check says why, field by field), but only known ones pass, and none is a path. */
const hardwareFields = Object.keys(hardwareSchema.shape);
const hardware = z
  .record(z.string(), z.union([z.string().max(100), z.number(), z.boolean(), z.array(z.string().max(100)).max(16), z.record(z.string(), z.unknown()), z.array(z.record(z.string(), z.unknown())).max(64)]))
  .refine((fields) => Object.keys(fields).every((field) => hardwareFields.includes(field)), 'unknown field')
  .refine((fields) => fields.firmware === undefined || fields.firmware === 'bios' || (typeof fields.firmware === 'string' && /^file-[\w-]{1,90}$/.test(fields.firmware)), 'a window cannot name a firmware file');

const labels = { notes: notes.exactOptional(), groupPath: name.exactOptional(), tags: z.array(name).max(1000).exactOptional() };
const newVm = z.strictObject({
  name,
  osId: id,
  hardware,
  drives,
  ...labels,
  directBoot: z.strictObject({ kernel: handle, initrd: handle.exactOptional(), commandLine: z.string().max(65_535) }).exactOptional(),
});
const vmChange = z.strictObject({ name: name.exactOptional(), osId: id.exactOptional(), hardware: hardware.exactOptional(), drives: drives.exactOptional(), ...labels });
const deepTask = { taskId: id.exactOptional() };

export const MANAGER_CHECKS = {
  appInfo: z.tuple([]),
  recoverLibrary: z.tuple([z.enum(['backup', 'nothing'])]),
  hostInfo: z.tuple([]),
  settings: z.tuple([]),
  changeSettings: z.tuple([settingsChangeSchema]),
  cancelTask: z.tuple([id]),
  listVms: z.tuple([]),
  vm: z.tuple([id]),
  thumbnail: z.tuple([id]),
  checkNewVm: z.tuple([newVm]),
  createVm: z.tuple([newVm, taskOptions.optional()]),
  checkVmChange: z.tuple([id, vmChange]),
  changeVm: z.tuple([id, vmChange]),
  cloneVm: z.tuple([id, z.strictObject({ name, linked: z.boolean(), ...deepTask })]),
  deleteVm: z.tuple([id, z.strictObject({ deleteDisks: z.boolean(), ...deepTask })]),
  exportToDownloads: z.tuple([id, taskOptions.optional()]),
  freeName: z.tuple([name]),
  startVm: z.tuple([id]),
  pauseVm: z.tuple([id]),
  resumeVm: z.tuple([id]),
  resetVm: z.tuple([id]),
  shutDownVm: z.tuple([id]),
  powerOffVm: z.tuple([id]),
  saveVmState: z.tuple([id, taskOptions.optional()]),
  discardSavedState: z.tuple([id]),
  metrics: z.tuple([id]),
  logs: z.tuple([id, z.strictObject({ from: z.int().min(0), limit: z.int().min(0).max(100_000) })]),
  inspectFile: z.tuple([handle]),
  firmwares: z.tuple([]),
  browseFolder: z.tuple([handle.optional()]),
  listMedia: z.tuple([]),
  findMissingMedia: z.tuple([]),
  relocateMedium: z.tuple([id, handle]),
  removeMedium: z.tuple([id, z.strictObject({ deleteFile: z.boolean() })]),
  importDisk: z.tuple([handle, z.strictObject({ name, ...deepTask })]),
  insertMedium: z.tuple([id, id, z.union([z.strictObject({ file: handle }), z.strictObject({ mediumId: id })])]),
  ejectMedium: z.tuple([id, id]),
  snapshots: z.tuple([id]),
  snapshotThumbnail: z.tuple([id]),
  takeSnapshot: z.tuple([id, z.strictObject({ name, notes: notes.exactOptional(), ...deepTask })]),
  changeSnapshot: z.tuple([id, z.strictObject({ name: name.exactOptional(), notes: notes.exactOptional() })]),
  restoreSnapshot: z.tuple([id, id, z.strictObject({ keepPresent: name.exactOptional(), ...deepTask })]),
  deleteSnapshot: z.tuple([id, taskOptions.optional()]),
  forkVm: z.tuple([id, z.strictObject({ name, snapshotId: id.exactOptional(), ...deepTask })]),
  diffSnapshots: z.tuple([id, id, id.optional(), taskOptions.optional()]),
} satisfies Record<keyof ManagerApi, z.ZodType>;
