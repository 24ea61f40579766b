import { describe, expect, it } from 'vitest';
import { en } from './en.ts';
import { zhCn } from './zh-cn.ts';

type Tree = { readonly [key: string]: string | Tree };

function leaves(tree: Tree, prefix = ''): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') found.set(prefix + key, value);
    else for (const [inner, text] of leaves(value, `${prefix}${key}.`)) found.set(inner, text);
  }
  return found;
}

const english = leaves(en);
const chinese = leaves(zhCn);
const parameters = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '').sort();

describe('the catalogues', () => {
  it('have the same keys; Chinese needs no singular', () => {
    const wanted = [...english.keys()].filter((key) => !key.endsWith('_one'));
    expect([...chinese.keys()].sort()).toEqual(wanted.sort());
  });

  it('use the same parameters in every sentence', () => {
    for (const [key, text] of chinese) expect([key, parameters(text)]).toEqual([key, parameters(english.get(key) ?? '')]);
  });

  it('leave nothing in Chinese untranslated', () => {
    // Names, keys of the keyboard and parameters alone read the same in both.
    const same = [...chinese].filter(([key, text]) => text === english.get(key)).map(([key]) => key);
    expect(same.filter((key) => !/^(app\.name|engine\.kvm|presets\.(windows|bsd|dos)|settings\.languages|host\.extensions|shortcuts\.\w+\.keys|status\.(mips|short)|kinds|codes\.file-unusable)/.test(key))).toEqual([]);
  });
});
