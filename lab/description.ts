/** What a lab consists of, as it is written down, shown and printed as JSON. Types only. */

export type Family = 'v4' | 'v6';

export interface LabHost {
  readonly name: string;
  /** Name of its network namespace. */
  readonly namespace: string;
}

export interface LabPod extends LabHost {
  /** Name of its node. */
  readonly node: string;
  readonly v4: string;
  readonly v6: string;
}

export interface LabNode extends LabHost {
  readonly kind: 'weft' | 'kernel';
  /** Underlay addresses; tunnels are between the v4 ones. */
  readonly underlay: Readonly<Record<Family, string>>;
  /** Inner destination MAC that it answers to. */
  readonly mac: string;
  /** Its own interface into the fabric, and the addresses on it. */
  readonly host: { readonly interface: string } & Readonly<Record<Family, string>>;
  readonly pods: readonly LabPod[];
  /** Path of the API socket, where Weft runs. */
  readonly socket?: string;
}

/** What is not in the fabric: the nodes' router, and an address behind it. It knows no way to a pod. */
export interface LabOutside extends LabHost {
  readonly underlay: Readonly<Record<Family, string>>;
  readonly v4: string;
  readonly v6: string;
}

export interface Lab {
  readonly name: string;
  /** When it was built, ISO 8601. */
  readonly built: string;
  readonly underlay: {
    /** Namespace of the switch. */
    readonly namespace: string;
    readonly v4: string;
    readonly v6: string;
    /** Bytes. */
    readonly mtu: number;
    readonly vni: number;
  };
  readonly outside: LabOutside;
  readonly nodes: readonly LabNode[];
}

export const podsOf = ({ nodes }: Pick<Lab, 'nodes'>): LabPod[] => nodes.flatMap(({ pods }) => pods);

/** Everything with a namespace that has a name of its own. */
export const hostsOf = (lab: Lab): LabHost[] => [...lab.nodes, ...podsOf(lab), lab.outside];
