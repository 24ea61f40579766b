// The window as a user feels it, in Chromium: from a key press to the changed pixel in the demo guest, from the start of the
// host to a usable list of 200 machines (in a browser window that is there already, as an app's shell is, and with Chromium's
// own start), and how evenly that list scrolls. Prints milliseconds; the bars of issue and docs
// are 60 ms and 1.5 s. `npm run bench -- --only window`, or alone: node test/perf/window.ts [--json PATH]

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright';
import { type App, missing, screenText, seedLibrary, startApp, windowFrom } from '../e2e/app.ts';
import { median } from './timing.ts';

const { values } = parseArgs({ options: { json: { type: 'string' }, keys: { type: 'string', default: '120' }, machines: { type: 'string', default: '200' } } });

interface Spread {
  readonly median: number;
  readonly p95: number;
  readonly longest: number;
}

function spread(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number => Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 10) / 10;
  return { median: at(0.5), p95: at(0.95), longest: at(1) };
}

interface Start {
  readonly usableMs: number;
  readonly hostCpuMs: number;
  readonly pageCpuMs: number;
}

const STARTS = 3;

/** From the start of the host until the list is there and takes a click. @param bare Chromium is there already */
async function usableList(root: string, bare: boolean): Promise<{ readonly app: App; readonly start: Start }> {
  const app = await startApp({ root, bare });
  await app.page.locator('[data-index="8"]').waitFor();
  await app.page.getByRole('button', { name: 'Machine 1, Off' }).click({ trial: true });
  const usableMs = Math.round(performance.now() - app.startedMs);
  return { app, start: { usableMs, hostCpuMs: processorMs(app.pid), pageCpuMs: await pageBusyMs(app.page) } };
}

/** Processor time of a process so far in milliseconds, NaN where the host does not tell (proc_pid_stat(5)); machines are not always quiet. */
function processorMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return Number.NaN;
  }
}

/** Time that the page's own thread was busy, in milliseconds. */
async function pageBusyMs(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const { metrics } = await session.send('Performance.getMetrics');
  return Math.round(1000 * (metrics.find((metric) => metric.name === 'ProcessTime')?.value ?? metrics.find((metric) => metric.name === 'TaskDuration')?.value ?? 0));
}

/** The demo guest echoes in its last line, right of the middle; its clock is elsewhere. */
async function keyToPixel(window: Page, keys: number): Promise<Spread> {
  await window.evaluate(() => {
    const seen = { pressed: 0, samples: [] as number[] };
    Object.assign(globalThis, { latency: seen });
    addEventListener('keydown', (event) => (seen.pressed = event.timeStamp), { capture: true });
    const prototype = CanvasRenderingContext2D.prototype as { putImageData: (this: CanvasRenderingContext2D, image: ImageData, x: number, y: number) => void };
    const put = prototype.putImageData;
    prototype.putImageData = function (image, x, y): void {
      put.call(this, image, x, y);
      const { width, height } = this.canvas;
      if (seen.pressed === 0 || y + image.height <= (height * 24) / 25 || x + image.width <= width / 2) return;
      const { pressed } = seen;
      seen.pressed = 0;
      // The picture is on the screen with the frame that the browser makes next.
      requestAnimationFrame((shown) => seen.samples.push(Math.max(shown, performance.now()) - pressed));
    };
  });
  await window.locator('[data-screen]').focus();
  const letters = 'abcdefghijklmnop';
  for (let index = 0; index < keys; index++) {
    await window.keyboard.press(letters[index % letters.length] ?? 'a');
    await window.waitForTimeout(90 + ((index * 37) % 70));
  }
  return spread(await window.evaluate(() => (globalThis as unknown as { latency: { samples: number[] } }).latency.samples));
}

/** Frames while the list is scrolled by wheel for two seconds. */
async function scrolling(page: Page): Promise<Spread> {
  const list = page.locator('[data-index="0"]');
  const box = await list.boundingBox();
  await page.mouse.move((box?.x ?? 400) + 20, (box?.y ?? 300) + 20);
  await page.evaluate(() => {
    const seen = { frames: [] as number[], on: true };
    Object.assign(globalThis, { scrolling: seen });
    let before = performance.now();
    const step = (now: number): void => {
      seen.frames.push(now - before);
      before = now;
      if (seen.on) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  });
  for (let index = 0; index < 60; index++) {
    await page.mouse.wheel(0, index < 30 ? 160 : -160);
    await page.waitForTimeout(33);
  }
  return spread(await page.evaluate(() => (globalThis as unknown as { scrolling: { frames: number[] } }).scrolling.frames.slice(2)));
}

if (missing !== undefined) throw new Error(missing);
const folder = mkdtempSync(join(tmpdir(), 'nestbox-bench-'));
try {
  const root = join(folder, 'library');
  const machines = Number(values.machines);
  await seedLibrary(root, machines - 1);
  const starts: Start[] = [];
  const wholes: Start[] = [];
  for (let run = 0; run < STARTS; run++) {
    for (const [bare, list] of [[true, starts], [false, wholes]] as const) {
      const { app: started, start } = await usableList(root, bare);
      list.push(start);
      await started.close();
    }
  }
  const { app, start } = await usableList(root, true);
  starts.push(start);
  const usableMs = median(starts.map((one) => one.usableMs));
  const wholeMs = median(wholes.map((one) => one.usableMs));
  const hostCpuMs = median(starts.map((one) => one.hostCpuMs));
  const pageCpuMs = median(starts.map((one) => one.pageCpuMs));
  const scroll = await scrolling(app.page);
  await app.page.getByRole('searchbox').fill('demo');
  await app.page.getByRole('button', { name: 'Nestbox demo, Off' }).focus();
  const window = await windowFrom(app, () => app.page.keyboard.press('Control+Enter'));
  await screenText(window, /all passed/);
  const key = await keyToPixel(window, Number(values.keys));
  await app.close();
  const record = { machines, usableMs, wholeMs, hostCpuMs, pageCpuMs, scrollFrameMs: scroll, keyToPixelMs: key };
  console.log(`${machines} machines: usable list ${usableMs} ms after the start of nestbox serve (bar 1500), ${wholeMs} ms with Chromium's own start; processor time of the host ${hostCpuMs} ms, of the page's process ${pageCpuMs} ms`);
  console.log(`scrolling: frame time median ${scroll.median} ms, 95 % ${scroll.p95} ms, longest ${scroll.longest} ms`);
  console.log(`key press to changed pixel: median ${key.median} ms, 95 % ${key.p95} ms, longest ${key.longest} ms (bar 60)`);
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(record, undefined, 1));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
