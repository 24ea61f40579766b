// What tells a machine from its copies: the hardware address of its network adapter and the generation of its state. Copies
// and forks get new ones; a machine that goes back to a snapshot begins another generation.

import { randomBytes, randomUUID } from 'node:crypto';
import type { Registry } from '../registry/registry.ts';
import type { StoredConfig } from '../registry/rows.ts';

/** Locally administered, one station (IEEE 802, bits 1 and 0 of the first byte); the rest is random. */
const ADDRESS_PREFIX = [0x52, 0x4e, 0x42];

function newMacAddress(taken: ReadonlySet<string>): string {
  for (;;) {
    const address = [...ADDRESS_PREFIX, ...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    if (!taken.has(address)) return address;
  }
}

/** The configuration of a machine that is another one than all there are. A hardware address that is asked for stays. */
export function withIdentity(registry: Registry, config: StoredConfig): StoredConfig {
  return { ...(config.macAddress === undefined ? withNewAddress(registry, config) : config), generationId: randomUUID() };
}

function withNewAddress(registry: Registry, config: StoredConfig): StoredConfig {
  const taken = new Set(registry.vms().flatMap((vm) => vm.config.macAddress ?? []));
  return { ...config, macAddress: newMacAddress(taken) };
}

/** The configuration of a copy. */
export function withNewIdentity(registry: Registry, config: StoredConfig): StoredConfig {
  return { ...withNewAddress(registry, config), generationId: randomUUID() };
}

/** The same machine, whose state is used a second time. */
export function withNewGeneration(config: StoredConfig): StoredConfig {
  return { ...config, generationId: randomUUID() };
}
