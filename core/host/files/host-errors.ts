// Turns operating-system errors into NestboxErrors with a stable kind and a sentence that a user understands.

import { type ErrorKind, messageOf, NestboxError } from '../../base/errors.ts';

const KIND_OF_CODE: Readonly<Record<string, ErrorKind>> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-found',
  EACCES: 'permission',
  EPERM: 'permission',
  EROFS: 'permission',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EFBIG: 'no-space',
  EBUSY: 'busy',
  ETXTBSY: 'busy',
  EAGAIN: 'busy',
  EEXIST: 'usage',
  EISDIR: 'bad-input',
  ELOOP: 'bad-input',
  ENAMETOOLONG: 'bad-input',
};

const TEXT_OF_CODE: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'a part of the path is not a folder',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the disk',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be too large for the file system',
  EISDIR: 'is a folder',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
  EEXIST: 'the file exists already',
  EIO: 'the host reported an input/output error',
};

export function errorCodeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  const code = (thrown as { code?: unknown }).code;
  return typeof code === 'string' ? code : undefined;
}

/** The NestboxError for what a file-system call threw; a NestboxError passes unchanged. */
export function hostFileError(thrown: unknown, op: string, path: string): NestboxError {
  if (thrown instanceof NestboxError) return thrown;
  const code = errorCodeOf(thrown);
  const kind = (code !== undefined ? KIND_OF_CODE[code] : undefined) ?? 'io';
  const text = (code !== undefined ? TEXT_OF_CODE[code] : undefined) ?? messageOf(thrown);
  const context: Record<string, string> = { path };
  if (code !== undefined) context.code = code;
  return new NestboxError(kind, `${path}: ${text}`, { op, context, cause: thrown });
}
