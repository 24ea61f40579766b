// Turns what the manager reports (notices, problems of fields, errors) into sentences of the window's language. A code
// without a sentence shows the manager's own English one: better in the wrong language than lost.

import type { Evidence, FieldProblem, Notice } from '../../core/protocol/library.ts';
import { sentence, t, type TextParams } from './i18n.svelte.ts';

export function noticeText(notice: Notice): string {
  return sentence('codes', notice.code, notice.params) ?? notice.text;
}

/** "Volume name: Debian 12.8.0" */
export function evidenceText({ where, path = '', text }: Evidence): string {
  return text === undefined ? t('newVm.where.fileThere', { path }) : t(`newVm.where.${where}`, { path, text });
}

export interface Trouble {
  readonly field: string;
  readonly severity: 'error' | 'warning';
  readonly text: string;
}

export function troublesOf(problems: readonly FieldProblem[]): Trouble[] {
  return problems.map((problem) => ({ field: problem.field, severity: problem.severity, text: noticeText(problem) }));
}

/** Those of one field, or of the fields below it ("drives.0" gets "drives.0.sizeBytes"). */
export function troublesAt(troubles: readonly Trouble[], field: string): Trouble[] {
  return troubles.filter((trouble) => trouble.field === field || trouble.field.startsWith(`${field}.`));
}

interface ErrorLike {
  readonly kind?: unknown;
  readonly message?: unknown;
  readonly context?: unknown;
}

/** Details of a NestboxError that crossed a process boundary. */
export function errorContext(thrown: unknown): Readonly<Record<string, unknown>> {
  const { context } = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as ErrorLike;
  return typeof context === 'object' && context !== null ? (context as Record<string, unknown>) : {};
}

/** What failed, for people. NestboxErrors are told by their shape: they cross process boundaries as plain data. */
export function errorText(thrown: unknown): string {
  const { kind, message } = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as ErrorLike;
  const text = typeof message === 'string' && message !== '' ? message : String(thrown);
  const params = errorContext(thrown) as TextParams & { readonly code?: unknown };
  const byCode = typeof params.code === 'string' ? sentence('codes', params.code, params) : undefined;
  if (byCode !== undefined) return byCode;
  if (typeof kind !== 'string') return text;
  const general = sentence('kinds', kind, { message: text });
  return general ?? text;
}

export function isCancelled(thrown: unknown): boolean {
  return typeof thrown === 'object' && thrown !== null && (thrown as ErrorLike).kind === 'cancelled';
}
