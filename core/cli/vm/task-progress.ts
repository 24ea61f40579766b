// Progress of a task on stderr; Ctrl-C cancels it.

import { randomUUID } from 'node:crypto';
import type { LibraryClient } from '../library-client.ts';

export async function withTaskProgress<T>(library: LibraryClient, work: (taskId: string) => Promise<T>): Promise<T> {
  const taskId = randomUUID();
  const isTerminal = process.stderr.isTTY;
  let told = -1;
  library.on('taskProgress', (progress) => {
    if (progress.taskId !== taskId || progress.fraction === undefined || progress.state !== 'running') return;
    const percent = Math.floor(progress.fraction * 100);
    if (percent === told || (!isTerminal && percent < told + 10)) return;
    told = percent;
    process.stderr.write(isTerminal ? `\r${percent} % ` : `${percent} %\n`);
  });
  const cancel = (): void => void library.api.cancelTask(taskId).catch(() => undefined);
  process.once('SIGINT', cancel);
  process.once('SIGTERM', cancel);
  try {
    return await work(taskId);
  } finally {
    process.off('SIGINT', cancel);
    process.off('SIGTERM', cancel);
    if (isTerminal && told >= 0) process.stderr.write('\n');
  }
}
