// Remembers which windows were open and where, and brings them back where a display still is. The file is read as hostile
// input: a damaged one means default windows.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

const boundsSchema = z.strictObject({
  x: z.int(),
  y: z.int(),
  width: z.int().min(1).max(20_000),
  height: z.int().min(1).max(20_000),
});
export type Bounds = z.infer<typeof boundsSchema>;

const windowSchema = z.strictObject({
  /** Address behind "#": "/machines", "/vm/<id>", "/vm/<id>/serial". */
  route: z
    .string()
    .max(300)
    .regex(/^\/[\w/%.-]*$/),
  bounds: boundsSchema,
  maximized: z.boolean(),
  fullScreen: z.boolean(),
});
export type WindowState = z.infer<typeof windowSchema>;

const stateSchema = z.strictObject({ version: z.literal(1), windows: z.array(windowSchema).max(64) });

export const DEFAULT_ROUTE = '/machines';
const DEFAULT_SIZE = { width: 1280, height: 800 };
export const MINIMUM_SIZE = { width: 800, height: 600 };
/** So much of a title bar must be on a display for the window to be taken hold of. */
const VISIBLE = { width: 120, height: 40 };

export function loadWindowStates(path: string): readonly WindowState[] {
  try {
    const parsed = stateSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    return parsed.success ? parsed.data.windows : [];
  } catch {
    return [];
  }
}

/** Replaces the file in one step, so that a crash leaves the old or the new one. */
export function saveWindowStates(path: string, windows: readonly WindowState[]): void {
  const draft = `${path}.new`;
  writeFileSync(draft, JSON.stringify({ version: 1, windows }), { mode: 0o600 });
  renameSync(draft, path);
}

/**
 * Bounds for a window on the displays that are there now.
 * @param workAreas of all displays, the primary one first
 */
export function fitBounds(wanted: Bounds | undefined, workAreas: readonly Bounds[]): Bounds {
  const primary = workAreas[0] ?? { x: 0, y: 0, ...DEFAULT_SIZE };
  if (wanted !== undefined) {
    for (const area of workAreas) {
      const overlapX = Math.min(wanted.x + wanted.width, area.x + area.width) - Math.max(wanted.x, area.x);
      const titleY = wanted.y - area.y;
      if (overlapX >= VISIBLE.width && titleY >= 0 && titleY <= area.height - VISIBLE.height) {
        return {
          x: wanted.x,
          y: wanted.y,
          width: clamp(wanted.width, MINIMUM_SIZE.width, area.width),
          height: clamp(wanted.height, MINIMUM_SIZE.height, area.height),
        };
      }
    }
  }
  const width = Math.min(DEFAULT_SIZE.width, primary.width);
  const height = Math.min(DEFAULT_SIZE.height, primary.height);
  return {
    x: primary.x + Math.floor((primary.width - width) / 2),
    y: primary.y + Math.floor((primary.height - height) / 2),
    width,
    height,
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(Math.min(low, high), Math.min(value, high));
}
