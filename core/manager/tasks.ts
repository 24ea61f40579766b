// Long work with progress and cancelling. Progress is told a few times a second at most; the end is always told.

import { randomUUID } from 'node:crypto';
import { isNestboxError, messageOf } from '../base/errors.ts';
import type { TaskProgress } from '../protocol/library.ts';
import type { ManagerEventHub } from './events.ts';
import { refusal } from './notices.ts';

const TELL_INTERVAL_MS = 100;

export interface TaskContext {
  readonly taskId: string;
  readonly signal: AbortSignal;
  /** @param fraction 0..1 */
  progress(fraction: number, message?: string): void;
}

export class Tasks {
  private readonly events: ManagerEventHub;
  private readonly running = new Map<string, AbortController>();

  constructor(events: ManagerEventHub) {
    this.events = events;
  }

  async run<T>(kind: string, options: { readonly taskId?: string | undefined; readonly vmId?: string | undefined }, work: (task: TaskContext) => Promise<T>): Promise<T> {
    const taskId = options.taskId ?? randomUUID();
    if (this.running.has(taskId)) throw refusal('usage', 'task-taken', { taskId });
    const abort = new AbortController();
    this.running.set(taskId, abort);
    let toldAt = -Infinity;
    const tell = (progress: Omit<TaskProgress, 'taskId' | 'kind' | 'vmId'>): void => {
      this.events.emit('taskProgress', { taskId, kind, ...(options.vmId === undefined ? {} : { vmId: options.vmId }), ...progress });
    };
    tell({ state: 'running', fraction: 0 });
    try {
      const result = await work({
        taskId,
        signal: abort.signal,
        progress: (fraction, message) => {
          const now = performance.now();
          if (now - toldAt < TELL_INTERVAL_MS) return;
          toldAt = now;
          tell({ state: 'running', fraction: Math.min(1, Math.max(0, fraction)), ...(message === undefined ? {} : { message }) });
        },
      });
      tell({ state: 'done', fraction: 1 });
      return result;
    } catch (error) {
      const cancelled = abort.signal.aborted || (isNestboxError(error) && error.kind === 'cancelled');
      tell({ state: cancelled ? 'cancelled' : 'failed', message: messageOf(error) });
      throw error;
    } finally {
      this.running.delete(taskId);
    }
  }

  cancel(taskId: string): void {
    const abort = this.running.get(taskId);
    if (abort === undefined) throw refusal('not-found', 'task-unknown', { taskId });
    abort.abort();
  }

  cancelAll(): void {
    for (const abort of this.running.values()) abort.abort();
  }
}
