import { expect, it } from 'vitest';
import { DamageList } from './damage-list.ts';
import { textOf } from './text-screen.ts';

it('merges lines that follow each other and keeps far ones apart', () => {
  const list = new DamageList();
  for (let y = 10; y < 20; y++) list.add(5, y, 30, 1);
  list.add(500, 400, 30, 20);
  expect(list.take()).toEqual([
    { x: 5, y: 10, width: 30, height: 10 },
    { x: 500, y: 400, width: 30, height: 20 },
  ]);
  expect(list.isEmpty).toBe(true);
});

it('joins cells side by side but not when the join would cover much undamaged area', () => {
  const list = new DamageList();
  list.add(0, 0, 8, 16);
  list.add(8, 0, 8, 16);
  list.add(600, 16, 8, 16);
  expect(list.take()).toEqual([{ x: 0, y: 0, width: 16, height: 16 }, { x: 600, y: 16, width: 8, height: 16 }]);
});

it('makes one block of full rows of cells', () => {
  const list = new DamageList();
  for (let row = 0; row < 25; row++) for (let column = 0; column < 80; column++) list.add(column * 9, row * 16, 9, 16);
  expect(list.take()).toEqual([{ x: 0, y: 0, width: 720, height: 400 }]);
});

it('stays bounded and covers everything', () => {
  const list = new DamageList();
  for (let i = 0; i < 1000; i++) list.add((i * 397) % 1900, (i * 211) % 1000, 3, 3);
  const rects = list.take();
  expect(rects.length).toBeLessThanOrEqual(64);
  for (let i = 0; i < 1000; i++) {
    const x = (i * 397) % 1900;
    const y = (i * 211) % 1000;
    expect(rects.some((r) => r.x <= x && r.y <= y && r.x + r.width >= x + 3 && r.y + r.height >= y + 3)).toBe(true);
  }
});

it('ignores empty rectangles', () => {
  const list = new DamageList();
  list.add(3, 3, 0, 5);
  list.add(3, 3, 5, -1);
  expect(list.take()).toEqual([]);
});

it('turns a text screen into plain text', () => {
  const cursor = { column: 0, row: 0, visible: true };
  expect(textOf({ columns: 4, rows: 3, lines: ['ab  ', '  c ', '    '], attributes: new Uint8Array(12), cursor })).toBe('ab\n  c');
});
