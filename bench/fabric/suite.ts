/**
 * The comparisons of `weft bench fabric`: a work, who takes part, and what is to be reached. In each, contestants are
 * taken in turn, the order reversed from pair to pair, and what counts is the ratio within a pair: what else goes on on
 * the machine meets both.
 */
import type { Run } from '../../lab/run.ts';
import { median, type Summary, summarize } from '../statistics.ts';
import { build, type Contestant, type ContestantName, type UnderlayOptions } from './contestants.ts';
import { residentBytes } from './process-usage.ts';
import { roundTrip, tcp, type UdpWork, udp, udpWithoutLoss } from './work.ts';

export interface Comparison {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly wire: boolean;
  readonly against: ContestantName;
  readonly candidate: ContestantName;
  /** Ratio candidate / against to be reached, at least or at most. */
  readonly target: { readonly atLeast: number } | { readonly atMost: number };
  measure(contestant: Contestant): Promise<number>;
}

const SECONDS = 2;
const SMALL: UdpWork = { size: 64, flows: 1, seconds: 1.5 };

export const comparisons: readonly Comparison[] = [
  {
    id: 'tcp1-wire',
    title: 'TCP 1 stream, wire underlay',
    unit: 'Gbit/s',
    wire: true,
    against: 'kernel-vxlan',
    candidate: 'weft',
    target: { atLeast: 1.1 },
    measure: (contestant) => tcp(contestant, 1, SECONDS),
  },
  {
    id: 'tcp1',
    title: 'TCP 1 stream, offloading underlay',
    unit: 'Gbit/s',
    wire: false,
    against: 'kernel-vxlan',
    candidate: 'weft',
    target: { atLeast: 0.8 },
    measure: (contestant) => tcp(contestant, 1, SECONDS),
  },
  {
    id: 'tcp1-one-by-one',
    title: 'TCP 1 stream, one packet a call',
    unit: 'Gbit/s',
    wire: false,
    against: 'one-by-one',
    candidate: 'weft',
    target: { atLeast: 6 },
    measure: (contestant) => tcp(contestant, 1, SECONDS),
  },
  {
    id: 'udp64',
    title: 'UDP 64 B, 1 flow, delivered under overload',
    unit: 'kpps',
    wire: false,
    against: 'kernel-vxlan',
    candidate: 'weft',
    target: { atLeast: 3 },
    measure: async (contestant) => (await udp(contestant, SMALL, 0)).delivered / 1000,
  },
  {
    id: 'udp64-without-loss',
    title: 'UDP 64 B, 1 flow, without loss',
    unit: 'kpps',
    wire: false,
    against: 'kernel-vxlan',
    candidate: 'weft',
    target: { atLeast: 2.5 },
    measure: async (contestant) => (await udpWithoutLoss(contestant, SMALL)) / 1000,
  },
  {
    id: 'rtt',
    title: 'Round trip p50',
    unit: 'µs',
    wire: false,
    against: 'kernel-vxlan',
    candidate: 'weft',
    target: { atMost: 1.5 },
    measure: async (contestant) => (await roundTrip(contestant, 1)).p50,
  },
];

export interface Result {
  readonly comparison: Omit<Comparison, 'measure'>;
  readonly against: Summary;
  readonly candidate: Summary;
  readonly ratio: Summary;
  readonly reached: boolean;
  /** Of the candidate's processes, bytes each, after the work. */
  readonly residentBytes: readonly number[];
}

/** Contestants that are up and warm, by name and kind of underlay: built when first needed. */
export class Arena {
  readonly #run: Run;
  readonly #workers: number;
  readonly #mtu: number;
  readonly #built = new Map<string, Promise<Contestant>>();

  constructor(run: Run, workers: number, mtu: number) {
    this.#run = run;
    this.#workers = workers;
    this.#mtu = mtu;
  }

  get(name: ContestantName, wire: boolean): Promise<Contestant> {
    const label = `${name.replaceAll('-', '')}${wire ? 'w' : ''}`;
    const underlay: UnderlayOptions = { mtu: this.#mtu, wire };
    const known = this.#built.get(label);
    if (known) return known;
    const built = build(this.#run, name, label, underlay, { workers: this.#workers }).then(warmUp);
    this.#built.set(label, built);
    return built;
  }
}

/**
 * Some traffic before anything is measured, the same for all: a virtual machine compiles what it runs often, and TCP
 * keeps what it learnt about a destination. A service that runs for weeks is not measured in its first second.
 */
async function warmUp(contestant: Contestant): Promise<Contestant> {
  await tcp(contestant, 1, SECONDS);
  await udp(contestant, SMALL, 0);
  return contestant;
}

/** Takes `pairs` pairs. @param progress called before each measurement */
export async function compare(
  arena: Arena,
  comparison: Comparison,
  pairs: number,
  progress: (pair: number, name: ContestantName, last: number | undefined) => void,
): Promise<Result> {
  const against = await arena.get(comparison.against, comparison.wire);
  const candidate = await arena.get(comparison.candidate, comparison.wire);
  const figures = { against: [] as number[], candidate: [] as number[] };
  let last: number | undefined;
  for (let pair = 0; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? (['against', 'candidate'] as const) : (['candidate', 'against'] as const);
    for (const side of order) {
      const contestant = side === 'against' ? against : candidate;
      progress(pair, contestant.name, last);
      last = await comparison.measure(contestant);
      figures[side].push(last);
    }
  }
  const ratios = figures.candidate.map((value, pair) => value / figures.against[pair]);
  const { measure: _, ...described } = comparison;
  return {
    comparison: described,
    against: summarize(figures.against),
    candidate: summarize(figures.candidate),
    ratio: summarize(ratios),
    reached: reaches(comparison, median(ratios)),
    residentBytes: candidate.processes.map(residentBytes),
  };
}

const reaches = ({ target }: Comparison, ratio: number): boolean =>
  'atLeast' in target ? ratio >= target.atLeast : ratio <= target.atMost;
