// A process that owns a library: manager, local socket for commands, and the browser host when somebody wants it. The
// foreground `nestbox serve` and the background process of commands are both this.

import { fileURLToPath } from 'node:url';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { NestboxError, messageOf } from '../base/errors.ts';
import { Manager } from '../manager/manager.ts';
import type { VmHost } from '../manager/vm-host.ts';
import type { HostInfo } from '../protocol/host-info.ts';
import type { LocalInfo } from '../protocol/local-api.ts';
import { BrowserHost } from './browser-host/browser-host.ts';
import { LAUNCH_CODE_MS } from './browser-host/limits.ts';
import { LocalServer } from './local-server.ts';
import { NodeVmHost } from './node-vm-host.ts';

/** The window's files, beside the sources. */
export const APP_FOLDER = fileURLToPath(new URL('../../dist/renderer', import.meta.url));
const IDLE_MS = 5000;

export interface ManagerProgramOptions {
  readonly root: string;
  readonly version: string;
  readonly kind: LocalInfo['kind'];
  readonly host?: VmHost;
  readonly hostInfo?: () => Promise<HostInfo>;
  readonly appFolder?: string;
  /** Of the browser host; 0 = any free one. */
  readonly port?: number;
  readonly audit?: (line: string) => void;
  /** One that serves already (a window that showed why the library could not be opened). */
  readonly browser?: BrowserHost;
  /** BCP 47. */
  readonly hostLanguage?: string;
  /** How long a background process stays without VMs and clients. */
  readonly idleMs?: number;
}

/** @throws NestboxError `usage` */
function exportPath(path: unknown): string {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) throw new NestboxError('usage', 'That is not a file name', { op: 'export machine' });
  return resolve(path);
}

export class ManagerProgram {
  readonly manager: Manager;
  /** Resolves when the program should end: it was asked to, or a background process has nothing to do any more. */
  readonly done: Promise<void>;
  private readonly options: ManagerProgramOptions;
  private local: LocalServer | undefined;
  private browser: Promise<BrowserHost> | undefined;
  private finish: () => void = () => undefined;
  private clients = 0;
  private busyUntilMs = 0;
  private idleTimer: NodeJS.Timeout | undefined;

  /** @throws NestboxError, see Manager.open; code `library-in-use` when another process has the library */
  static async open(options: ManagerProgramOptions): Promise<ManagerProgram> {
    const manager = await Manager.open({
      root: options.root,
      host: options.host ?? new NodeVmHost(),
      version: options.version,
      shell: options.kind === 'desktop' ? 'electron' : 'browser',
      ...(options.hostLanguage === undefined ? {} : { hostLanguage: options.hostLanguage }),
      // It tries KVM out and brings the CPU with it: only when somebody asks.
      hostInfo: options.hostInfo ?? (async (): Promise<HostInfo> => (await import('./host-info.ts')).readHostInfo()),
    });
    const program = new ManagerProgram(options, manager);
    try {
      await program.listen();
      return program;
    } catch (error) {
      await manager.close();
      throw error;
    }
  }

  private constructor(options: ManagerProgramOptions, manager: Manager) {
    this.options = options;
    this.manager = manager;
    if (options.browser !== undefined) this.browser = Promise.resolve(options.browser);
    this.done = new Promise((finish) => {
      this.finish = finish;
    });
    manager.events.on('vmChanged', () => this.lookIfIdle());
  }

  private async listen(): Promise<void> {
    this.local = await LocalServer.start(this.manager.folder.socket, this.manager, {
      localInfo: async () => ({ pid: process.pid, version: this.options.version, kind: this.options.kind }),
      adoptPath: async (path) => this.adoptPath(path),
      exportVm: async (id, path, options) => this.manager.exportVm(id, exportPath(path), options),
      launchUrl: async () => this.launchUrl(),
      shutDown: async () => {
        // The answer leaves first.
        setImmediate(() => this.finish());
      },
    });
    this.local.onClients = (count) => {
      this.clients = count;
      this.lookIfIdle();
    };
    this.lookIfIdle();
  }

  async adoptPath(path: string): Promise<string> {
    if (typeof path !== 'string' || path.includes('\0')) throw new NestboxError('usage', 'That is not a file name', { op: 'choose file' });
    const absolute = resolve(path);
    const status = await stat(absolute).catch((cause: unknown) => {
      throw new NestboxError('bad-input', `${path}: ${messageOf(cause).split(',')[0] ?? 'cannot be read'}`, { op: 'choose file', cause });
    });
    if (!status.isFile()) throw new NestboxError('bad-input', `${path}: is not a regular file`, { op: 'choose file' });
    return this.manager.files.grant(absolute);
  }

  /** An address that lets one browser in. @throws NestboxError `busy` when the port is taken */
  async launchUrl(): Promise<string> {
    const { appFolder, port, audit } = this.options;
    this.browser ??= BrowserHost.start({ manager: this.manager, appFolder: appFolder ?? APP_FOLDER, ...(port === undefined ? {} : { port }), ...(audit === undefined ? {} : { audit }) });
    const host = await this.browser.catch((error: unknown) => {
      this.browser = undefined;
      throw error;
    });
    host.onClients = () => this.lookIfIdle();
    this.busyUntilMs = performance.now() + LAUNCH_CODE_MS;
    this.lookIfIdle();
    return host.launchUrl();
  }

  /** A background process ends when no VM runs, nobody is connected and no address waits for its browser. */
  private lookIfIdle(): void {
    clearTimeout(this.idleTimer);
    if (this.options.kind !== 'background') return;
    const idleMs = this.options.idleMs ?? IDLE_MS;
    const wait = Math.max(idleMs, this.busyUntilMs - performance.now());
    this.idleTimer = setTimeout(() => void this.endIfIdle(), wait).unref();
  }

  private async endIfIdle(): Promise<void> {
    const browser = await this.browser?.catch(() => undefined);
    if (this.manager.power.all.size > 0 || this.clients > 0 || (browser?.clients ?? 0) > 0 || performance.now() < this.busyUntilMs) this.lookIfIdle();
    else this.finish();
  }

  async close(): Promise<void> {
    clearTimeout(this.idleTimer);
    await this.local?.close();
    const browser = await this.browser?.catch(() => undefined);
    await browser?.close();
    await this.manager.close();
  }
}
