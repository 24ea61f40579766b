// A value that is read from the manager again whenever the runes that its loader touches change.

import { untrack } from 'svelte';
import { errorText } from '../i18n/messages.ts';

export interface Resource<Value> {
  readonly value: Value | undefined;
  readonly error: string | undefined;
  readonly loading: boolean;
  reload(): void;
}

/**
 * Call while a component is set up. Old answers that arrive late are dropped.
 * @param load returns undefined when there is nothing to read; touch runes before its first await
 * @param of what it is read of, as a text: then only a change of that counts. A VM's summary is a new object with each picture
 */
export function resource<Value>(load: () => Promise<Value> | undefined, of?: () => string): Resource<Value> {
  let value = $state.raw<Value | undefined>(undefined);
  let error = $state<string | undefined>(undefined);
  let loading = $state(true);
  let asked = $state(0);
  let latest = 0;
  const key = $derived(of?.());

  $effect(() => {
    void asked;
    void key;
    const ticket = ++latest;
    const promise = of === undefined ? load() : untrack(load);
    if (promise === undefined) {
      value = undefined;
      loading = false;
      return;
    }
    loading = true;
    promise.then(
      (result) => {
        if (ticket !== latest) return;
        value = result;
        error = undefined;
        loading = false;
      },
      (thrown: unknown) => {
        if (ticket !== latest) return;
        error = errorText(thrown);
        loading = false;
      },
    );
  });

  return {
    get value() {
      return value;
    },
    get error() {
      return error;
    },
    get loading() {
      return loading;
    },
    reload: () => {
      asked++;
    },
  };
}
