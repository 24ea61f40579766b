// The theme that stands now, for what draws on a canvas and cannot follow CSS by itself.

class ThemeState {
  current = $state('light');

  watch(): () => void {
    const read = (): void => {
      this.current = document.documentElement.dataset['theme'] ?? 'light';
    };
    read();
    const observer = new MutationObserver(read);
    observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => observer.disconnect();
  }
}

export const theme = new ThemeState();
