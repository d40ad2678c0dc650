/** How a lab does, asked from the nodes themselves: the API of those that run Weft, the kernel's interfaces of the others. */
import { openClient } from '../control/client.ts';
import type { Pod, Status } from '../control/service.ts';
import { durationText } from '../control/text.ts';
import type { Lab, LabNode } from './description.ts';
import { failureText } from './failure.ts';
import { Namespace } from './namespace.ts';

export interface Health {
  readonly ok: boolean;
  /** For people. */
  readonly detail: string;
}

/** A lab with the health of each node. */
export type LabHealth = Omit<Lab, 'nodes'> & {
  readonly nodes: readonly (LabNode & { readonly health: Health })[];
};

export async function healthOf(lab: Lab): Promise<LabHealth> {
  const ask = async (node: LabNode) => ({ ...node, health: await nodeHealth(node) });
  return { ...lab, nodes: await Promise.all(lab.nodes.map(ask)) };
}

async function nodeHealth(node: LabNode): Promise<Health> {
  try {
    return node.socket === undefined ? kernelHealth(node) : await weftHealth(node, node.socket);
  } catch (error) {
    return { ok: false, detail: failureText(error) };
  }
}

async function weftHealth({ pods }: LabNode, socket: string): Promise<Health> {
  const client = openClient(socket);
  const status = await client.get<Status>('status');
  const attached = await client.get<Pod[]>('pods');
  const forwarding = new Set(attached.filter(({ state }) => state === 'forwarding').map(({ id }) => id));
  const without = pods.filter(({ name }) => !forwarding.has(name)).map(({ name }) => name);
  if (without.length > 0) return { ok: false, detail: `does not forward for ${without.join(', ')}` };
  const uptime = durationText(status.uptimeSeconds);
  return { ok: true, detail: `forwards for ${uptime}, ${status.pods} pods, ${status.routes} routes` };
}

function kernelHealth({ namespace, host }: LabNode): Health {
  const [link] = JSON.parse(Namespace.named(namespace).ip(`-j link show ${host.interface}`)) as {
    flags: string[];
  }[];
  const ok = link.flags.includes('UP');
  return { ok, detail: `${host.interface} is ${ok ? 'up' : 'down'}` };
}
