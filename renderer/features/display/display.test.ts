import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyTracker } from './key-tracker.ts';
import { scaleScreen, SCALING_MODES } from './scaling.ts';
import { spokenChange } from './text-changes.ts';

describe('keys of the guest', () => {
  const press = (tracker: KeyTracker, ...codes: string[]): string[] => codes.map((code) => (code.startsWith('-') ? tracker.up(code.slice(1)) : tracker.down(code, false)));

  it('drops the repeats of the host and keys without a place', () => {
    const tracker = new KeyTracker();
    expect(tracker.down('KeyA', false)).toBe('send');
    expect(tracker.down('KeyA', true)).toBe('ignore');
    expect(tracker.down('', false)).toBe('ignore');
    expect(tracker.up('KeyB')).toBe('ignore');
    expect(tracker.up('KeyA')).toBe('send');
  });

  it('leaves on Ctrl and Alt alone, in any order, and on nothing else', () => {
    expect(press(new KeyTracker(), 'ControlLeft', 'AltLeft', '-AltLeft', '-ControlLeft')).toEqual(['send', 'send', 'release', 'send']);
    expect(press(new KeyTracker(), 'AltLeft', 'ControlRight', '-AltLeft')).toEqual(['send', 'send', 'release']);
    expect(press(new KeyTracker(), 'ControlLeft', 'AltLeft', 'Delete', '-Delete', '-AltLeft', '-ControlLeft')).not.toContain('release');
    // AltGr arrives as Ctrl and the right Alt on some hosts.
    expect(press(new KeyTracker(), 'ControlLeft', 'AltRight', '-AltRight', '-ControlLeft')).not.toContain('release');
    // After another combination the next one counts again.
    expect(press(new KeyTracker(), 'KeyX', '-KeyX', 'ControlLeft', 'AltLeft', '-ControlLeft')).toContain('release');
  });

  it('sends PrintScreen, which comes up without going down', () => {
    expect(new KeyTracker().up('PrintScreen')).toBe('send');
  });

  it('holds nothing once the focus is lost', () => {
    const tracker = new KeyTracker();
    tracker.down('ShiftLeft', false);
    expect(tracker.clear()).toBe(true);
    expect(tracker.up('ShiftLeft')).toBe('ignore');
    expect(tracker.clear()).toBe(false);
  });
});

describe('the size of the screen', () => {
  const scale = (options: Partial<Parameters<typeof scaleScreen>[0]>): ReturnType<typeof scaleScreen> => scaleScreen({ mode: 'auto', text: true, guest: { width: 720, height: 400 }, room: { width: 1500, height: 900 }, ratio: 1, ...options });

  it('takes whole multiples for text and fills the room with pictures', () => {
    expect(scale({})).toEqual({ width: 1440, height: 800, crisp: true });
    expect(scale({ text: false })).toMatchObject({ width: 1500, crisp: false });
    expect(scale({ mode: 'integer', text: false })).toEqual({ width: 1440, height: 800, crisp: true });
    expect(scale({ mode: 'actual' })).toEqual({ width: 720, height: 400, crisp: true });
    expect(scale({ mode: 'integer', room: { width: 400, height: 300 } }).width).toBeCloseTo(400);
  });

  it('counts whole multiples in device pixels', () => {
    expect(scale({ mode: 'integer', room: { width: 1000, height: 700 }, ratio: 2 })).toEqual({ width: 720, height: 400, crisp: true });
  });

  it('never leaves the room but in actual size, and keeps the proportions', () => {
    const side = fc.integer({ min: 1, max: 5000 });
    fc.assert(
      fc.property(fc.constantFrom(...SCALING_MODES), fc.boolean(), side, side, side, side, fc.constantFrom(1, 1.25, 1.5, 2, 3), (mode, text, width, height, roomWidth, roomHeight, ratio) => {
        const scaled = scaleScreen({ mode, text, guest: { width, height }, room: { width: roomWidth, height: roomHeight }, ratio });
        expect(scaled.width / scaled.height).toBeCloseTo(width / height, 5);
        if (mode === 'actual') return;
        expect(scaled.width).toBeLessThanOrEqual(roomWidth + 1e-6);
        expect(scaled.height).toBeLessThanOrEqual(roomHeight + 1e-6);
      }),
    );
  });
});

describe('what a screen reader is told', () => {
  it('says new lines only, not those that scrolled', () => {
    expect(spokenChange(['C:\\>dir  ', ''], ['C:\\>dir', ' 2 file(s)', 'C:\\>'])).toBe('2 file(s)\nC:\\>');
    expect(spokenChange(['one', 'two', 'three'], ['two', 'three', 'four'])).toBe('four');
    expect(spokenChange(['same'], ['same'])).toBe('');
  });

  it('never floods: at most six lines and 400 characters, without frames of line graphics', () => {
    const many = Array.from({ length: 25 }, (_, row) => `line ${row} ${'x'.repeat(60)}`);
    const said = spokenChange([], many);
    expect(said.split('\n').length).toBeLessThanOrEqual(6);
    expect(said.length).toBeLessThanOrEqual(400);
    expect(spokenChange([], ['╔══════╗', '║ Menu ║'])).toBe('Menu');
  });
});
