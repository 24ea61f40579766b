// How large the guest's screen is drawn.

export type ScalingMode = 'auto' | 'integer' | 'smooth' | 'actual';
export const SCALING_MODES: readonly ScalingMode[] = ['auto', 'integer', 'smooth', 'actual'];

export interface Scaled {
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
  /** Every guest pixel is a whole number of the host's: no smoothing. */
  readonly crisp: boolean;
}

/**
 * Auto: text and small modes take whole multiples when one fits, everything else fills the room.
 * @param ratio device pixels a CSS pixel: whole multiples are counted in device pixels, so that they are whole on any screen
 */
export function scaleScreen(options: { readonly mode: ScalingMode; readonly text: boolean; readonly guest: { readonly width: number; readonly height: number }; readonly room: { readonly width: number; readonly height: number }; readonly ratio: number }): Scaled {
  const { mode, text, guest, room, ratio } = options;
  if (guest.width <= 0 || guest.height <= 0 || room.width <= 0 || room.height <= 0) return { width: 0, height: 0, crisp: true };
  const fit = Math.min((room.width * ratio) / guest.width, (room.height * ratio) / guest.height);
  const sized = (scale: number, crisp: boolean): Scaled => ({ width: (guest.width * scale) / ratio, height: (guest.height * scale) / ratio, crisp });
  if (mode === 'actual') return sized(Math.max(1, Math.round(ratio)), true);
  const whole = Math.floor(fit);
  if (mode === 'integer' && whole >= 1) return sized(whole, true);
  // A whole multiple that leaves a third of the room empty is worse than a text that is slightly soft.
  if (mode === 'auto' && whole >= 1 && (text ? whole / fit > 0.66 : whole === fit)) return sized(whole, true);
  return sized(fit, false);
}
