/**
 * Errors that a person or a script acts upon: a stable `code`, a message that says what was tried, what is wrong and what
 * to do, and the exit status that follows. What has no code is a bug and goes out with its stack. Never prints anything.
 */

/** Wrong usage or configuration; the caller has to ask for something else. */
const CALLER = ['usage', 'config', 'invalid'] as const;
/** It could not be done now. */
const RUN_TIME = [
  /** No daemon answers on the socket. */
  'unreachable',
  /** Another process has what is needed: a socket, a port, the state folder. */
  'in-use',
  'not-found',
  /** Not permitted, or a privilege is missing. */
  'denied',
  /** The daemon answered with something that this version does not understand. */
  'protocol',
  /** It needs what this version does not have yet, or this machine does not. */
  'unsupported',
  'failed',
] as const;

/** Codes are stable: scripts compare them. The API passes on those of other parts (EADDRINUSE, exists) as they are. */
export type ErrorCode = (typeof CALLER)[number] | (typeof RUN_TIME)[number] | (string & {});

export class WeftError extends Error {
  override readonly name = 'WeftError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The exit status of a command that ended with this error: 2 wrong usage or configuration, 1 anything else. */
export function exitStatus(error: unknown): 1 | 2 {
  return (CALLER as readonly string[]).includes(codeOf(error) ?? '') ? 2 : 1;
}

/** The stable code of an error of any part of Weft or of Node, if it has one. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : undefined;
}
