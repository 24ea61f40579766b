// Reads small XML documents (W3C XML 1.0) into a tree, as OVF descriptors need it. Names lose their namespace prefix. No
// document types, so no entities but the five of the standard and character numbers; depth and size are bounded.

import { NestboxError } from '../base/errors.ts';

export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** Character data of the element itself, trimmed. */
  readonly text: string;
}

const DEPTH_MAX = 64;
const ELEMENTS_MAX = 20_000;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function bad(text: string): NestboxError {
  return new NestboxError('bad-input', `The XML is damaged: ${text}`, { op: 'read XML' });
}

function unescape(text: string): string {
  return text.replaceAll(/&(#x[0-9a-f]{1,6}|#[0-9]{1,7}|\w{1,10});/gi, (whole, name: string) => {
    if (!name.startsWith('#')) return ENTITIES[name] ?? whole;
    const code = name[1] === 'x' || name[1] === 'X' ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= 0x10_ffff ? String.fromCodePoint(code) : whole;
  });
}

const local = (name: string): string => name.slice(name.indexOf(':') + 1);

interface Open {
  readonly full: string;
  readonly attributes: Map<string, string>;
  readonly children: XmlElement[];
  text: string;
}

const finished = (open: Open): XmlElement => ({ name: local(open.full), attributes: open.attributes, children: open.children, text: open.text.trim() });

/** @returns the root. @throws NestboxError `bad-input` */
export function parseXml(document: string): XmlElement {
  const token = /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([\w.:-]+)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/y;
  const attribute = /([\w.:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
  const stack: Open[] = [];
  let root: XmlElement | undefined;
  let count = 0;
  const close = (open: Open): void => {
    const element = finished(open);
    const parent = stack.at(-1);
    if (parent === undefined) root = element;
    else parent.children.push(element);
  };
  for (let at = document.startsWith('\ufeff') ? 1 : 0; at < document.length; at = token.lastIndex) {
    token.lastIndex = at;
    const match = token.exec(document);
    if (match === null) throw bad(`there is something unexpected at character ${at}`);
    const [, cdata, slash, name, attributes, empty, characters] = match;
    const top = stack.at(-1);
    if (characters !== undefined || cdata !== undefined) {
      if (top !== undefined) top.text += cdata ?? unescape(characters ?? '');
      else if ((characters ?? '').trim() !== '' || cdata !== undefined) throw bad('there is text outside the document');
      continue;
    }
    if (name === undefined) continue;
    if (slash === '/') {
      if (top?.full !== name) throw bad(`</${name}> closes nothing`);
      stack.pop();
      close(top);
      continue;
    }
    if (root !== undefined) throw bad('there is a second document');
    if (++count > ELEMENTS_MAX || stack.length >= DEPTH_MAX) throw bad('it is too large');
    const open: Open = { full: name, attributes: new Map(), children: [], text: '' };
    for (const [, key, double, single] of (attributes ?? '').matchAll(attribute)) open.attributes.set(local(key ?? ''), unescape(double ?? single ?? ''));
    if (empty === '/') close(open);
    else stack.push(open);
  }
  if (stack.length > 0) throw bad(`<${stack.at(-1)?.full ?? ''}> is not closed`);
  if (root === undefined) throw bad('there is nothing in it');
  return root;
}

/** Every element of that name below, in document order. */
export function descendants(element: XmlElement, name: string): XmlElement[] {
  return element.children.flatMap((child) => [...(child.name === name ? [child] : []), ...descendants(child, name)]);
}

export function child(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((entry) => entry.name === name);
}
