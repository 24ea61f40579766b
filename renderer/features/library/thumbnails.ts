// Decoded thumbnails, kept so that scrolling asks for nothing twice.

import type { ManagerApi } from '../../../core/protocol/manager-api.ts';

const KEPT = 400;
const cache = new Map<string, { readonly version: number; readonly picture: Promise<ImageBitmap | undefined> }>();

export function thumbnailOf(api: ManagerApi, id: string, version: number): Promise<ImageBitmap | undefined> {
  const known = cache.get(id);
  if (known?.version === version) return known.picture;
  const picture = api
    .thumbnail(id)
    .then((png) => (png === undefined ? undefined : decodePng(png)))
    .catch(() => undefined);
  cache.delete(id);
  cache.set(id, { version, picture });
  if (cache.size > KEPT) cache.delete(cache.keys().next().value ?? '');
  return picture;
}

export function decodePng(png: Uint8Array): Promise<ImageBitmap> {
  return createImageBitmap(new Blob([png as Uint8Array<ArrayBuffer>], { type: 'image/png' }));
}
