// The part of the WebAssembly JavaScript interface that the software CPU uses. TypeScript declares it only together with
// the DOM, which core/ must not see.

declare namespace WebAssembly {
  type ImportValue = ((...args: never[]) => unknown) | Memory | Table | Global | number;
  type Imports = Record<string, Record<string, ImportValue>>;
  type Exports = Record<string, ((...args: never[]) => unknown) | Memory | Table | Global>;

  class Module {
    constructor(bytes: Uint8Array | ArrayBuffer);
    static customSections(module: Module, name: string): ArrayBuffer[];
  }

  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Exports;
  }

  class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean });
    readonly buffer: ArrayBuffer | SharedArrayBuffer;
    grow(pages: number): number;
  }

  class Table {
    constructor(descriptor: { element: 'anyfunc'; initial: number; maximum?: number });
    readonly length: number;
    get(index: number): ((...args: never[]) => unknown) | null;
    set(index: number, value: ((...args: never[]) => unknown) | null): void;
    grow(count: number): number;
  }

  class Global<T extends number | bigint = number> {
    constructor(descriptor: { value: 'i32' | 'i64' | 'f32' | 'f64'; mutable?: boolean }, value?: T);
    value: T;
  }

  class RuntimeError extends Error {}
  class CompileError extends Error {}

  function compile(bytes: Uint8Array | ArrayBuffer): Promise<Module>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
  function validate(bytes: Uint8Array | ArrayBuffer): boolean;
}
