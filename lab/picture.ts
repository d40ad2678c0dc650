/** The fabric as text. */
import { type LabNode, VNI } from './three-nodes.ts';

export function picture(nodes: readonly LabNode[]): string {
  const lines = nodes.map(({ name, kind, address, mac, pods }) => {
    const what = kind === 'weft' ? 'Weft' : 'kernel VXLAN';
    const list = pods.map((pod) => `   │      └─ ${pod.name}  ${pod.v4}  ${pod.v6}`);
    return [`   ├─ ${name}  ${address}  ${mac}  ${what}`, ...list].join('\n');
  });
  return [`underlay 192.168.77.0/24, VXLAN with VNI ${VNI}`, ...lines].join('\n');
}
