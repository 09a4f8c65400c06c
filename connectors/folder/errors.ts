import { ActivateError } from '../../engine/contracts/errors.ts';

interface SystemError extends Error {
  readonly code: string;
}

export function isSystemError(thrown: unknown, ...codes: readonly string[]): thrown is SystemError {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return typeof code === 'string' && (codes.length === 0 || codes.includes(code));
}

/** The same, with what the machine says as a sentence. `doing` completes “the machine does not let us …”. */
export async function told<T>(doing: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isSystemError(error) ? explain(error, doing) : error;
  }
}

function explain({ code }: SystemError, doing: string): ActivateError {
  switch (code) {
    case 'ENOENT':
      return new ActivateError('NOT_FOUND', `There is no such folder on this machine any more (${doing}).`, {
        fix: 'Look whether its network drive is mounted, or correct it in the connection.',
      });
    case 'EACCES':
    case 'EPERM':
      return new ActivateError('PERMISSION_DENIED', `This machine does not let us ${doing}.`, {
        fix: 'Give the user that Activate runs as the right to make, rename and delete files in the folder.',
      });
    case 'EROFS':
      return new ActivateError('PERMISSION_DENIED', 'The folder may only be read.', {
        fix: 'Mount its file system so that it can be written.',
      });
    case 'ENOSPC':
    case 'EDQUOT':
      return new ActivateError('UNAVAILABLE', 'The disk is full, or our share of it.', {
        fix: 'Make room. It is tried again by itself.',
      });
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ENOTEMPTY':
      return new ActivateError(
        'EXISTS',
        'Where a folder has to be there is a file, or the other way round.',
        {
          fix: 'Give the file another name, or move away what is there.',
        },
      );
    case 'ENAMETOOLONG':
    case 'EINVAL':
    case 'EILSEQ':
      return new ActivateError('INPUT_INVALID', 'The file system does not take this name for a file.', {
        fix: 'Give the file a shorter or plainer name.',
      });
    case 'EFBIG':
      return new ActivateError('INPUT_INVALID', 'The file is larger than the file system can hold.', {
        fix: 'Split the files into parts.',
      });
    default:
      // ESTALE, EIO, EHOSTDOWN, ETIMEDOUT: a network drive in trouble.
      return new ActivateError('UNAVAILABLE', `This machine failed to ${doing} (${code}).`, {
        fix: 'It is tried again by itself. If it stays so, look at the network drive.',
      });
  }
}
