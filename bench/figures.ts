/** Figures as people read them. */
import type { Summary } from './statistics.ts';

/** Three significant digits, no exponent. */
export function figure(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude >= 99.95) return Math.round(value).toLocaleString('en-US');
  if (magnitude >= 9.995) return value.toFixed(1);
  return value.toFixed(2);
}

/** '0.91 to 1.20' */
export const spread = ({ least, most }: Summary): string => `${figure(least)} to ${figure(most)}`;

/** '≥ 1.3' */
export const goalText = (goal: { readonly atLeast: number } | { readonly atMost: number }): string =>
  'atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;

/** 'reached', 'missed', or that this machine cannot tell. */
export const verdict = (reached: boolean | undefined): string =>
  reached === undefined ? 'too few cores here' : reached ? 'reached' : 'missed';
