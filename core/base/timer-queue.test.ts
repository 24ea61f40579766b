import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimerQueue } from './timer-queue.ts';

describe('TimerQueue', () => {
  it('runs what is due in order of deadline, equal deadlines in order of arming', () => {
    const queue = new TimerQueue(() => 0);
    const ran: string[] = [];
    const a = queue.createTimer('a', () => ran.push('a'));
    const b = queue.createTimer('b', () => ran.push('b'));
    const c = queue.createTimer('c', () => ran.push('c'));
    a.arm(20);
    b.arm(10);
    c.arm(10);
    expect(queue.nextDeadlineNs()).toBe(10);
    expect(queue.runDue(15)).toBe(2);
    expect(ran).toEqual(['b', 'c']);
    expect(b.deadlineNs).toBeUndefined();
    queue.runDue(20);
    expect(ran).toEqual(['b', 'c', 'a']);
    expect(queue.nextDeadlineNs()).toBe(Infinity);
  });

  it('moves an armed timer and forgets a disarmed one', () => {
    const queue = new TimerQueue(() => 0);
    const ran: number[] = [];
    const timer = queue.createTimer('t', (now) => ran.push(now));
    timer.arm(10);
    timer.arm(30);
    queue.runDue(20);
    expect(ran).toEqual([]);
    queue.runDue(30);
    expect(ran).toEqual([30]);
    timer.arm(40);
    timer.disarm();
    queue.runDue(100);
    expect(ran).toEqual([30]);
  });

  it('runs a timer that its own callback re-arms in the past, but not for ever', () => {
    const queue = new TimerQueue(() => 0);
    let count = 0;
    const timer = queue.createTimer('storm', () => {
      count++;
      timer.arm(0);
    });
    timer.arm(0);
    expect(queue.runDue(10, 50)).toBe(50);
    expect(count).toBe(50);
  });

  it('has time stand still while timers run', () => {
    let hostNs = 0;
    const queue = new TimerQueue(() => (hostNs += 1000));
    const seen: number[] = [];
    const timer = queue.createTimer('t', () => seen.push(queue.nowNs(), queue.nowNs()));
    timer.arm(500);
    queue.runDue(queue.nowNs());
    expect(seen).toEqual([1000, 1000]);
    expect(queue.nowNs()).toBe(2000);
    const failing = queue.createTimer('failing', () => {
      throw new Error('device');
    });
    failing.arm(2500);
    expect(() => queue.runDue(queue.nowNs())).toThrow('device');
    expect(queue.nowNs()).toBe(4000);
  });

  it('tells when somebody sees a deadline passed', () => {
    let now = 0;
    const queue = new TimerQueue(() => now);
    let told = 0;
    queue.onOverdue = () => told++;
    const timer = queue.createTimer('t', () => queue.nowNs());
    timer.arm(100);
    queue.nowNs();
    expect(told).toBe(0);
    now = 100;
    queue.nowNs();
    expect(told).toBe(1);
    queue.runDue(100);
    queue.nowNs();
    expect(told).toBe(1);
  });

  it('tells when the earliest deadline moved closer', () => {
    const queue = new TimerQueue(() => 0);
    const told: number[] = [];
    queue.onEarlierDeadline = (deadline) => told.push(deadline);
    const a = queue.createTimer('a', () => undefined);
    const b = queue.createTimer('b', () => undefined);
    a.arm(100);
    b.arm(200);
    b.arm(50);
    expect(told).toEqual([100, 50]);
  });

  it('keeps heap order under any sequence of arming and disarming', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(9), fc.option(fc.nat(1000))), { maxLength: 200 }), (operations) => {
        const queue = new TimerQueue(() => 0);
        const fired: [number, number][] = [];
        const timers = Array.from({ length: 10 }, (_, i) => queue.createTimer(String(i), () => fired.push([model.get(i) ?? -1, i])));
        const model = new Map<number, number>();
        for (const [index, deadline] of operations) {
          if (deadline === null) {
            timers[index]?.disarm();
            model.delete(index);
          } else {
            timers[index]?.arm(deadline);
            model.set(index, deadline);
          }
          expect(queue.nextDeadlineNs()).toBe(model.size === 0 ? Infinity : Math.min(...model.values()));
        }
        queue.runDue(2000);
        expect(fired.map(([deadline]) => deadline)).toEqual([...model.values()].sort((x, y) => x - y));
      }),
    );
  });
});
