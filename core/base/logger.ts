// Logging seam. Levels by reader: error = the user must know, warn = the user may want to know,
// info = what the app does, debug = guest mistakes and device detail, trace = every access.

export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace';

export interface Logger {
  /** True when a message of this level would be kept: lets hot paths skip building it. */
  enabled(level: LogLevel): boolean;
  log(level: LogLevel, message: string, fields?: Record<string, unknown>): void;
  /** A logger whose messages carry `name` (a device id, a part). */
  child(name: string): Logger;
}

export const nullLogger: Logger = {
  enabled: () => false,
  log: () => undefined,
  child: () => nullLogger,
};
