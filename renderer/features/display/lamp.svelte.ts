// A lamp that lights for a moment whenever a count changes.

const LIT_MS = 220;

export class Lamp {
  on = $state(false);
  private last: number | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  see(count: number): void {
    const changed = this.last !== undefined && count !== this.last;
    this.last = count;
    if (!changed) return;
    this.on = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.on = false;
    }, LIT_MS);
  }
}
