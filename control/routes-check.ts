/**
 * Whether what forwards is what the route table says: every best route in the engine, with its paths, and none besides;
 * what belongs into the node's own table there. Compares only.
 */
import { type Path, samePaths } from '../routing/path.ts';
import type { RouteTable } from '../routing/route-table.ts';
import { formatPrefix, type Prefix } from '../wire/prefix.ts';
import type { NodeRoutes } from './kernel-routes.ts';

export interface ForwardingRoutes {
  route(prefix: Prefix): readonly Path[] | undefined;
  routeCount(): number;
}

/** What differs, a sentence each, the first of many; empty when all agree. */
export function checkRoutes(
  table: RouteTable,
  engine: ForwardingRoutes,
  kernel: Pick<NodeRoutes, 'differences'>,
): string[] {
  const differences: string[] = [];
  for (const { prefix, candidates } of table) {
    const paths = engine.route(prefix);
    if (!paths) differences.push(`${formatPrefix(prefix)} is not in the engine`);
    else if (!samePaths(paths, candidates[0].paths))
      differences.push(`${formatPrefix(prefix)} leads elsewhere in the engine`);
  }
  const [known, forwarded] = [table.size, engine.routeCount()];
  if (forwarded > known)
    differences.push(`the engine has ${forwarded} routes, ${forwarded - known} more than there are`);
  return [...differences, ...kernel.differences()];
}
