/**
 * How much a pod may receive and send: what a caller asks for, checked, and with what it left out. Directions are the
 * pod's, as in the CNI conventions: ingress is what it receives. Pure.
 */

/** Of one direction. */
export interface RateLimit {
  /** Bits of IP packets a second. */
  readonly rate: number;
  /** Bits that may pass at once after a time of less. */
  readonly burst: number;
}

/** A direction that is left out has no limit. */
export interface Bandwidth {
  readonly ingress?: RateLimit | undefined;
  readonly egress?: RateLimit | undefined;
}

/** In the words of the conventions' `bandwidth`: bits a second and bits, 0 for no limit. */
export interface StatedBandwidth {
  readonly ingressRate: number;
  readonly ingressBurst: number;
  readonly egressRate: number;
  readonly egressBurst: number;
}

/** 0 is the same as left out. */
export type WantedBandwidth = { readonly [Key in keyof StatedBandwidth]?: number | undefined };

/** Kubernetes takes limits from 1k to 1P. Bits a second. */
const LEAST_RATE = 1000;
const MOST_RATE = 1e15;
/** What the bandwidth plugin takes at most, bits. */
const MOST_BURST = 2 ** 32 - 1;
/**
 * Kubernetes knows no bursts, so what runtimes send for it is the largest number they can: 2^32 - 1, or 2^31 - 1. Taken as
 * it stands, half a gigabyte would pass before the limit begins.
 */
const NOT_STATED = [2 ** 31 - 1, 2 ** 32 - 1];
/** Then it is what the rate passes in this time, and a few packets at least. Packets wait rather than being dropped, so more is not needed. */
const BURST_SECONDS = 0.01;
const LEAST_BURST = 8 * 3000;

/** Undefined when nothing is limited. @throws Error that names the key */
export function readBandwidth(wanted: WantedBandwidth): Bandwidth | undefined {
  const ingress = readLimit('ingress', wanted.ingressRate, wanted.ingressBurst);
  const egress = readLimit('egress', wanted.egressRate, wanted.egressBurst);
  if (!ingress && !egress) return undefined;
  return { ...(ingress && { ingress }), ...(egress && { egress }) };
}

function readLimit(direction: 'ingress' | 'egress', rate = 0, burst = 0): RateLimit | undefined {
  check(`${direction}Rate`, rate, LEAST_RATE, MOST_RATE, 'bits a second');
  check(`${direction}Burst`, burst, 1, MOST_BURST, 'bits');
  if (rate === 0) {
    if (burst === 0 || NOT_STATED.includes(burst)) return undefined;
    throw new Error(`${direction}Burst: ${burst} without ${direction}Rate; give both, or the rate alone`);
  }
  const stated = burst !== 0 && !NOT_STATED.includes(burst);
  return { rate, burst: stated ? burst : Math.max(LEAST_BURST, Math.ceil(rate * BURST_SECONDS)) };
}

function check(key: string, value: number, least: number, most: number, unit: string): void {
  if (value === 0 || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw new Error(
    `${key}: ${value} is not valid; expected a whole number of ${unit}, ${least} to ${most}, or 0`,
  );
}

export function statedBandwidth({ ingress, egress }: Bandwidth = {}): StatedBandwidth {
  return {
    ingressRate: ingress?.rate ?? 0,
    ingressBurst: ingress?.burst ?? 0,
    egressRate: egress?.rate ?? 0,
    egressBurst: egress?.burst ?? 0,
  };
}
