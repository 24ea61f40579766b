// The compiler's thread: takes region requests, as many at once as have come meanwhile, emits one module for them, compiles
// it and sends it back.

import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { lowerCompilers } from './compiler-priority.ts';
import type { CompiledBatch } from './jit-engine.ts';
import { compileRegions } from './engine-switches.ts';
import { buildModule, type RegionRequest } from './region-module.ts';
import { stopwatchMs } from './stopwatch.ts';

/** Regions of one module at most: they become usable together, and its memory is only given back when all of them are gone. */
const MOST_REGIONS = 4;

const { pages, port } = workerData as { readonly pages: number; readonly port: MessagePort };
const queue: RegionRequest[] = [];

function compile(requests: readonly RegionRequest[]): CompiledBatch {
  const started = stopwatchMs();
  try {
    const { bytes, results } = buildModule(requests, pages);
    const module = bytes === undefined ? undefined : compileRegions(bytes);
    return { module, results, ms: stopwatchMs() - started, bytes: bytes?.length ?? 0 };
  } catch (error) {
    // One bad region must not take the others with it; alone it is given up and told about.
    if (requests.length > 1) throw error;
    return { module: undefined, results: requests.map(({ id }) => ({ id, name: '', need: 0, translated: 0 })), ms: stopwatchMs() - started, bytes: 0, problem: String(error) };
  }
}

function compileAll(requests: readonly RegionRequest[]): void {
  try {
    port.postMessage(compile(requests));
  } catch {
    for (const request of requests) port.postMessage(compile([request]));
  }
}

lowerCompilers();
port.on('message', (requests: readonly RegionRequest[]) => {
  queue.push(...requests);
  for (let more = receiveMessageOnPort(port); more !== undefined; more = receiveMessageOnPort(port)) queue.push(...(more.message as readonly RegionRequest[]));
  while (queue.length > 0) compileAll(queue.splice(0, MOST_REGIONS));
});
