/** `weft lab demo`: builds a lab, shows it, checks and measures it, and says what was found. */
import { table } from '../control/text.ts';
import { buildToStay, withLab } from './build.ts';
import { checksOf } from './checks.ts';
import type { Lab } from './description.ts';
import { failureText } from './failure.ts';
import { type Measured, measure } from './measure.ts';
import { picture } from './picture.ts';
import type { Progress } from './progress.ts';
import type { Style } from './style.ts';

export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** What was found, or what is wrong. */
  readonly found: string;
}

export interface DemoResult {
  readonly ok: boolean;
  readonly seconds: number;
  readonly lab: Lab;
  readonly checks: readonly CheckResult[];
  readonly measured: readonly Measured[];
}

/** @param keep name of the lab, when it is to stay */
export function runDemo(progress: Progress, keep?: string): Promise<DemoResult> {
  progress.say(progress.style.strong('Weft lab: two Weft nodes and a kernel VXLAN node, two pods each\n'));
  const title = 'build a switch, a router, three nodes and six pods';
  if (keep === undefined) {
    return withLab(async (building) => examine(await progress.step(title, () => building), progress));
  }
  return progress.step(title, () => buildToStay(keep)).then((lab) => examine(lab, progress));
}

/** Shows, checks and measures a lab that is there. */
export async function examine(lab: Lab, progress: Progress): Promise<DemoResult> {
  progress.say(`\n${picture(lab)}\n`);
  const checks: CheckResult[] = [];
  for (const { name, run } of checksOf(lab)) {
    try {
      checks.push({ name, ok: true, found: await progress.step(name, run) });
    } catch (error) {
      checks.push({ name, ok: false, found: failureText(error) });
    }
  }
  const measured: Measured[] = [];
  const [a, b, c] = lab.nodes.map(({ pods }) => pods[0]);
  for (const [from, to] of [
    [a, b],
    [a, c],
    [c, b],
  ]) {
    const name = `measure ${from.name} to ${to.name}`;
    try {
      measured.push(await progress.step(`${name}: round trips, TCP, UDP`, () => measure(from, to)));
    } catch (error) {
      // What cannot be measured does not work.
      checks.push({ name, ok: false, found: failureText(error) });
    }
  }
  return { ok: checks.every(({ ok }) => ok), seconds: progress.seconds, lab, checks, measured };
}

/** The table of results. */
export function demoText({ checks, measured, lab }: DemoResult, style: Style): string {
  const verdicts = table(
    ['', 'check', 'found'],
    checks.map(({ name, ok, found }) => [ok ? 'ok' : 'FAILED', name, found]),
  );
  const kinds = new Map(lab.nodes.flatMap(({ kind, pods }) => pods.map((pod) => [pod.name, kind])));
  const figures = table(
    ['from', 'to', '', 'TCP Gbit/s', 'UDP 64 B kpps', 'lost %', 'round trip p50 µs', 'p99 µs'],
    measured.map(({ from, to, tcp, udp, roundTrip }) => [
      from,
      to,
      `${kindText(kinds.get(from))} to ${kindText(kinds.get(to))}`,
      right(tcp.gigabitsPerSecond.toFixed(2), 'TCP Gbit/s'),
      right((udp.packetsPerSecond / 1000).toFixed(0), 'UDP 64 B kpps'),
      right((udp.lost * 100).toFixed(1), 'lost %'),
      right((roundTrip.p50 * 1000).toFixed(0), 'round trip p50 µs'),
      right((roundTrip.p99 * 1000).toFixed(0), 'p99 µs'),
    ]),
  );
  return [paintVerdicts(verdicts, style), figures].map((text) => withHeader(text, style)).join('\n\n');
}

const kindText = (kind: string | undefined): string => (kind === 'weft' ? 'Weft' : 'kernel');

/** Below each other by their decimal points. */
const right = (figure: string, header: string): string => figure.padStart(header.length);

const paintVerdicts = (text: string, { good, bad }: Style): string =>
  text.replaceAll(/^ok/gm, good('ok')).replaceAll(/^FAILED/gm, bad('FAILED'));

function withHeader(text: string, { strong }: Style): string {
  const [header, ...rows] = text.split('\n');
  return [strong(header), ...rows].map((row) => `  ${row}`).join('\n');
}
