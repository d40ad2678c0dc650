/**
 * Whether what forwards is what the route table says: every best route in the engine, with its paths, and none besides;
 * what belongs into the node's own table there. Compares only, some at a time.
 */
import { type Path, samePaths } from '../routing/path.ts';
import type { RouteTable } from '../routing/route-table.ts';
import { formatPrefix, type Prefix } from '../wire/prefix.ts';
import type { NodeRoutes } from './kernel-routes.ts';
import { inPortions } from './portions.ts';

export interface ForwardingRoutes {
  route(prefix: Prefix): readonly Path[] | undefined;
  routeCount(): number;
}

/** Of each kind: where all differ, a million sentences say no more than some do. */
const MOST_TOLD = 100;

/** What differs, a sentence each, the first of many; empty when all agree. */
export async function checkRoutes(
  table: RouteTable,
  engine: ForwardingRoutes,
  kernel: Pick<NodeRoutes, 'differences'>,
): Promise<string[]> {
  const lost: Prefix[] = [];
  const astray: Prefix[] = [];
  await inPortions(table, ({ prefix }) => {
    // As it is now, for it may have changed since the portion was begun.
    const best = table.get(prefix)?.candidates[0];
    const paths = best && engine.route(prefix);
    if (best && !paths) lost.push(prefix);
    else if (best && paths && !samePaths(paths, best.paths)) astray.push(prefix);
  });
  const [known, forwarded] = [table.size, engine.routeCount()];
  const { missing, elsewhere, surplus } = await kernel.differences();
  return [
    ...sentences(lost, 'is not in the engine'),
    ...sentences(astray, 'leads elsewhere in the engine'),
    ...(forwarded > known
      ? [`the engine has ${forwarded} routes, ${forwarded - known} more than there are`]
      : []),
    ...sentences(missing, "is not in the node's table"),
    ...sentences(surplus, "should not be in the node's table"),
    ...sentences(elsewhere, "leads elsewhere in the node's table"),
  ];
}

function sentences(prefixes: readonly Prefix[], what: string): string[] {
  const told = prefixes.slice(0, MOST_TOLD).map((prefix) => `${formatPrefix(prefix)} ${what}`);
  const more = prefixes.length - told.length;
  return more > 0 ? [...told, `and ${more} more of which the same is true`] : told;
}
