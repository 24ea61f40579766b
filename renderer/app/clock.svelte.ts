// The present second as a rune, for ages and running times.

class WallClock {
  nowMs = $state(Date.now());

  start(): () => void {
    const timer = setInterval(() => {
      this.nowMs = Date.now();
    }, 1000);
    return () => clearInterval(timer);
  }
}

export const clock = new WallClock();
