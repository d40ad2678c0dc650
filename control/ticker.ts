/** Work that is done again and again, never twice at the same time. */
import type { Log } from '../cni/host.ts';

export interface Ticker {
  /** Resolves when the round under way is over; there is no other. */
  stop(): Promise<void>;
}

/** Starts a round every `interval` milliseconds unless one is under way. The same failure is logged once, until it is over. */
export function startTicker(interval: number, round: () => Promise<void>, log: Log): Ticker {
  let running: Promise<void> | undefined;
  let failure: string | undefined;
  const once = async () => {
    try {
      await round();
      failure = undefined;
    } catch (error) {
      if (String(error) !== failure) log.error({ err: error }, 'a periodic check failed');
      failure = String(error);
    }
  };
  const timer = setInterval(() => {
    running ??= once().finally(() => {
      running = undefined;
    });
  }, interval);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
