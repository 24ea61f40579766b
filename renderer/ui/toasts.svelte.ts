// Short messages at the corner. Errors stay until they are dismissed; the rest goes by itself.

export interface Toast {
  readonly id: number;
  readonly tone: 'ok' | 'error' | 'info';
  readonly text: string;
  readonly action?: { readonly label: string; readonly select: () => void };
}

const LIFE_MS = 5000;
const MOST = 4;
let nextId = 1;

class Toasts {
  list = $state.raw<readonly Toast[]>([]);

  show(toast: Omit<Toast, 'id'>): void {
    const id = nextId++;
    // The same message twice says nothing new.
    this.list = [...this.list.filter((other) => other.text !== toast.text), { ...toast, id }].slice(-MOST);
    if (toast.tone !== 'error') setTimeout(() => this.dismiss(id), LIFE_MS);
  }
  dismiss(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
