// A window's connection to one running VM: opens when the VM runs, pulls frames, keeps status and text screen, and ends when
// the VM ends. Opening it again after a restart is the same call.

import type { ConsoleApi, ConsoleStatus } from '../../../core/protocol/console-api.ts';
import type { TextScreenMessage, VmExit } from '../../../core/protocol/vm-messages.ts';
import type { AppState } from '../../app/app-state.svelte.ts';
import type { ConsoleConnection } from '../../api/shell.ts';
import { errorText } from '../../i18n/messages.ts';
import { coversAll, paintFrame } from './frame-painter.ts';

const TEXT_AFTER_MS = 120;
const RETRY_MS = 1000;

export class ConsoleSession {
  status = $state.raw<ConsoleStatus | undefined>(undefined);
  text = $state.raw<TextScreenMessage | undefined>(undefined);
  size = $state.raw({ width: 0, height: 0 });
  /** Set when the VM ended while this window watched. */
  exit = $state.raw<VmExit | undefined>(undefined);
  error = $state<string | undefined>(undefined);
  connected = $state(false);
  frames = 0;
  private readonly app: AppState;
  private readonly vmId: string;
  private canvas: HTMLCanvasElement | undefined;
  private connection: ConsoleConnection | undefined;
  private closed = false;
  private opening = false;
  private textTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly serialListeners = new Set<(bytes: Uint8Array) => void>();

  constructor(app: AppState, vmId: string) {
    this.app = app;
    this.vmId = vmId;
  }

  get api(): ConsoleApi | undefined {
    return this.connection?.api;
  }

  /** Runs a call whose failure is of no interest: the VM may end between any two of them. */
  send(call: (api: ConsoleApi) => Promise<unknown>): void {
    const api = this.connection?.api;
    if (api !== undefined) call(api).catch(() => undefined);
  }

  onSerial(listener: (bytes: Uint8Array) => void): () => void {
    this.serialListeners.add(listener);
    return () => this.serialListeners.delete(listener);
  }

  /** @param canvas absent: no frames are pulled (serial console) */
  async open(canvas?: HTMLCanvasElement): Promise<void> {
    if (this.opening || this.connected || this.closed) return;
    this.opening = true;
    this.canvas = canvas;
    try {
      let gone = false;
      const connection = await this.app.shell.openConsole(this.vmId, {
        events: {
          serialOutput: (bytes) => {
            for (const listener of this.serialListeners) listener(bytes);
          },
          statusChanged: (status) => {
            this.status = status;
          },
          ended: (exit) => {
            this.exit = exit;
          },
        },
        lost: () => {
          gone = true;
          this.drop();
        },
      });
      if (this.closed) return connection.close();
      if (gone) return;
      this.connection = connection;
      this.connected = true;
      this.exit = undefined;
      this.error = undefined;
      this.status = await connection.api.status();
      if (canvas !== undefined) void this.pull(connection, canvas);
    } catch (thrown) {
      this.drop();
      this.error = errorText(thrown);
      // The VM may be on its way up: the page asks again while it should run.
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    } finally {
      this.opening = false;
    }
  }

  private drop(): void {
    this.connection = undefined;
    this.connected = false;
    clearTimeout(this.textTimer);
  }

  close(): void {
    this.closed = true;
    this.connection?.close();
    this.drop();
  }

  private async pull(connection: ConsoleConnection, canvas: HTMLCanvasElement): Promise<void> {
    const context = canvas.getContext('2d', { alpha: false, desynchronized: true });
    if (context === null) return;
    let full = true;
    while (this.connection === connection) {
      try {
        if (document.hidden) {
          await new Promise((resolve) => document.addEventListener('visibilitychange', resolve, { once: true }));
          full = true;
          continue;
        }
        const frame = await connection.api.nextFrame(full);
        if (this.connection !== connection) return;
        const resized = paintFrame(canvas, context, frame);
        this.frames++;
        canvas.dataset['frames'] = String(this.frames);
        if (resized) this.size = { width: frame.width, height: frame.height };
        full = resized && !coversAll(frame);
        this.readTextSoon(connection);
      } catch {
        return;
      }
    }
  }

  private readTextSoon(connection: ConsoleConnection): void {
    if (this.textTimer !== undefined) return;
    this.textTimer = setTimeout(() => {
      this.textTimer = undefined;
      connection.api.textScreen().then(
        (text) => {
          if (this.connection === connection) this.text = text;
        },
        () => undefined,
      );
    }, TEXT_AFTER_MS);
  }
}
