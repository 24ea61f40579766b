// Drives a run: script steps, the expected text, time limit, screenshot and statistics at the end.

import { writeFileSync } from 'node:fs';
import { NestboxError, messageOf } from '../base/errors.ts';
import type { VmExit } from '../protocol/vm-messages.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_TIMEOUT, exitCodeOfKind } from './exit-codes.ts';
import type { ScriptStep } from './script.ts';
import type { VmSession } from './vm-session.ts';

const POLL_MS = 50;
const DEFAULT_WAIT_SECONDS = 60;

export interface RunPlan {
  readonly script: readonly ScriptStep[];
  readonly expect: RegExp | undefined;
  readonly timeoutMs: number | undefined;
  readonly screenshotPath: string | undefined;
  readonly statsPath: string | undefined;
}

type Outcome = { kind: 'seen' } | { kind: 'timeout'; what: string } | { kind: 'exit'; exit: VmExit } | { kind: 'script-done' };

/** Text on the screen and on the serial port, searched the same way by --expect and by `wait` steps. */
class Watcher {
  private readonly session: VmSession;
  private serialPosition = 0;

  constructor(session: VmSession) {
    this.session = session;
  }

  /** True when `pattern` is on the screen, or on the serial port after the last match of a `wait` step. */
  async sees(pattern: RegExp, fromStart: boolean): Promise<boolean> {
    const { serialText, serialDropped } = this.session;
    const from = fromStart ? 0 : Math.max(0, this.serialPosition - serialDropped);
    const match = pattern.exec(serialText.slice(from));
    if (match !== null) {
      if (!fromStart) this.serialPosition = serialDropped + from + match.index + match[0].length;
      return true;
    }
    const screen = await this.session.guard(this.session.vm.textScreen());
    return screen !== undefined && pattern.test(screen.lines.map((line) => line.trimEnd()).join('\n'));
  }
}

/** The VM process keeps this one alive; a pause must not outlive the run. */
function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

/** Runs to the end and returns the exit code of the command. */
export async function driveRun(session: VmSession, plan: RunPlan): Promise<number> {
  const cancel = { done: false };
  const watcher = new Watcher(session);
  const contenders: Promise<Outcome>[] = [session.exited.then((exit): Outcome => ({ kind: 'exit', exit }))];
  if (plan.timeoutMs !== undefined) {
    const limit = plan.timeoutMs;
    contenders.push(
      new Promise((resolve) => {
        setTimeout(() => resolve({ kind: 'timeout', what: 'time limit' }), limit).unref();
      }),
    );
  }
  if (plan.script.length > 0 || plan.expect !== undefined) contenders.push(work(session, plan, watcher, cancel));
  let outcome: Outcome;
  try {
    outcome = await Promise.race(contenders);
  } finally {
    cancel.done = true;
  }
  // What was asked for at the end is made however the run ended; the guest's last output is still searched.
  const seenAtEnd = plan.expect !== undefined && outcome.kind === 'exit' ? await watcher.sees(plan.expect, true).catch(() => false) : false;
  await finish(session, plan);
  return conclude(outcome, plan, seenAtEnd);
}

async function work(session: VmSession, plan: RunPlan, watcher: Watcher, cancel: { done: boolean }): Promise<Outcome> {
  for (const step of plan.script) {
    if (cancel.done) break;
    const failed = await runStep(session, step, watcher, cancel);
    if (failed !== undefined) return failed;
  }
  if (plan.expect === undefined) return { kind: 'script-done' };
  while (!cancel.done) {
    if (await watcher.sees(plan.expect, true)) return { kind: 'seen' };
    await sleep(POLL_MS);
  }
  return { kind: 'script-done' };
}

async function runStep(session: VmSession, step: ScriptStep, watcher: Watcher, cancel: { done: boolean }): Promise<Outcome | undefined> {
  const { vm } = session;
  if ('wait' in step) {
    const pattern = new RegExp(step.wait, 'm');
    const limit = Date.now() + (step.timeout ?? DEFAULT_WAIT_SECONDS) * 1000;
    while (!cancel.done) {
      if (await watcher.sees(pattern, false)) return undefined;
      if (Date.now() > limit) return { kind: 'timeout', what: `script step wait ${JSON.stringify(step.wait)}` };
      await sleep(POLL_MS);
    }
  } else if ('type' in step) await session.guard(vm.typeText(step.type));
  else if ('key' in step) await session.guard(vm.keyCombination(step.key));
  else if ('sleep' in step) await sleep(step.sleep * 1000);
  else if ('screenshot' in step) saveFile(step.screenshot, await session.guard(vm.screenshot()));
  else if ('screenText' in step) {
    const screen = await session.guard(vm.textScreen());
    saveFile(step.screenText, `${screen?.lines.map((line) => line.trimEnd()).join('\n') ?? ''}\n`);
  } else if ('savevm' in step) await session.guard(vm.saveState(step.savevm));
  else if ('loadvm' in step) await session.guard(vm.loadState(step.loadvm));
  else if ('powerButton' in step) await session.guard(vm.powerButton());
  else await session.guard(vm.serialInput(new TextEncoder().encode(step.serial)));
  return undefined;
}

function saveFile(path: string, content: Uint8Array | string): void {
  try {
    writeFileSync(path, content);
  } catch (cause) {
    throw new NestboxError('bad-input', `${path} cannot be written: ${messageOf(cause)}`, { op: 'write file', cause });
  }
}

async function finish(session: VmSession, plan: RunPlan): Promise<void> {
  if (plan.screenshotPath !== undefined) saveFile(plan.screenshotPath, await session.guard(session.vm.screenshot()));
  if (plan.statsPath !== undefined) saveFile(plan.statsPath, `${JSON.stringify(await session.guard(session.vm.stats()), undefined, 2)}\n`);
}

function conclude(outcome: Outcome, plan: RunPlan, seenAtEnd: boolean): number {
  const say = (text: string): void => {
    process.stderr.write(`nestbox: ${text}\n`);
  };
  switch (outcome.kind) {
    case 'seen':
    case 'script-done':
      return EXIT_OK;
    case 'timeout':
      say(outcome.what === 'time limit' ? `the time limit of ${(plan.timeoutMs ?? 0) / 1000} s has passed${plan.expect === undefined ? '' : `; ${String(plan.expect)} was not seen`}` : `${outcome.what}: the text did not appear in time`);
      return EXIT_TIMEOUT;
    case 'exit':
      return concludeExit(outcome.exit, plan, seenAtEnd, say);
  }
}

function concludeExit(exit: VmExit, plan: RunPlan, seenAtEnd: boolean, say: (text: string) => void): number {
  switch (exit.reason) {
    case 'debug-exit':
      if (seenAtEnd) return EXIT_OK;
      return exit.status ?? EXIT_FAILED;
    case 'power-off':
    case 'host':
      if (plan.expect === undefined || seenAtEnd) return EXIT_OK;
      say(`the guest switched itself off before ${String(plan.expect)} was seen`);
      return EXIT_FAILED;
    case 'fault':
      if (seenAtEnd) return EXIT_OK;
      say(`the guest failed: ${exit.message ?? 'fault'}${exit.report === undefined ? '' : `\n${exit.report}`}`);
      return EXIT_FAILED;
    case 'error':
      say(exit.message ?? 'the VM process failed');
      return exit.kind === undefined ? EXIT_FAILED : exitCodeOfKind(exit.kind);
  }
}
