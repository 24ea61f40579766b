// What the rest of the app sees of a display adapter. Pull model: the viewer asks for a frame when it can show one, so
// the viewer sets the pace and a guest cannot flood it.

/** A rectangle in pixels. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A frame in host memory: 32-bit pixels, byte order R, G, B, A(255), rows without padding. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

export interface TextScreen {
  readonly columns: number;
  readonly rows: number;
  /** One string a row, Unicode (code page 437 mapped), not trimmed. */
  readonly lines: readonly string[];
  /** VGA attribute byte of each cell, row by row: foreground in bits 0-3, background in 4-6, blink or intensity in 7. */
  readonly attributes: Uint8Array;
  readonly cursor: { readonly column: number; readonly row: number; readonly visible: boolean };
}

export interface FrameSource {
  /**
   * Draws what changed since the last call into the adapter's own frame and returns it with the damaged rectangles;
   * an empty list means that nothing changed. A change of size damages everything.
   */
  refresh(): { readonly frame: Frame; readonly damage: readonly Rect[] };
  /** The text on the screen in text modes, else undefined. */
  textScreen(): TextScreen | undefined;
}
