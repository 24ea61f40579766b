// The window's texts: none stands in a component, and every code that the host side reports has a sentence.

import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'svelte/compiler';
import { describe, expect, it } from 'vitest';
import { NOTICES } from '../../renderer/features/about/licences.ts';
import { en } from '../../renderer/i18n/en.ts';
import { OS_NAMES } from '../../renderer/ui/os-names.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Names of keys, as KeyboardEvent.key has them. */
const KEYS = new Set(['Enter', 'Delete', 'Escape', 'Home', 'End']);

describe('texts of the window', () => {
  it('stand in the catalogues: no component has text of its own', () => {
    const spoken = new Set(['aria-label', 'title', 'placeholder', 'alt', 'label', 'hint', 'text', 'description', 'action', 'summary']);
    const offences: string[] = [];
    const wordy = (text: string): boolean => /\p{L}{2,}/u.test(text);
    for (const path of globSync('renderer/**/*.svelte', { cwd: root })) {
      const visit = (node: unknown): void => {
        if (typeof node !== 'object' || node === null) return;
        if (Array.isArray(node)) {
          node.forEach(visit);
          return;
        }
        const entry = node as Record<string, unknown>;
        if (entry['type'] === 'StyleDirective' || entry['type'] === 'ClassDirective') return;
        // A sentence inside an expression: {busy ? 'Please wait' : ''}. What goes through t() is a key.
        if (entry['type'] === 'CallExpression') return;
        if (entry['type'] === 'Literal' && typeof entry['value'] === 'string' && /^\p{Lu}\p{Ll}+( |$)/u.test(entry['value']) && !KEYS.has(entry['value'])) offences.push(`${path}: ${entry['value']}`);
        if (entry['type'] === 'Text' && wordy(String(entry['data']))) offences.push(`${path}: ${String(entry['data']).trim()}`);
        if (entry['type'] === 'Attribute') {
          const value: unknown = entry['value'];
          if (spoken.has(String(entry['name'])) && Array.isArray(value)) {
            for (const part of value as { type: string; data?: string }[]) if (part.type === 'Text' && wordy(part.data ?? '')) offences.push(`${path}: ${String(entry['name'])}="${part.data ?? ''}"`);
          }
          if (typeof value === 'object') visit(Array.isArray(value) ? value.filter((part: { type: string }) => part.type !== 'Text') : value);
          return;
        }
        for (const [key, value] of Object.entries(entry)) if (key !== 'metadata' && key !== 'css' && key !== 'options') visit(value);
      };
      visit(parse(readFileSync(root + path, 'utf8'), { modern: true }).fragment);
    }
    expect(offences).toEqual([]);
  });

  it('have a sentence for every code that inspection and manager report', () => {
    const codes = new Set<string>();
    for (const path of globSync(['core/inspect/*.ts', 'core/manager/**/*.ts', 'core/registry/*.ts', 'core/host/**/*.ts'], { cwd: root })) {
      if (path.endsWith('.test.ts')) continue;
      const source = readFileSync(root + path, 'utf8');
      for (const match of source.matchAll(/\b(?:notice|refusal|problem)\(\s*(?:'[a-zA-Z.-]+',\s*)?'([a-z]+(?:-[a-z]+)*)'/g)) codes.add(match[1] ?? '');
      for (const match of source.matchAll(/\bcode: '([a-z]+(?:-[a-z]+)+)'/g)) codes.add(match[1] ?? '');
      // The manager's own table of sentences.
      if (path.endsWith('notices.ts')) for (const match of source.matchAll(/^ {2}'?([a-z]+(?:-[a-z]+)+)'?: ["'`]/gm)) codes.add(match[1] ?? '');
    }
    expect(codes.size).toBeGreaterThan(10);
    expect([...codes].filter((code) => !(code in en.codes)).sort()).toEqual([]);
  });

  it('name every system that can be recognised', () => {
    const systems = (JSON.parse(readFileSync(`${root}core/inspect/systems.json`, 'utf8')) as { systems: { id: string }[] }).systems;
    expect(systems.map((system) => system.id).filter((id) => !(id in OS_NAMES))).toEqual([]);
  });

  it('show the licences that the packages have', () => {
    for (const part of NOTICES.parts) {
      const { license } = JSON.parse(readFileSync(`${root}node_modules/${part.package}/package.json`, 'utf8')) as { license: string };
      expect([part.package, part.licence]).toEqual([part.package, license]);
    }
  });
});
