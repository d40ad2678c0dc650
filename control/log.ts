/** The service's log: JSON lines on stderr, written before the call returns, so that what led to an end is there. */
import { destination, type Logger, pino, stdTimeFunctions } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type { Logger };

/** @param node its name, in every line */
export function createLog(level: LogLevel, node: string): Logger {
  return pino(
    {
      level,
      base: { node },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ fd: 2, sync: true }),
  );
}
