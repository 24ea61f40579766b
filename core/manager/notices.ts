// Everything the manager tells people: a code, the English sentence, parameters. A window has a sentence of its own for
// every code; `{name}` stands for a parameter.

import { type ErrorKind, NestboxError } from '../base/errors.ts';
import type { FieldProblem, Notice } from '../protocol/library.ts';

const SENTENCES = {
  // About a VM
  'vm-process-died': 'The process of this virtual machine ended unexpectedly ({how}). Its disks are as the guest last flushed them; start it again, or look at its log',
  'guest-fault': 'The guest failed: {message}',
  'vm-error': 'The virtual machine had to stop: {message}',
  'manager-ended': 'Nestbox ended while this virtual machine was running, so it was switched off',
  'medium-missing': 'The file {fileName} in drive {slot} is missing ({folder}). Find it again, or take it out of the drive',
  'disk-full': "The host's disk is full; the machine stands still and goes on when there is space: {message}",
  'medium-error': 'A medium reported an error to the guest: {message}',
  // About the start of the app
  'registry-restored': 'The library was brought back from its newest copy. The damaged registry is kept as {damaged} in {folder}',
  'registry-new': 'A new library has been begun. The damaged registry is kept as {damaged} in {folder}, and the disks of its machines are still there',
  'demo-created': 'The demo machine has been added to the library',
  'operation-completed': 'An operation that was interrupted has been cleaned up: {operation}',
  // Fields of forms
  'name-empty': 'Give the virtual machine a name',
  'name-too-long': 'The name has {length} characters; {max} are allowed',
  'name-characters': 'The name may not contain {characters}',
  'name-space': 'The name may not start or end with a space or a full stop',
  'name-taken': 'There is a virtual machine named {name} already',
  'group-invalid': 'The group may not contain empty parts or control characters and has {max} characters at most',
  'tag-invalid': 'A tag has 1 to {max} characters without control characters',
  'too-many-tags': 'At most {max} tags are allowed',
  'notes-too-long': 'Notes have {max} characters at most',
  'memory-too-small': 'At least {min} MiB of memory are needed',
  'memory-beyond-engine': 'The engine offers {max} MiB of memory at most',
  'memory-beyond-host': 'This host has {host} MiB of memory in all; leave some for it',
  'memory-beyond-free': 'Only {free} MiB of this host are free now; the virtual machine may not start, or the host may become slow',
  'cpus-range': 'The number of processors must be 1 to {max}',
  'cpus-software': 'Several processors need KVM; the software CPU and the instruction clock have one',
  'cpus-host': 'Several processors cannot run on this host now: {reason}',
  'hardware-invalid': 'This setting cannot be used: {message}',
  'drive-size': 'A disk has {min} to {max}',
  'drive-size-multiple': 'The size of a disk must be a multiple of 512 bytes',
  'drive-space': 'The disk may grow to {size}, the host has {free} free',
  'too-many-floppies': 'A PC has two floppy drives at most',
  'too-many-ide': 'A PC has four disks and CD drives at most',
  'file-gone': 'That file is not known any more; choose it again',
  'file-unusable': '{message}',
  'medium-unknown': 'That medium is not in the library',
  'medium-kind': 'A {have} does not fit into a {want} drive',
  'medium-in-use': '{fileName} is used by {users} already; two machines that write to one disk destroy it',
  'firmware-missing': 'The firmware image {fileName} is missing from {folder}; choose another',
  'firmware-size': '{fileName} is no firmware image: those are a multiple of 64 KiB, up to 16 MiB',
  'folder-unwritable': 'Disks cannot be made in {folder}: {message}',
  // Refusals
  'vm-unknown': 'There is no virtual machine with the id {id}',
  'vm-not-off': '{name} is {state}; switch it off first',
  'vm-not-running': '{name} is not running',
  'vm-busy': 'Something is being done with {name} already',
  'vm-changed-hardware': 'Hardware and drives of {name} can only be changed while it is off',
  'saved-state-hardware': '{name} has a saved state; start it or discard the state before changing its hardware',
  'slot-unknown': '{name} has no drive {slot}',
  'slot-fixed': 'Disks cannot be changed while {name} is running; only floppies and CDs can',
  'medium-used': '{fileName} is still used by {users}',
  'medium-not-managed': '{fileName} was not made by Nestbox; delete the file yourself if you want it gone',
  'snapshot-unknown': 'That snapshot is not there any more',
  'snapshot-name-empty': 'Give the snapshot a name',
  'task-unknown': 'There is no task {taskId} that could be cancelled',
  'task-taken': 'There is a task {taskId} already',
  'not-landed': '{what} cannot be done by this version yet',
  'folder-unreadable': 'The folder cannot be read: {message}',
} as const;

export type NoticeCode = keyof typeof SENTENCES;
export type NoticeParams = Readonly<Record<string, string | number>>;

export function sentence(code: NoticeCode, params: NoticeParams = {}): string {
  return SENTENCES[code].replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole));
}

export function notice(code: NoticeCode, params: NoticeParams = {}): Notice {
  return { code, text: sentence(code, params), params };
}

export function problem(field: string, code: NoticeCode, params: NoticeParams = {}, severity: 'error' | 'warning' = 'error'): FieldProblem {
  return { field, severity, ...notice(code, params) };
}

/** An error whose `context.code` names the sentence. */
export function refusal(kind: ErrorKind, code: NoticeCode, params: NoticeParams = {}, cause?: unknown): NestboxError {
  return new NestboxError(kind, sentence(code, params), { op: 'manage', context: { ...params, code }, ...(cause === undefined ? {} : { cause }) });
}

/** Every code, for the test that windows have a sentence for each. */
export const NOTICE_CODES = Object.keys(SENTENCES) as readonly NoticeCode[];

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

export function sizeText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(value < 10 ? 1 : 0))} ${UNITS[unit] ?? ''}`;
}
