/** What a CNI plugin answers when it cannot do what it was asked (SPEC 1.1.0 section 5, "Error"). Imports no more than versions. */
import { isVersion, LATEST } from './version.ts';

/** Up to 99 by the book, from 100 our own. */
export const CniCode = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  io: 5,
  decoding: 6,
  invalidConfig: 7,
  tryAgainLater: 11,
  /** STATUS: cannot serve ADD. */
  unavailable: 50,
  /** STATUS: cannot serve ADD, and pods that are there may not reach all they should. */
  limited: 51,
  failed: 100,
  /** ADD of what is attached already. */
  attached: 101,
  /** An address that was asked for cannot be given. */
  address: 102,
  /** The pod has an interface of that name that is not ours. */
  interfaceExists: 103,
  /** CHECK: something is not as it was made. */
  changed: 104,
  /** A port of the node that was asked for cannot lead to the pod. */
  port: 105,
} as const;
export type CniCode = (typeof CniCode)[keyof typeof CniCode];

export class CniError extends Error {
  override readonly name = 'CniError';
  /** Of a delegated plugin, whatever it gave. */
  readonly code: number;
  readonly details: string | undefined;

  constructor(code: number, message: string, options: ErrorOptions & { details?: string } = {}) {
    super(message, options);
    this.code = code;
    this.details = options.details;
  }
}

/** What goes to stdout. @param asked cniVersion of the request, whatever it is */
export function errorAnswer(error: CniError, asked: unknown): object {
  const { code, message: msg, details } = error;
  const cniVersion = typeof asked === 'string' && isVersion(asked) ? asked : LATEST;
  return { cniVersion, code, msg, ...(details !== undefined && { details }) };
}
