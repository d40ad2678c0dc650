/** The highest rate without loss (RFC 2544, section 26.1, with a tolerance): between one that passes and one that does not. */

/** What came of sending at a rate. */
export interface Trial {
  /** Datagrams a second. */
  readonly offered: number;
  readonly delivered: number;
  /** Share of what was sent. */
  readonly loss: number;
}

/** Of what is sent, what may be lost: one in ten thousand. */
export const TOLERATED_LOSS = 1e-4;
/** The search ends when the highest good and the lowest bad rate are this close. */
const PRECISION = 1.05;
/** Below this share of what an overload delivers nothing is worth searching. */
const LEAST_SHARE = 1 / 20;

/**
 * A rate that fails is tried once more: a disturbance from outside must not decide.
 * @param attempt sends at a rate, 0 for as fast as it goes
 * @returns datagrams a second; 0 when every rate loses
 */
export async function highestRate(attempt: (rate: number) => Promise<Trial>): Promise<number> {
  const passes = async (rate: number): Promise<number> => {
    for (let tries = 0; tries < 2; tries++) {
      const { loss, offered } = await attempt(rate);
      if (loss < TOLERATED_LOSS) return Math.min(rate, offered);
    }
    return 0;
  };
  const { delivered } = await attempt(0);
  let high = delivered * 1.2;
  let low = 0;
  let best = 0;
  while (low === 0 || high / low > PRECISION) {
    const rate = low === 0 ? high * 0.75 : Math.sqrt(low * high);
    const passed = await passes(rate);
    if (passed > 0) {
      low = rate;
      best = Math.max(best, passed);
      // It was not able to offer more.
      if (passed < rate * 0.98) break;
    } else {
      high = rate;
      if (low === 0 && high < delivered * LEAST_SHARE) return 0;
    }
  }
  return best;
}
