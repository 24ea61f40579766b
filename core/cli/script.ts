// The `--script` file of `nestbox run`: a JSON array of steps run in order. Parsed and checked before anything starts.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { NestboxError, messageOf } from '../base/errors.ts';

const seconds = z.number().min(0).max(86_400);
const text = z.string().max(65_536);
const file = z.string().min(1).max(4096);

const regex = z.string().min(1).max(4096).superRefine((source, context) => {
  try {
    new RegExp(source, 'm');
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error) });
  }
});

const stepSchema = z.union([
  z.strictObject({ wait: regex, timeout: seconds.optional() }),
  z.strictObject({ type: text }),
  z.strictObject({ key: z.string().min(1).max(100) }),
  z.strictObject({ sleep: seconds }),
  z.strictObject({ screenshot: file }),
  z.strictObject({ screenText: file }),
  z.strictObject({ savevm: z.string().min(1).max(200) }),
  z.strictObject({ loadvm: z.string().min(1).max(200) }),
  z.strictObject({ powerButton: z.literal(true) }),
  z.strictObject({ serial: text }),
]);

export type ScriptStep = z.infer<typeof stepSchema>;

const STEP_NAMES = 'wait, type, key, sleep, screenshot, screenText, savevm, loadvm, powerButton, serial';

/** @throws NestboxError kind `bad-input` naming the file, the step and what is wrong with it */
export function readScript(path: string): ScriptStep[] {
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new NestboxError('bad-input', `Script ${path} cannot be read: ${messageOf(cause)}`, { op: 'read script', cause });
  }
  return parseScript(source, path);
}

export function parseScript(source: string, path: string): ScriptStep[] {
  let json: unknown;
  try {
    json = JSON.parse(source);
  } catch (cause) {
    throw new NestboxError('bad-input', `Script ${path} is not JSON: ${messageOf(cause)}`, { op: 'read script', cause });
  }
  if (!Array.isArray(json)) throw new NestboxError('bad-input', `Script ${path} must be a JSON array of steps`, { op: 'read script' });
  return json.map((value: unknown, index) => {
    const result = stepSchema.safeParse(value);
    if (result.success) return result.data;
    const shown = JSON.stringify(value)?.slice(0, 80) ?? 'undefined';
    throw new NestboxError('bad-input', `Script ${path}, step ${index + 1}: ${shown} is not a valid step (steps are: ${STEP_NAMES})`, { op: 'read script' });
  });
}
