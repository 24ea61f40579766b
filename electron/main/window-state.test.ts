import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fitBounds, loadWindowStates, saveWindowStates } from './window-state.ts';

const folder = mkdtempSync(join(tmpdir(), 'nestbox-windows-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const SCREEN = { x: 0, y: 25, width: 1920, height: 1055 };
const SECOND = { x: 1920, y: 0, width: 1280, height: 1024 };

describe('bounds', () => {
  it('of a display that is there are kept', () =>
    expect(fitBounds({ x: 2000, y: 100, width: 900, height: 700 }, [SCREEN, SECOND])).toEqual({
      x: 2000,
      y: 100,
      width: 900,
      height: 700,
    }));
  it('of a display that is gone go to the middle of the primary one', () =>
    expect(fitBounds({ x: 2000, y: 100, width: 900, height: 700 }, [SCREEN])).toEqual({
      x: 320,
      y: 152,
      width: 1280,
      height: 800,
    }));
  it('whose title bar is out of reach are not kept', () =>
    expect(fitBounds({ x: 100, y: 1070, width: 900, height: 700 }, [SCREEN]).y).toBe(152));
  it('shrink to a smaller display', () =>
    expect(fitBounds({ x: 0, y: 25, width: 5000, height: 5000 }, [SCREEN])).toMatchObject({
      width: 1920,
      height: 1055,
    }));
  it('fit a display below the usual size', () =>
    expect(fitBounds(undefined, [{ x: 0, y: 0, width: 1024, height: 600 }])).toEqual({
      x: 0,
      y: 0,
      width: 1024,
      height: 600,
    }));
});

describe('the file', () => {
  const path = join(folder, 'windows.json');
  const state = { route: '/vm/abc-1', bounds: { x: 1, y: 2, width: 3, height: 4 }, maximized: false, fullScreen: true };
  it('gives back what was saved and leaves no draft', () => {
    saveWindowStates(path, [state]);
    expect(loadWindowStates(path)).toEqual([state]);
    expect(readdirSync(folder)).toEqual(['windows.json']);
  });
  it.each([
    '',
    '{',
    '[]',
    '{"version":2,"windows":[]}',
    '{"version":1,"windows":[{"route":"javascript:x","bounds":{"x":0,"y":0,"width":1,"height":1},"maximized":false,"fullScreen":false}]}',
    '{"version":1,"windows":[{"route":"/machines","bounds":{"x":0,"y":0,"width":1e9,"height":1},"maximized":false,"fullScreen":false}]}',
  ])('%s means default windows', (text) => {
    writeFileSync(path, text);
    expect(loadWindowStates(path)).toEqual([]);
  });
  it('that is missing means default windows', () => expect(loadWindowStates(join(folder, 'none'))).toEqual([]));
});
