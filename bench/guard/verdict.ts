/** Whether what is measured now has fallen behind what the baseline says. Pure. */

export interface Baseline {
  /** When and from what, for who reads it. */
  readonly begun: string;
  readonly version: string;
  readonly machine: string;
  /** Time of each stage by that of the reference loop: less is better. */
  readonly micro: Readonly<Record<string, number>>;
  /** Weft by kernel VXLAN: more is better. */
  readonly fabric: Readonly<Record<string, number>>;
}

/**
 * How far a figure may fall before the guard fails: a stage may take 2.5 times as long, by the reference, and a fabric ratio
 * may be 0.4 of what it was. Wide, because it has to hold on machines of another make and with others at work: it catches
 * what allocates, deoptimises or takes the slow way, not what is a tenth slower.
 */
export const margins = { micro: 2.5, fabric: 0.4 } as const;

export interface Finding {
  readonly kind: 'micro' | 'fabric';
  readonly id: string;
  readonly was: number;
  readonly is: number;
  readonly fallen: boolean;
}

/** One for each that is in the baseline. @throws Error when one of them was not measured */
export function judge(
  baseline: Pick<Baseline, 'micro' | 'fabric'>,
  measured: Pick<Baseline, 'micro' | 'fabric'>,
): Finding[] {
  return (['micro', 'fabric'] as const).flatMap((kind) =>
    Object.entries(baseline[kind]).map(([id, was]) => {
      const is = measured[kind][id];
      if (is === undefined) throw new Error(`${kind} ${id} is in the baseline and was not measured`);
      const fallen = kind === 'micro' ? is > was * margins.micro : is < was * margins.fabric;
      return { kind, id, was, is, fallen };
    }),
  );
}

/** The better of two measurements of the same: what disturbs only ever makes worse. */
export const better = ({ kind, is }: Finding, again: number): number =>
  kind === 'micro' ? Math.min(is, again) : Math.max(is, again);
