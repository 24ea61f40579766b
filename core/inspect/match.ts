// Finds the operating system of a medium: the first entry of the data file with a rule whose conditions all hold.

import type { Evidence } from '../protocol/library.ts';
import type { FileTree } from './file-tree.ts';
import { latin1 } from './byte-source.ts';
import { type Condition, knownSystems, type SystemEntry } from './systems.ts';

/** What is known of a medium. Texts that it does not have are empty. */
export interface MediumFacts {
  readonly trees: readonly FileTree[];
  readonly volumeIds: readonly string[];
  readonly publisher: string;
  readonly application: string;
  readonly system: string;
  /** Printable text of boot sectors and boot images. */
  readonly bootText: string;
  readonly oemName: string;
  readonly kernelVersion: string;
}

export interface SystemMatch {
  readonly system: SystemEntry;
  readonly version: string | undefined;
  readonly evidence: readonly Evidence[];
}

const FILE_HEAD_BYTES = 16 * 1024;
const EVIDENCE_CHARACTERS = 100;

/** Files are read once, however many rules ask for them. */
class Heads {
  private readonly trees: readonly FileTree[];
  private readonly texts = new Map<string, string | undefined>();

  constructor(trees: readonly FileTree[]) {
    this.trees = trees;
  }

  async has(path: string): Promise<boolean> {
    for (const tree of this.trees) if ((await tree.find(path)) !== undefined) return true;
    return false;
  }

  async text(path: string): Promise<string | undefined> {
    if (!this.texts.has(path)) this.texts.set(path, await this.load(path));
    return this.texts.get(path);
  }

  private async load(path: string): Promise<string | undefined> {
    for (const tree of this.trees) {
      const head = await tree.read(path, FILE_HEAD_BYTES);
      if (head !== undefined) return latin1(head);
    }
    return undefined;
  }
}

interface Hit {
  readonly evidence: Evidence;
  readonly version: string | undefined;
}

/** @returns undefined when no rule of any system holds */
export async function matchSystem(facts: MediumFacts): Promise<SystemMatch | undefined> {
  const heads = new Heads(facts.trees);
  for (const system of knownSystems()) {
    for (const rule of system.rules) {
      const hits = await holds(rule, facts, heads);
      if (hits === undefined) continue;
      const version = hits.map((hit) => hit.version).find((text) => text !== undefined && text !== '');
      return {
        system,
        version: version?.replace(/[_-]+/g, '.').replace(/\.+$/, ''),
        evidence: hits.map((hit) => hit.evidence),
      };
    }
  }
  return undefined;
}

async function holds(rule: readonly Condition[], facts: MediumFacts, heads: Heads): Promise<Hit[] | undefined> {
  const hits: Hit[] = [];
  for (const condition of rule) {
    const hit = await test(condition, facts, heads);
    if (hit === undefined) return undefined;
    hits.push(hit);
  }
  return hits;
}

async function test(condition: Condition, facts: MediumFacts, heads: Heads): Promise<Hit | undefined> {
  if ('volume' in condition) {
    for (const id of facts.volumeIds) {
      const hit = search({ where: 'volume' }, condition.volume, id);
      if (hit !== undefined) return hit;
    }
    return undefined;
  }
  if ('has' in condition)
    return (await heads.has(condition.has)) ? { evidence: { where: 'file', path: condition.has }, version: undefined } : undefined;
  if ('file' in condition) return search({ where: 'file', path: condition.file }, condition.matches, await heads.text(condition.file));
  if ('publisher' in condition) return search({ where: 'publisher' }, condition.publisher, facts.publisher);
  if ('application' in condition) return search({ where: 'application' }, condition.application, facts.application);
  if ('system' in condition) return search({ where: 'system' }, condition.system, facts.system);
  if ('boot' in condition) return search({ where: 'boot-code' }, condition.boot, facts.bootText);
  if ('oem' in condition) return search({ where: 'oem-name' }, condition.oem, facts.oemName);
  return search({ where: 'kernel' }, condition.kernel, facts.kernelVersion);
}

function search(place: Evidence, pattern: string, text: string | undefined): Hit | undefined {
  if (text === undefined || text === '') return undefined;
  const found = new RegExp(pattern, 'im').exec(text);
  if (found === null) return undefined;
  const line = (text.slice(found.index).split(/[\r\n\0]/)[0] ?? '').trim().slice(0, EVIDENCE_CHARACTERS);
  return { evidence: { ...place, text: line }, version: found.groups?.version };
}
