// The environment of VM processes: what one needs and nothing else, so that secrets of the user's session stay out.

const NAMES = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'LANG', 'LC_ALL', 'TZ', 'SystemRoot', 'NESTBOX_LOG', 'XDG_RUNTIME_DIR'];

export function vmEnvironment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of NAMES) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}
