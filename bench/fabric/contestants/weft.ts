/** Weft itself: the real `weft node` on both nodes, with one of its encapsulations. */
import { WeftNode, type WeftNodeOptions } from '../../../lab/weft-node.ts';
import { allowedCpus } from '../../../sys/cpus.ts';
import { CIDRS, PODS, SIDES, type Site, UNDERLAY } from './site.ts';

export type Encapsulation = 'vxlan' | 'ipip' | 'direct';

/** @param workers of each node; default: as the setting says */
export const weft =
  (type: Encapsulation, workers?: number) =>
  async (site: Site): Promise<number[]> =>
    (await startWeft(site, type, workers)).map(({ pid }) => pid);

/** With VXLAN, and no processor that has workers of both nodes, as on machines of their own. */
export const weftApart = async (site: Site): Promise<number[]> =>
  (await startWeft(site, 'vxlan', undefined, { apart: true })).map(({ pid }) => pid);

export interface StartOptions extends Omit<WeftNodeOptions, 'config' | 'nodeArguments'> {
  /** Arguments of Node itself, by side. */
  readonly nodeArguments?: (side: number) => readonly string[];
  /** Of the first node, beside the one to the other pod. */
  readonly routes?: readonly { readonly to: string; readonly via: string }[];
  /** Whether each node's workers stay on half of the processors, of which the other's use none. */
  readonly apart?: boolean;
  /** What else the first node's configuration has. */
  readonly first?: Readonly<Record<string, unknown>>;
}

export async function startWeft(
  { run, pods, nodes, setting }: Site,
  type: Encapsulation,
  workers = setting.workers,
  { routes = [], apart = false, first = {}, nodeArguments = () => [], ...options }: StartOptions = {},
): Promise<WeftNode[]> {
  const cpusOf = (side: number) => allowedCpus().filter((_, n) => n % SIDES.length === side);
  const started: WeftNode[] = [];
  const { family } = setting;
  for (const i of SIDES) {
    if (type === 'direct' && family === 6) nodes[i].ip(`addr add fd00:77::${i + 1}/64 dev underlay nodad`);
    const sixth = type === 'direct' && family === 6;
    const node = await WeftNode.start(run, nodes[i], {
      ...options,
      nodeArguments: nodeArguments(i),
      config: {
        node: { name: `node-${i}`, address: [UNDERLAY[i], ...(sixth ? [`fd00:77::${i + 1}`] : [])] },
        pods: { cidrs: [CIDRS[family][i]] },
        encap: { type },
        engine: { workers, ...(apart && { cpus: cpusOf(i) }) },
        host: { natOutgoing: setting.masquerade },
        routes: [
          { to: CIDRS[family][1 - i], via: sixth ? `fd00:77::${2 - i}` : UNDERLAY[1 - i] },
          ...(i === 0 ? routes : []),
        ],
        ...(i === 0 ? first : {}),
      },
    });
    await node.attach(pods[i], `pod-${i}`, [PODS[family][i]]);
    started.push(node);
  }
  return started;
}
