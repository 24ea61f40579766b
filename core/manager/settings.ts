// What the user has chosen for the app. Stored as one entry a setting; what cannot be read any more falls back.

import { z } from 'zod';
import type { AppSettings } from '../protocol/manager-api.ts';
import type { Registry } from '../registry/registry.ts';
import type { ManagerEventHub } from './events.ts';

const FIELDS = {
  language: z.enum(['auto', 'en', 'zh-CN']),
  theme: z.enum(['auto', 'light', 'dark', 'contrast']),
  closeAction: z.enum(['ask', 'keep-running', 'save-state', 'shut-down', 'power-off']),
  libraryView: z.enum(['grid', 'list']),
  librarySort: z.enum(['name', 'state', 'created', 'used']),
} satisfies Record<keyof AppSettings, z.ZodType>;

const DEFAULTS: AppSettings = { language: 'auto', theme: 'auto', closeAction: 'ask', libraryView: 'grid', librarySort: 'name' };

export const settingsChangeSchema = z.strictObject(FIELDS).partial();

export class Settings {
  private readonly registry: Registry;
  private readonly events: ManagerEventHub;

  constructor(registry: Registry, events: ManagerEventHub) {
    this.registry = registry;
    this.events = events;
  }

  read(): AppSettings {
    const found = Object.entries(FIELDS).flatMap(([name, field]) => {
      const parsed = field.safeParse(this.registry.setting(name));
      return parsed.success ? [[name, parsed.data]] : [];
    });
    return { ...DEFAULTS, ...(Object.fromEntries(found) as Partial<AppSettings>) };
  }

  change(change: Partial<AppSettings>): AppSettings {
    this.registry.transaction(() => {
      for (const [name, value] of Object.entries(change)) if (name in FIELDS && value !== undefined) this.registry.setSetting(name, value);
    });
    const settings = this.read();
    this.events.emit('settingsChanged', settings);
    return settings;
  }
}
