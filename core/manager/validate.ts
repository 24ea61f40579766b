// What may be wrong with a form, field by field. Rules that need no file are here; drives are checked in new-drives.ts.

import { freemem, totalmem } from 'node:os';
import type { HostInfo } from '../protocol/host-info.ts';
import type { FieldProblem, HardwareConfig } from '../protocol/library.ts';
import { CPUS_MAX, MEMORY_MIB_MAX, MEMORY_MIB_MIN } from '../protocol/limits.ts';
import { type StoredConfig, storedConfigSchema } from '../registry/rows.ts';
import { problem } from './notices.ts';

export const NAME_CHARACTERS_MAX = 100;
const GROUP_CHARACTERS_MAX = 200;
const TAG_CHARACTERS_MAX = 50;
const TAGS_MAX = 50;
export const NOTES_CHARACTERS_MAX = 100_000;
/** Path separators, quotes, and what Windows forbids in file names: names show up in paths, titles and command lines. */
const FORBIDDEN = /["\\/<>|:*?`]/gu;
/** Control characters, and marks that turn the direction of text, with which one name can look like another. */
const INVISIBLE = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

export interface HostLimits {
  readonly totalMib: number;
  readonly freeMib: number;
}

export function hostLimits(): HostLimits {
  return { totalMib: Math.floor(totalmem() / 1048576), freeMib: Math.floor(freemem() / 1048576) };
}

/** @param isTaken whether another VM has the name, whatever its case */
export function nameProblems(name: string, isTaken: (name: string) => boolean): FieldProblem[] {
  const length = [...name].length;
  if (name.trim() === '') return [problem('name', 'name-empty')];
  if (length > NAME_CHARACTERS_MAX) return [problem('name', 'name-too-long', { length, max: NAME_CHARACTERS_MAX })];
  const forbidden = [...new Set(name.match(FORBIDDEN) ?? [])];
  if (forbidden.length > 0) return [problem('name', 'name-characters', { characters: forbidden.join(' ') })];
  if (INVISIBLE.test(name)) return [problem('name', 'name-characters', { characters: 'invisible characters' })];
  if (name !== name.trim() || name.endsWith('.')) return [problem('name', 'name-space')];
  if (isTaken(name)) return [problem('name', 'name-taken', { name })];
  return [];
}

export function labelProblems(labels: { readonly groupPath?: string | undefined; readonly tags?: readonly string[] | undefined; readonly notes?: string | undefined }): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const { groupPath, tags, notes } = labels;
  if (groupPath !== undefined && groupPath !== '' && (groupPath.length > GROUP_CHARACTERS_MAX || INVISIBLE.test(groupPath) || groupPath.split('/').some((part) => part.trim() === ''))) {
    problems.push(problem('groupPath', 'group-invalid', { max: GROUP_CHARACTERS_MAX }));
  }
  if (tags !== undefined && tags.length > TAGS_MAX) problems.push(problem('tags', 'too-many-tags', { max: TAGS_MAX }));
  for (const [index, tag] of (tags ?? []).entries()) {
    if (tag.trim() === '' || tag.length > TAG_CHARACTERS_MAX || INVISIBLE.test(tag)) problems.push(problem(`tags.${index}`, 'tag-invalid', { max: TAG_CHARACTERS_MAX }));
  }
  if (notes !== undefined && notes.length > NOTES_CHARACTERS_MAX) problems.push(problem('notes', 'notes-too-long', { max: NOTES_CHARACTERS_MAX }));
  return problems;
}

export function hardwareProblems(hardware: HardwareConfig, limits: HostLimits): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const memory = hardware.memoryMib;
  if (memory !== undefined) {
    if (!Number.isInteger(memory) || memory < MEMORY_MIB_MIN) problems.push(problem('memoryMib', 'memory-too-small', { min: MEMORY_MIB_MIN }));
    else if (memory > limits.totalMib) problems.push(problem('memoryMib', 'memory-beyond-host', { host: limits.totalMib }));
    else if (memory > MEMORY_MIB_MAX) problems.push(problem('memoryMib', 'memory-beyond-engine', { max: MEMORY_MIB_MAX }));
    else if (memory > limits.freeMib) problems.push(problem('memoryMib', 'memory-beyond-free', { free: limits.freeMib }, 'warning'));
  }
  const { cpus } = hardware;
  if (cpus !== undefined && (!Number.isInteger(cpus) || cpus < 1 || cpus > CPUS_MAX)) problems.push(problem('cpus', 'cpus-range', { max: CPUS_MAX }));
  else if (cpus !== undefined && cpus > 1 && (hardware.engine === 'software' || hardware.clock === 'instructions')) problems.push(problem('cpus', 'cpus-software'));
  const parsed = storedConfigSchema.safeParse(hardware);
  for (const issue of parsed.error?.issues ?? []) {
    const field = issue.path.join('.');
    if (!problems.some((known) => known.field === field)) problems.push(problem(field === '' ? 'hardware' : field, 'hardware-invalid', { message: issue.message }));
  }
  return problems;
}

/** Several processors on this host. A warning: the machine may be meant for another, and its start says the same. */
export async function processorProblems({ cpus, engine }: HardwareConfig, hostInfo: (() => Promise<HostInfo>) | undefined): Promise<FieldProblem[]> {
  if (cpus === undefined || cpus < 2 || engine === 'software' || hostInfo === undefined) return [];
  const { kvm, engine: chosen } = await hostInfo();
  const has = (name: string): boolean => kvm.capabilities.some((entry) => entry.name === name && entry.present);
  if (kvm.status !== 'ready' || (engine !== 'kvm' && chosen.auto !== 'kvm')) return [problem('cpus', 'cpus-host', { reason: kvm.detail ?? chosen.reason }, 'warning')];
  if (!has('irqchip') || !has('irq-routing')) return [problem('cpus', 'cpus-host', { reason: 'KVM has no interrupt controllers of its own' }, 'warning')];
  return cpus > (kvm.maxVcpus ?? cpus) ? [problem('cpus', 'cpus-host', { reason: `KVM gives a machine ${kvm.maxVcpus ?? 1} at most` }, 'warning')] : [];
}

/** @throws ZodError; ask hardwareProblems first */
export function storedConfigOf(hardware: HardwareConfig): StoredConfig {
  return storedConfigSchema.parse(hardware);
}
