// One screen, several viewers: the display adapter tells its damage once, the hub keeps for every viewer what that one has
// not seen yet.

import { DamageList } from '../display/damage-list.ts';
import type { Frame, Rect } from '../display/frame-source.ts';
import type { Machine } from '../machine/machine.ts';
import type { FrameMessage } from '../protocol/vm-messages.ts';

export class ScreenHub {
  private readonly machine: () => Pick<Machine, 'refresh'>;
  private readonly viewers = new Set<ScreenViewer>();

  constructor(machine: () => Pick<Machine, 'refresh'>) {
    this.machine = machine;
  }

  open(): ScreenViewer {
    const viewer = new ScreenViewer(this, () => this.viewers.delete(viewer));
    this.viewers.add(viewer);
    return viewer;
  }

  /** Draws what is new; every viewer learns what it missed. */
  refresh(): Frame {
    const { frame, damage } = this.machine().refresh();
    if (damage.length > 0) for (const viewer of this.viewers) viewer.add(frame, damage);
    return frame;
  }
}

export class ScreenViewer {
  private readonly hub: ScreenHub;
  private readonly leave: () => void;
  private readonly unseen = new DamageList();
  private width = 0;
  private height = 0;

  constructor(hub: ScreenHub, leave: () => void) {
    this.hub = hub;
    this.leave = leave;
  }

  add(frame: Frame, damage: readonly Rect[]): void {
    if (frame.width !== this.width || frame.height !== this.height) {
      this.width = frame.width;
      this.height = frame.height;
      this.unseen.clear();
      this.unseen.add(0, 0, frame.width, frame.height);
      return;
    }
    for (const rect of damage) this.unseen.add(rect.x, rect.y, rect.width, rect.height);
  }

  get hasUnseen(): boolean {
    return !this.unseen.isEmpty;
  }

  /** Whether there was something unseen; there is nothing any more. */
  takeChanged(): boolean {
    const changed = this.hasUnseen;
    this.unseen.clear();
    return changed;
  }

  /** What this viewer has not seen, or the whole screen. */
  take(full: boolean): FrameMessage {
    const frame = this.hub.refresh();
    const unseen = this.unseen.take();
    const resized = frame.width !== this.width || frame.height !== this.height;
    this.width = frame.width;
    this.height = frame.height;
    const damage = full || resized ? [{ x: 0, y: 0, width: frame.width, height: frame.height }] : unseen;
    return { width: frame.width, height: frame.height, damage, pixels: cutOut(frame, damage) };
  }

  dispose(): void {
    this.leave();
  }
}

/** The pixels of some rectangles, one after the other. */
function cutOut(frame: Frame, rects: readonly Rect[]): Uint8Array {
  const out = new Uint8Array(rects.reduce((sum, rect) => sum + rect.width * rect.height * 4, 0));
  let at = 0;
  for (const rect of rects) {
    for (let y = rect.y; y < rect.y + rect.height; y++) {
      const from = (y * frame.width + rect.x) * 4;
      out.set(frame.pixels.subarray(from, from + rect.width * 4), at);
      at += rect.width * 4;
    }
  }
  return out;
}
