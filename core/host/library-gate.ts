// Stands for a library that could not be opened: windows get the reason with every call, and asking for AppInfo (what "try
// again" does) tries once more. When that succeeds, the same windows go on with the library.

import { type NestboxError, isNestboxError } from '../base/errors.ts';
import type { Port } from '../base/port.ts';
import { ManagerEventHub } from '../manager/events.ts';
import type { FileHandles } from '../manager/file-handles.ts';
import type { Manager } from '../manager/manager.ts';
import type { ServedManager } from '../manager/serve-manager.ts';
import type { Tasks } from '../manager/tasks.ts';
import { recoverLibrary } from '../manager/recover-library.ts';
import type { Notice } from '../protocol/library.ts';
import type { AppInfo, ManagerApi } from '../protocol/manager-api.ts';

const ALREADY_OPEN = 'library-in-use';

/** Whether a window can say it better than a terminal: everything but another Nestbox that has the library. */
export function isForTheWindow(error: unknown): error is NestboxError {
  return isNestboxError(error) && error.context.code !== ALREADY_OPEN && error.kind !== 'internal' && error.kind !== 'usage';
}

export class LibraryGate implements ServedManager {
  readonly events = new ManagerEventHub();
  private readonly root: string;
  private readonly open: () => Promise<Manager>;
  private why: NestboxError;
  private manager: Manager | undefined;
  private opening: Promise<void> | undefined;
  private recovered: Notice | undefined;

  /** @param root the library's folder. @param why the first attempt's failure. @param open tries again */
  constructor(root: string, why: NestboxError, open: () => Promise<Manager>) {
    this.root = root;
    this.why = why;
    this.open = open;
  }

  /** The library, once it could be opened. */
  get opened(): Manager | undefined {
    return this.manager;
  }

  readonly api: ManagerApi = new Proxy({} as ManagerApi, {
    get: (_target, name) => (typeof name === 'string' && name !== 'then' ? (...args: unknown[]): Promise<unknown> => this.call(name as keyof ManagerApi, args) : undefined),
  });

  private async call(name: keyof ManagerApi, args: readonly unknown[]): Promise<unknown> {
    if (this.manager === undefined) await (name === 'appInfo' ? this.tryAgain() : this.opening);
    if (name === 'recoverLibrary' && this.manager === undefined) return this.recover(args[0] === 'backup' ? 'backup' : 'nothing');
    if (name === 'appInfo' && this.recovered !== undefined) {
      const info = await this.required.api.appInfo();
      return { ...info, startNotices: [this.recovered, ...info.startNotices] } satisfies AppInfo;
    }
    return (this.required.api[name] as (...list: unknown[]) => Promise<unknown>)(...args);
  }

  private async recover(from: 'backup' | 'nothing'): Promise<void> {
    if (this.why.context.code !== 'registry-damaged') throw this.why;
    this.recovered = await recoverLibrary(this.root, from);
    await this.tryAgain();
    if (this.manager === undefined) throw this.why;
  }

  private async tryAgain(): Promise<void> {
    this.opening ??= this.open()
      .then(
        (manager) => {
          this.manager = manager;
          manager.events.onAny((event, args) => this.events.emit(event, ...args));
        },
        (error: unknown) => {
          if (isNestboxError(error)) this.why = error;
          else throw error;
        },
      )
      .finally(() => {
        this.opening = undefined;
      });
    await this.opening;
  }

  private get required(): Manager {
    if (this.manager === undefined) throw this.why;
    return this.manager;
  }

  get files(): FileHandles {
    return this.required.files;
  }
  get tasks(): Tasks {
    return this.required.tasks;
  }
  get folder(): Manager['folder'] {
    return this.required.folder;
  }
  openConsole(id: string): Port {
    return this.required.openConsole(id);
  }
}
