// A file system inside an image, as far as looking for names and small files goes. Names compare without case: media were
// made for systems that ignore it, and boot loaders look that way.

export interface TreeEntry {
  readonly name: string;
  readonly folder: boolean;
  readonly sizeBytes: number;
}

/** A directory as its file system reads it; `children` is called once for each and cached. */
export interface TreeFolder {
  children(): Promise<readonly TreeNode[]>;
}

export interface TreeNode extends TreeEntry {
  /** Other names that the same entry goes by: the plain ISO 9660 name beside the Rock Ridge one. */
  readonly otherNames?: readonly string[];
  readonly open: () => TreeFolder;
  readonly read: (maxBytes: number) => Promise<Uint8Array>;
}

const PATH_DEPTH_MAX = 12;

export class FileTree {
  readonly kind: string;
  readonly volumeId: string;
  private readonly root: TreeFolder;
  private readonly cache = new Map<string, readonly TreeNode[]>();

  constructor(kind: string, volumeId: string, root: TreeFolder) {
    this.kind = kind;
    this.volumeId = volumeId;
    this.root = root;
  }

  /** Entries of a folder, empty when there is none. `path` has "/" between names, none at the start. */
  async list(path: string): Promise<readonly TreeNode[]> {
    const key = path.toLowerCase();
    const known = this.cache.get(key);
    if (known !== undefined) return known;
    let folder: TreeFolder | undefined = this.root;
    if (path !== '') {
      const node = await this.find(path);
      folder = node?.folder === true ? node.open() : undefined;
    }
    const entries = folder === undefined ? [] : await folder.children();
    this.cache.set(key, entries);
    return entries;
  }

  async find(path: string): Promise<TreeNode | undefined> {
    const parts = path.split('/');
    if (parts.length > PATH_DEPTH_MAX) return undefined;
    const name = (parts.pop() ?? '').toLowerCase();
    const entries = await this.list(parts.join('/'));
    return entries.find(
      (entry) =>
        entry.name.toLowerCase() === name || entry.otherNames?.some((other) => other.toLowerCase() === name) === true,
    );
  }

  /** The head of a file as Latin-1, or undefined when there is none. */
  async read(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const node = await this.find(path);
    return node === undefined || node.folder ? undefined : node.read(maxBytes);
  }
}
